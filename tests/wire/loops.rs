//! The admin interface of a program with several event loops: it counts what all of them do, and
//! waits for all of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::admin::{Admin, BACKENDS};
use crate::client::Client;
use crate::eventually;
use crate::message::Message;
use crate::origin::{Origin, Step, ok};

/// So many clients that every loop has some of them, but for one case in 2^60.
const CROWD: usize = 64;

fn start(origins: &[Origin]) -> Admin {
    let words = ["--workers", "2", "--probe", "off"];
    let mut arguments: Vec<String> = words.map(str::to_owned).into();
    arguments.extend(origins.iter().map(Origin::url));
    Admin::start(&arguments)
}

/// The value of the only line of metrics that begins like that.
#[track_caller]
fn metric(page: &str, start: &str) -> u64 {
    let mut lines = page.lines().filter(|line| line.starts_with(start));
    let line = lines.next().unwrap_or_else(|| panic!("no {start}"));
    assert_eq!(lines.next(), None, "{start}");
    let (_, value) = line.rsplit_once(' ').expect("a value");
    value.parse().expect("a whole number")
}

fn page(admin: &Admin) -> String {
    admin.ask("GET", "/metrics", "").text().to_owned()
}

/// What the interface at that address answers; not before it was released.
fn answer_after(released: &AtomicBool, at: SocketAddr, request: &str) -> Message {
    let mut client = Client::new(at);
    client.send(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let answer = client.response().expect("an answer");
    assert!(released.load(Ordering::SeqCst), "it was not idle");
    answer
}

/// Clients whose requests are held by their server.
fn held(admin: &Admin, origin: &Origin) -> Vec<Client> {
    let clients = (0..CROWD).map(|_| {
        let mut client = admin.binary.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    });
    let clients = clients.collect();
    origin.wait_until(|counts| counts.requests == CROWD);
    clients
}

#[test]
fn every_request_of_every_loop_is_counted_once() {
    let origins = ["a", "b"].map(Origin::saying);
    let admin = start(&origins);
    let mut clients: Vec<Client> = (0..100).map(|_| admin.binary.client()).collect();
    let mut before = 0;
    for _ in 0..10 {
        for client in &mut clients {
            assert_eq!(client.get("/").status(), 200);
        }
        let count = metric(&page(&admin), "tidegate_requests_total{");
        assert_eq!(count, before + 100);
        before = count;
    }
    let page = page(&admin);
    assert_eq!(before, 1_000);
    assert!(page.contains("method=\"GET\",code=\"200\"} 1000\n"));
    let answers = |id: &str| {
        let labels = format!("{{pool=\"app\",backend=\"{id}\",code_class=\"2xx\"}}");
        metric(&page, &format!("tidegate_backend_requests_total{labels}"))
    };
    let counts = origins.each_ref().map(|origin| origin.counts().requests);
    let [a, b] = counts.map(|count| count as u64);
    assert_eq!((answers("app-1"), answers("app-2")), (a, b));
    assert_eq!(a + b, 1_000);
    assert_eq!(metric(&page, "tidegate_connections{"), 100);
    assert_eq!(metric(&page, "tidegate_connections_total{"), 100);
    let lasted = "tidegate_request_duration_seconds_count{";
    assert_eq!(metric(&page, lasted), 1_000);
    let ended = "tidegate_requests_ended_total{pool=\"app\",end=\"ok\"}";
    assert_eq!(metric(&page, ended), 1_000);
    let status = admin.document("/api/v1/status");
    assert_eq!(status["requests"], 1_000);
    assert_eq!(status["connections"], 100);
    let one = admin.backend("app-1");
    assert_eq!(one["requests"], a);
    let pools = admin.document("/api/v1/pools");
    assert_eq!(pools[0]["backends"][0]["requests"], a);
    assert!(!admin.binary.has_said("counts what the first"));
}

#[test]
fn connections_and_requests_of_all_loops_are_listed() {
    let origins = [Origin::saying("a")];
    let admin = start(&origins);
    let mut clients: Vec<Client> = (0..CROWD).map(|_| admin.binary.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    let list = admin.document("/api/v1/connections");
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), CROWD);
    let mut numbers: Vec<u64> = list.iter().filter_map(|one| one["id"].as_u64()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), CROWD);
    let few = admin.document("/api/v1/connections?limit=50");
    assert_eq!(few.as_array().map(Vec::len), Some(50));
    let list = admin.document("/api/v1/requests?limit=1000");
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), CROWD);
    let times: Vec<&str> = list.iter().filter_map(|one| one["ts"].as_str()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let last = admin.document("/api/v1/requests?limit=1");
    assert_eq!(last[0], list[0]);
    drop(clients);
    eventually("all are gone", || {
        admin.document("/api/v1/connections") == Value::Array(Vec::new())
    });
}

