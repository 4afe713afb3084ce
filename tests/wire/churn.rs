//! Everything that an operator can change, changed again and again while traffic runs: no client
//! notices, and no turn of the loop takes long.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use tidegate::base::random::Random;

use crate::admin::{Admin, BACKENDS};
use crate::binary::Binary;
use crate::client::Client;
use crate::configuration::File;
use crate::eventually;
use crate::origin::Origin;
use crate::process::Process;

/// A number from the environment, for runs that take longer.
fn wanted(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().expect("a number"))
}

/// `TIDEGATE_OPERATIONS=10000 TIDEGATE_REQUESTS=1000000 cargo test --release --test wire \
/// changes_under_load -- --nocapture` is the long way, and shows how long turns of the loop took.
/// `TIDEGATE_BACKENDS=400` lets every reload change a pool of so many, and
/// `TIDEGATE_LONGEST_TURN_MS=5` fails if a turn took longer. The program then runs before
/// everything else, where that is allowed: a turn in which it waits for a processor is not long
/// by what it does.
#[test]
fn changes_under_load_are_noticed_by_nobody() {
    let (operations, requests) = (
        wanted("TIDEGATE_OPERATIONS", 150),
        wanted("TIDEGATE_REQUESTS", 1_000),
    );
    let mut site = Site::start();
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let (at, over, answered) = (site.admin.binary.address(), &over, &answered);
            scope.spawn(move || {
                let mut random = Random::new(number);
                let mut client = Client::new(at);
                while !over.load(Ordering::Relaxed) {
                    let answer = match random.below(4) {
                        0 => client.post("/", "a body"),
                        _ => client.get("/"),
                    };
                    assert_eq!(answer.status(), 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                    if random.below(100) == 0 {
                        client = Client::new(at);
                    }
                }
            });
        }
        operate(&mut site, operations, &|| {
            answered.load(Ordering::Relaxed) >= requests
        });
        over.store(true, Ordering::Relaxed);
    });
    let total = answered.load(Ordering::Relaxed);
    println!("{operations} operations or more, {total} requests, no error");
    assert!(total >= requests);
    let status = site.admin.document("/api/v1/status");
    assert!(status["requests"].as_u64() >= Some(total));
    let came = status["bytes"]["client_in"].as_u64();
    assert!(came > Some(0));
    tell_of_turns(site.admin, total);
}

/// Prints how long turns took, and what the long ones did.
fn tell_of_turns(mut admin: Admin, requests: u64) {
    let status = admin.document("/api/v1/status");
    let longest = status["turns"]["longest_ms"].as_f64().expect("a number");
    let turns = status["turns"]["count"].as_u64().expect("a number");
    // Four clients are served at a time, and then there are the operator's requests.
    assert!(turns > requests / 4 && longest > 0.0, "{turns} turns");
    let metrics = admin.ask("GET", "/metrics", "");
    for line in metrics.text().lines() {
        if line.starts_with("tidegate_loop_l") {
            println!("{line}");
        }
    }
    admin.binary.signal("TERM");
    assert_eq!(admin.binary.exit_code(), Some(0));
    for line in admin.binary.lines("a turn took") {
        println!("{line}");
    }
    if let Ok(most) = std::env::var("TIDEGATE_LONGEST_TURN_MS") {
        let most: f64 = most.parse().expect("a number");
        assert!(longest <= most, "a turn took {longest} ms");
    }
}

/// A running program, its file, and the servers that it may be told of.
struct Site {
    admin: Admin,
    file: File,
    origins: Vec<Origin>,
    /// How often the file was written.
    edition: u64,
}

impl Site {
    fn start() -> Self {
        let origins: Vec<Origin> = ["a", "b", "c", "d"].map(Origin::saying).into();
        let text = text(&[origins[0].url(), origins[1].url()], 0);
        let file = File::new("churn", text);
        let admin = Admin::of(Binary::start_with_file(file.path()));
        if std::env::var_os("TIDEGATE_LONGEST_TURN_MS").is_some() {
            run_first(admin.binary.process());
        }
        Self {
            admin,
            file,
            origins,
            edition: 0,
        }
    }

