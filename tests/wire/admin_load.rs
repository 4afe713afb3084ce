//! The admin interface while traffic runs: changes that no client notices, and slow or greedy
//! admin clients that harm nobody. And its metrics, by a parser that takes nothing on trust.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use tidegate::base::random::Random;

use crate::admin::{Admin, BACKENDS};
use crate::client::Client;
use crate::origin::{Origin, Step, ok};

/// A number from the environment, for runs that take longer.
fn wanted(name: &str, usual: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(usual, |text| text.parse().expect("a number"))
}

/// `TIDEGATE_OPERATIONS=10000 TIDEGATE_REQUESTS=1000000 cargo test --release --test wire \
/// changes_under_load -- --nocapture` is the long way.
#[test]
fn changes_under_load_are_noticed_by_nobody() {
    let (operations, requests) = (
        wanted("TIDEGATE_OPERATIONS", 150),
        wanted("TIDEGATE_REQUESTS", 1_000),
    );
    let origins: Vec<Origin> = ["a", "b", "c", "d"].map(Origin::saying).into();
    let admin = Admin::start(&[origins[0].url(), origins[1].url()]);
    let (over, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..4_u64 {
            let (at, over, answered) = (admin.binary.address(), &over, &answered);
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
        operate(&admin, &origins, operations, &|| {
            answered.load(Ordering::Relaxed) >= requests
        });
        over.store(true, Ordering::Relaxed);
    });
    let total = answered.load(Ordering::Relaxed);
    println!("{operations} operations or more, {total} requests, no error");
    assert!(total >= requests);
    let status = admin.document("/api/v1/status");
    assert!(status["requests"].as_u64() >= Some(total));
    assert_eq!(
        status["bytes"]["client_in"].as_u64().map(|count| count > 0),
        Some(true)
    );
}