#[test]
fn a_drain_is_over_when_the_last_loop_has_ended_what_it_had() {
    let origins = [Origin::new(|_, _| vec![Step::Hold, ok("late")])];
    let admin = start(&origins);
    let mut clients = held(&admin, &origins[0]);
    assert_eq!(admin.backend("app-1")["in_flight"], CROWD as u64);
    // Patience is short where it is in vain.
    let drain = format!("{BACKENDS}/app-1/drain?wait=1ms");
    assert_eq!(admin.ask("POST", &drain, "").status(), 202);
    let released = AtomicBool::new(false);
    let (drain, at) = (format!("POST {BACKENDS}/app-1/drain?wait=1h"), admin.at);
    thread::scope(|scope| {
        let waits = scope.spawn(|| answer_after(&released, at, &drain));
        // Somebody else sees that it is not over, whichever of both comes first.
        assert_eq!(admin.backend("app-1")["in_flight"], CROWD as u64);
        released.store(true, Ordering::SeqCst);
        origins[0].release();
        let answer = waits.join().expect("an answer");
        assert_eq!(answer.status(), 200);
        let one: Value = serde_json::from_str(answer.text()).expect("JSON");
        assert_eq!(
            (&one["in_flight"], &one["state"]),
            (&0.into(), &"drain".into())
        );
    });
    for client in &mut clients {
        assert_eq!(client.response().expect("an answer").text(), "late");
    }
}

#[test]
fn a_removal_takes_no_longer_than_what_is_under_way() {
    let origins = [
        Origin::new(|_, _| vec![Step::Hold, ok("late")]),
        Origin::saying("b"),
    ];
    let admin = start(&origins);
    // One that is idle goes at once, whatever it was given.
    let body = serde_json::json!({ "url": "http://127.0.0.1:9" }).to_string();
    assert_eq!(admin.ask("POST", BACKENDS, &body).status(), 201);
    let idle = format!("{BACKENDS}/app-3?drain=1h");
    assert_eq!(admin.ask("DELETE", &idle, "").status(), 204);
    let other = format!("{BACKENDS}/app-2/disable");
    assert_eq!(admin.ask("POST", &other, "").status(), 200);
    let mut clients = held(&admin, &origins[0]);
    let released = AtomicBool::new(false);
    let (removal, at) = (format!("DELETE {BACKENDS}/app-1?drain=1h"), admin.at);
    thread::scope(|scope| {
        let waits = scope.spawn(|| answer_after(&released, at, &removal));
        eventually("it is being removed", || {
            admin.backend("app-1")["reason"] == "being removed"
        });
        released.store(true, Ordering::SeqCst);
        origins[0].release();
        assert_eq!(waits.join().expect("an answer").status(), 204);
    });
    for client in &mut clients {
        assert_eq!(client.response().expect("an answer").text(), "late");
    }
    let page = page(&admin);
    let ended = "tidegate_requests_ended_total{pool=\"app\",end=\"ok\"}";
    assert_eq!(metric(&page, ended), CROWD as u64);
}

