//! The admin interface while traffic runs: slow or greedy admin clients that harm nobody. And its
//! metrics, by a parser that takes nothing on trust. Changes under load are in `churn`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::TcpStream;

use crate::admin::{Admin, BACKENDS};
use crate::client::Client;
use crate::origin::{Origin, Step, ok};

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