/// Changes this and that, and keeps the first origin in place; at least so often, and until
/// `enough`.
fn operate(admin: &Admin, origins: &[Origin], least: u64, enough: &dyn Fn() -> bool) {
    let mut random = Random::new(9);
    let mut client = Client::new(admin.at);
    let mut done = 0;
    while done < least || !enough() {
        let at = usize::try_from(1 + random.below(3)).expect("small");
        let url = origins[at].url();
        let place = format!("{BACKENDS}/{}", url.replace("http://", ""));
        let (method, target, body) = match random.below(7) {
            0 | 1 => (
                "POST",
                BACKENDS.to_owned(),
                json!({ "url": url }).to_string(),
            ),
            2 => ("DELETE", place.clone(), String::new()),
            3 => ("POST", format!("{place}/drain"), String::new()),
            4 => ("POST", format!("{place}/enable"), String::new()),
            5 => ("POST", format!("{place}/disable?wait=5s"), String::new()),
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
        done += 1;
        if target.contains("disable") && answer.status() == 200 || answer.status() == 204 {
            // Idle, or gone: not one request more, but probes are no requests.
            let before = origins[at].counts().requests;
            let more = client_gets(admin);
            assert_eq!(
                origins[at].counts().requests,
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

#[test]
fn a_thousand_slow_admin_clients_harm_nobody() {
    tidegate::os::raise_descriptor_limit().expect("a limit");
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    let mut client = admin.binary.client();
    let before = admin.binary.process().memory();
    let mut crowd = Vec::new();
    for _ in 0..1_000 {
        let mut one = Client::new(admin.at);
        one.try_send(b"GET /metrics HTTP/1.1\r\nHost: loc");
        crowd.push(one);
        assert_eq!(client.get("/").text(), "a");
    }
    // Whoever has something to say gets the place of one that has been silent for long.
    assert_eq!(admin.ask("GET", "/healthz", "").text(), "ok\n");
    assert_eq!(client.get("/").text(), "a");
    assert!(admin.binary.process().descriptors() < 120);
    assert!(admin.binary.process().memory() < before + 20 * 1024);
    drop(crowd);
}

#[test]
fn whoever_leaves_while_waiting_is_not_waited_for() {
    let held = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let admin = Admin::start(&["--probe".to_owned(), "off".to_owned(), held.url()]);
    let mut client = admin.binary.client();
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    held.wait_until(|counts| counts.requests == 1);
    let target = format!("{BACKENDS}/app-1/drain?wait=1h");
    let wait = |_| {
        let mut one = Client::new(admin.at);
        one.send(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        one
    };
    let open = || admin.binary.process().descriptors();
    let before = open();
    let crowd: Vec<Client> = (0..32).map(wait).collect();
    crate::eventually("they wait", || open() == before + crowd.len());
    drop(crowd);
    crate::eventually("nobody is waited for", || open() == before);
    held.release();
    assert_eq!(client.response().expect("the answer").text(), "late");
}

#[test]
fn a_body_without_an_end_is_refused_early() {
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    let before = admin.binary.process().memory();
    let fields = "Host: localhost\r\nContent-Type: application/json\r\n";
    let mut announced = Client::new(admin.at);
    announced.send(format!(
        "POST {BACKENDS} HTTP/1.1\r\n{fields}Content-Length: 1073741824\r\n\r\n"
    ));
    assert_eq!(
        announced.response_to("POST").expect("an answer").status(),
        413
    );
    let mut chunked = TcpStream::connect(admin.at).expect("it listens");
    chunked
        .set_write_timeout(Some(crate::PATIENCE))
        .expect("a limit");
    let head = format!("POST {BACKENDS} HTTP/1.1\r\n{fields}Transfer-Encoding: chunked\r\n\r\n");
    chunked
        .write_all(head.as_bytes())
        .expect("an open connection");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
    // A gigabyte, if anybody took it.
    let taken = (0..0x4000).take_while(|_| chunked.write_all(chunk.as_bytes()).is_ok());
    let taken = taken.count();
    assert!(taken < 0x400, "{taken} chunks of 64 KiB were taken");
    assert!(admin.binary.process().memory() < before + 20 * 1024);
    assert_eq!(admin.binary.client().get("/").text(), "a");
}

#[test]
fn metrics_are_what_a_strict_reader_expects() {
    let origin = Origin::saying("hello");
    let admin = Admin::start(&[origin.url()]);
    let mut client = admin.binary.client();
    for _ in 0..5 {
        client.get("/");
    }
    client.post("/", "12345");
    client.send("GET / HTTP/9.9\r\n\r\n");
    assert_eq!(client.response().expect("a refusal").status(), 505);
    let page = admin.ask("GET", "/metrics", "");
    let samples = strictly(page.text());
    let value = |name: &str, labels: &str| -> f64 {
        let key = (name.to_owned(), labels.to_owned());
        *samples
            .get(&key)
            .unwrap_or_else(|| panic!("no {name}{{{labels}}}"))
    };
    let of = "listener=\"web\",pool=\"app\"";
    let requests = "tidegate_requests_total";
    assert_eq!(
        value(requests, &format!("{of},method=\"GET\",code=\"200\"")),
        5.0
    );
    assert_eq!(
        value(requests, &format!("{of},method=\"POST\",code=\"200\"")),
        1.0
    );
    assert_eq!(
        value(requests, &format!("{of},method=\"OTHER\",code=\"505\"")),
        1.0
    );
    let ended = "tidegate_requests_ended_total";
    assert_eq!(value(ended, "pool=\"app\",end=\"ok\""), 6.0);
    assert_eq!(value(ended, "pool=\"app\",end=\"bad_request\""), 1.0);
    let duration = "tidegate_request_duration_seconds";
    assert_eq!(value(&format!("{duration}_count"), of), 7.0);
    let one = "pool=\"app\",backend=\"app-1\"";
    assert_eq!(value("tidegate_backend_up", one), 1.0);
    assert_eq!(value("tidegate_backend_duration_seconds_count", one), 6.0);
    let classes = "tidegate_backend_requests_total";
    assert_eq!(value(classes, &format!("{one},code_class=\"2xx\"")), 6.0);
    assert_eq!(value("tidegate_backend_reuses_total", one), 5.0);
    assert_eq!(value("tidegate_connections_total", "listener=\"web\""), 1.0);
    assert!(value("process_resident_memory_bytes", "") > 1e6);
    let turns = value("tidegate_loop_lag_seconds_count", "");
    let longest = value("tidegate_loop_longest_turn_seconds", "");
    let together = value("tidegate_loop_lag_seconds_sum", "");
    assert!(turns >= 7.0 && longest > 0.0, "{turns} turns, {longest} s");
    assert!(longest <= together && together <= turns * longest);
    let status = admin.document("/api/v1/status");
    assert!(status["turns"]["count"].as_f64() > Some(turns));
    let in_status = status["turns"]["longest_ms"].as_f64().expect("a number");
    assert!(
        in_status >= (longest * 1e6).floor() / 1e3,
        "{in_status} {longest}"
    );
}

type Samples = BTreeMap<(String, String), f64>;

/// Reads the text format: every family once, with its type before its samples, every sample once
/// and of a known family, histograms that only grow.
fn strictly(text: &str) -> Samples {
    let mut kinds: BTreeMap<String, String> = BTreeMap::new();
    let (mut seen, mut current) = (BTreeSet::new(), String::new());
    let mut samples = Samples::new();
    let mut bucket: Option<(String, f64)> = None;
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a meaning");
            assert!(seen.insert(name.to_owned()) && !help.is_empty(), "{line}");
            name.clone_into(&mut current);
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(["counter", "gauge", "histogram", "summary"].contains(&kind));
            assert_eq!(name, current);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            kinds.insert(name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}').expect("a brace")),
            None => (series, ""),
        };
        let suffix = name.strip_prefix(current.as_str()).expect("the family");
        match kinds[&current].as_str() {
            "histogram" => assert!(["_bucket", "_sum", "_count"].contains(&suffix), "{line}"),
            "summary" => assert!(["_sum", "_count"].contains(&suffix), "{line}"),
            _ => assert_eq!(suffix, "", "{line}"),
        }
        if suffix == "_bucket" {
            let (rest, _) = labels.split_once("le=").expect("a bound");
            if let Some((before, count)) = bucket.filter(|(before, _)| before == rest) {
                assert!(value >= count, "{line} after {before} {count}");
            }
            bucket = (!labels.contains("+Inf")).then(|| (rest.to_owned(), value));
        }
        let key = (name.to_owned(), labels.to_owned());
        assert_eq!(samples.insert(key, value), None, "{line} twice");
    }
    samples
}