#[test]
fn the_interface_stays_until_the_last_loop_has_drained() {
    // Over a few programs the held request is on the first loop in some and on the other in some.
    for _ in 0..6 {
        let origins = [Origin::new(|_, _| vec![Step::Hold, ok("late")])];
        let mut admin = start(&origins);
        let mut client = admin.binary.client();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        origins[0].wait_until(|counts| counts.requests == 1);
        admin.binary.signal("TERM");
        for _ in 0..2 {
            admin.binary.wait_for("draining: ");
        }
        let ready = admin.ask("GET", "/readyz", "");
        assert_eq!((ready.status(), ready.text()), (503, "draining\n"));
        assert_eq!(admin.backend("app-1")["in_flight"], 1);
        origins[0].release();
        assert_eq!(client.response().expect("an answer").text(), "late");
        drop(client);
        assert_eq!(admin.binary.exit_code(), Some(0));
    }
}

#[test]
fn events_count_what_all_loops_do() {
    let origins = [Origin::saying("a")];
    let admin = start(&origins);
    let mut clients: Vec<Client> = (0..CROWD).map(|_| admin.binary.client()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").status(), 200);
    }
    let mut watcher = Client::new(admin.at);
    watcher.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    read_until(&mut watcher, &format!("\"requests\":{CROWD},"));
}

fn read_until(watcher: &mut Client, wanted: &str) {
    let mut seen = String::new();
    while !seen.ends_with(wanted) {
        seen.push(char::from(watcher.bytes(1)[0]));
    }
}

/// What the interface remembers, the newest first.
fn remembered(admin: &Admin) -> Vec<String> {
    let list = admin.document("/api/v1/events");
    let list = list.as_array().expect("a list").iter();
    let texts = list.filter_map(|one| one["text"].as_str());
    texts.map(str::to_owned).collect()
}

#[test]
fn what_any_loop_finds_out_is_said_and_remembered_once() {
    // The loop that takes the client finds out: over a few programs that is each of them.
    for _ in 0..8 {
        let mut origins = [Origin::saying("a"), Origin::saying("b")];
        let mut arguments = ["--workers", "2", "--fall", "1", "--interval", "1h"]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(origins.iter().map(Origin::url));
        let mut admin = Admin::start(&arguments);
        eventually("both were probed", || {
            ["app-1", "app-2"].map(|id| admin.backend(id)["probe"]["ok"] == 1) == [true; 2]
        });
        let mut watcher = Client::new(admin.at);
        watcher.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        read_until(&mut watcher, "\"id\":\"app-1\"");
        origins[0].stop();
        let mut client = admin.binary.client();
        for _ in 0..2 {
            assert_eq!(client.get("/").text(), "b");
        }
        let said = admin.binary.wait_for("is down");
        assert!(said.contains("L4CON"), "{said}");
        let all = remembered(&admin);
        let known = all.iter().filter(|text| text.contains("is down: L4CON"));
        assert_eq!(known.count(), 1, "{all:?}");
        read_until(&mut watcher, "event: state\ndata: {\"id\":\"app-1\"");
    }
}

#[test]
fn what_is_about_one_loop_is_remembered_for_each() {
    let origins = [Origin::new(|_, _| vec![Step::Hold, ok("late")])];
    let mut admin = start(&origins);
    let clients = held(&admin, &origins[0]);
    admin.binary.signal("TERM");
    for _ in 0..2 {
        admin.binary.wait_for("draining: ");
    }
    let counted = || {
        let texts = remembered(&admin).into_iter();
        let counts = texts.filter_map(|text| {
            let (count, _) = text.strip_prefix("draining: ")?.split_once(' ')?;
            count.parse::<usize>().ok()
        });
        counts.collect::<Vec<usize>>()
    };
    eventually("both loops are heard", || counted().len() == 2);
    assert_eq!(counted().iter().sum::<usize>(), clients.len());
    // Asked and answered: what an operator does is done by all loops and remembered once.
    let whom = format!("{BACKENDS}/app-1/disable");
    assert_eq!(admin.ask("POST", &whom, "").status(), 200);
    let texts = remembered(&admin);
    let changes = texts.iter().filter(|text| text.contains(": disable;"));
    assert_eq!(changes.count(), 1, "{texts:?}");
}