    /// Writes the file anew, with the first origin and some of the others, and has it read.
    fn reload(&mut self, random: &mut Random) {
        self.edition += 1;
        let others = self.origins.iter().skip(1);
        let others = others.filter(|_| random.below(2) == 0);
        let all = self.origins.first().into_iter().chain(others);
        let all: Vec<String> = all.map(Origin::url).collect();
        self.file.write(text(&all, self.edition));
        if random.below(8) == 0 {
            self.admin.binary.signal("HUP");
        } else {
            let answer = self.admin.ask("POST", "/api/v1/reload", "");
            assert_eq!(answer.status(), 200, "{answer:?}");
        }
        let mark = "/api/v1/pools/mark/backends/mark-1";
        eventually("the file is read", || {
            self.admin.document(mark)["weight"] == weight(self.edition)
        });
        eventually("those that were taken out have left", || {
            let all = self.admin.document(BACKENDS);
            let mut all = all.as_array().into_iter().flatten();
            all.all(|one| one["reason"] != "being removed")
        });
    }
}

/// Gives a process its processor whenever it wants it.
fn run_first(process: Process) {
    let process = process.0.to_string();
    let mut command = Command::new("chrt");
    let done = command.args(["--fifo", "--pid", "1", &process]).status();
    let allowed = done.is_ok_and(|status| status.success());
    println!("runs before everything else: {allowed}");
}

/// A file with these backends, a mark to know its edition by, and a pool that is different in every
/// edition, which nobody asks.
fn text(backends: &[String], edition: u64) -> String {
    let ballast = wanted("TIDEGATE_BACKENDS", 20);
    let many = (0..ballast).map(|at| {
        let host = (at + edition * ballast / 2) % (2 * ballast);
        format!("http://127.1.{}.{}:9", host / 250, host % 250 + 1)
    });
    let many: Vec<String> = many.collect();
    let mark = weight(edition);
    format!(
        "log_level = \"debug\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\npool = \"app\"\n\
         [pool.app]\nbackends = {backends:?}\n\
         [pool.mark]\nbackends = [\"http://127.0.0.1:9,weight={mark}\"]\nhealth.probe = \"off\"\n\
         [pool.many]\nbackends = {many:?}\nhealth.probe = \"off\"\n"
    )
}

const fn weight(edition: u64) -> u64 {
    edition % 200 + 1
}

/// Changes this and that, and keeps the first origin in place; at least so often, and until
/// `enough`.
fn operate(site: &mut Site, least: u64, enough: &dyn Fn() -> bool) {
    let mut random = Random::new(9);
    let mut client = Client::new(site.admin.at);
    let mut done = 0;
    while done < least || !enough() {
        let at = usize::try_from(1 + random.below(3)).expect("small");
        let url = site.origins[at].url();
        let place = format!("{BACKENDS}/{}", url.replace("http://", ""));
        done += 1;
        let (method, target, body) = match random.below(8) {
            0 | 1 => (
                "POST",
                BACKENDS.to_owned(),
                json!({ "url": url }).to_string(),
            ),
            2 => ("DELETE", place.clone(), String::new()),
            3 => ("POST", format!("{place}/drain"), String::new()),
            4 => ("POST", format!("{place}/enable"), String::new()),
            5 => ("POST", format!("{place}/disable?wait=5s"), String::new()),
            6 => {
                site.reload(&mut random);
                continue;
            }
            _ => {
                let weight = random.below(4);
                (
                    "PATCH",
                    place.clone(),
                    json!({ "weight": weight }).to_string(),
                )
            }
        };
        let length = body.len();
        client.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        let answer = client.response_to(method).expect("an answer");
        let fine = [200, 201, 204, 404, 409].contains(&answer.status());
        assert!(fine, "{method} {target}: {answer:?}");
        if target.contains("disable") && answer.status() == 200 || answer.status() == 204 {
            // Idle, or gone: not one request more, but probes are no requests.
            let before = site.origins[at].counts().requests;
            let more = client_gets(&site.admin);
            assert_eq!(
                site.origins[at].counts().requests,
                before,
                "{more} requests later"
            );
        }
    }
}

/// A few requests over a connection of their own.
fn client_gets(admin: &Admin) -> usize {
    let mut client = admin.binary.client();
    (0..3)
        .map(|_| client.get("/").status())
        .filter(|status| *status == 200)
        .count()
}
