//! The admin interface as programs and people use it: every route, every guard, every change.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::binary::{Binary, run};
use crate::client::Client;
use crate::eventually;
use crate::message::Message;
use crate::origin::{Origin, Step, VacantPort, ok};
use crate::reload::Site;

/// A running program, and where its admin interface is.
pub(crate) struct Admin {
    pub(crate) binary: Binary,
    pub(crate) at: SocketAddr,
}

impl Admin {
    #[track_caller]
    pub(crate) fn start(arguments: &[String]) -> Self {
        let mut all = vec!["--admin".to_owned(), "127.0.0.1:0".to_owned()];
        all.extend_from_slice(arguments);
        Self::of(Binary::start(&all))
    }

    /// Of a program that was told to have one.
    #[track_caller]
    pub(crate) fn of(mut binary: Binary) -> Self {
        let line = binary.wait_for("admin interface on http://");
        let (_, at) = line.split_once("http://").expect("just found");
        let at = at.parse().expect("an address in the log");
        Self { binary, at }
    }

    /// Sends a request of its own connection, with a body if there is one.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Message {
        let mut client = Client::new(self.at);
        let media = match body {
            "" => "",
            _ => "Content-Type: application/json\r\n",
        };
        client.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{media}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        client.response_to(method).expect("an answer")
    }

    #[track_caller]
    pub(crate) fn document(&self, target: &str) -> Value {
        let answer = self.ask("GET", target, "");
        assert_eq!(answer.status(), 200, "{target}");
        serde_json::from_str(answer.text()).expect("JSON")
    }

    #[track_caller]
    fn status(&self, method: &str, target: &str, body: &str) -> u16 {
        let answer = self.ask(method, target, body);
        if answer.status() >= 400 {
            assert_eq!(answer.value("content-type"), "application/problem+json");
            let problem: Value = serde_json::from_str(answer.text()).expect("JSON");
            assert_eq!(problem["status"], answer.status());
            assert!(
                problem["detail"]
                    .as_str()
                    .is_some_and(|text| !text.is_empty())
            );
        }
        answer.status()
    }

    #[track_caller]
    pub(crate) fn backend(&self, id: &str) -> Value {
        self.document(&format!("{BACKENDS}/{id}"))
    }
}

pub(crate) const BACKENDS: &str = "/api/v1/pools/app/backends";

#[test]
fn every_route_answers_what_it_is_for() {
    let origin = Origin::saying("hello");
    let admin = Admin::start(&[origin.url()]);
    assert_eq!(admin.binary.client().get("/").text(), "hello");
    let status = admin.document("/api/v1/status");
    assert_eq!(status["requests"], 1);
    assert_eq!(status["ready"], true);
    let pools = admin.document("/api/v1/pools");
    assert_eq!(pools[0]["name"], "app");
    let one = &admin.document(BACKENDS)[0];
    assert_eq!(one, &pools[0]["backends"][0]);
    assert_eq!(
        (&one["id"], &one["url"]),
        (&json!("app-1"), &json!(origin.url()))
    );
    assert_eq!((&one["state"], &one["reason"]), (&json!("up"), &json!("")));
    assert_eq!((&one["requests"], &one["idle"]), (&json!(1), &json!(1)));
    assert_eq!(one["responses"]["2xx"], 1);
    // There was one: whatever its bucket holds, none took longer.
    assert!(one["latency_ms"]["max"].as_f64() > Some(0.0));
    for name in ["p50", "p99"] {
        assert_eq!(one["latency_ms"][name], one["latency_ms"]["max"]);
    }
    assert!(one["since"].is_string());
    let place = origin.url().replace("http://", "");
    assert_eq!(admin.backend(&place)["id"], "app-1");
    assert_eq!(admin.backend(&place.replace(':', "%3A"))["id"], "app-1");
    eventually("the client's leaving is noticed", || {
        admin.document("/api/v1/connections") == json!([])
    });
    let requests = admin.document("/api/v1/requests?limit=5");
    assert_eq!(requests.as_array().map(Vec::len), Some(1));
    assert_eq!(admin.document("/api/v1/events"), json!([]));
    for (target, status, media) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/healthz", 200, "text/plain; charset=utf-8"),
        ("/readyz", 200, "text/plain; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/api/v1/config", 200, "application/toml"),
        ("/api/v1/explain?method=GET", 200, "application/json"),
        ("/nowhere", 404, "application/problem+json"),
    ] {
        let answer = admin.ask("GET", target, "");
        assert_eq!(answer.status(), status, "{target}");
        assert_eq!(answer.value("content-type"), media);
        let head = admin.ask("HEAD", target, "");
        assert_eq!((head.status(), head.body.len()), (status, 0));
    }
    assert!(
        admin
            .ask("GET", "/api/v1/config", "")
            .text()
            .contains("[pool.")
    );
    // There is no file.
    assert_eq!(admin.status("POST", "/api/v1/reload", ""), 422);
    for (query, allowed) in [
        ("requests?pool=nope", "known here: app"),
        ("requests?backend=app", "app-1"),
        ("connections?backend=nope-1", "app-1"),
        ("requests?end=zz", "write two letters, like SC"),
        ("requests?end=HS", "write two letters, like SC"),
        ("requests?statsu=502", "did you mean \\\"status\\\"?"),
        (
            "connections?end=SC",
            "known here: limit, pool, backend, client",
        ),
    ] {
        let answer = admin.ask("GET", &format!("/api/v1/{query}"), "");
        assert_eq!(answer.status(), 400, "{query}");
        assert_eq!(answer.value("content-type"), "application/problem+json");
        assert!(answer.text().contains(allowed), "{}", answer.text());
    }
    assert_eq!(
        admin.status("GET", "/api/v1/requests?backend=app-1&pool=app", ""),
        200
    );
}

#[test]
fn backends_come_and_go() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[a.url()]);
    let unprobed = Admin::start(&["--probe=off".to_owned(), a.url()]);
    assert_eq!(unprobed.backend("app-1")["reason"], "not probed");
    let body = json!({"url": b.url(), "weight": 2, "max_conns": 9}).to_string();
    let added = admin.ask("POST", BACKENDS, &body);
    assert_eq!(added.status(), 201);
    assert_eq!(added.value("location"), format!("{BACKENDS}/app-2"));
    assert_eq!(admin.status("POST", BACKENDS, &body), 409);
    let config = admin.ask("GET", "/api/v1/config", "").text().to_owned();
    let written = format!("{{ url = \"{}\", weight = 2, max_conns = 9 }}", b.url());
    assert!(config.contains(&written), "{config}");
    let mut client = admin.binary.client();
    let mut said: Vec<String> = (0..6).map(|_| client.get("/").text().to_owned()).collect();
    said.sort();
    assert_eq!(said, ["a", "a", "b", "b", "b", "b"]);
    let one = format!("{BACKENDS}/app-1");
    assert_eq!(admin.status("PATCH", &one, r#"{"weight":0}"#), 200);
    assert!((0..4).all(|_| client.get("/").text() == "b"));
    assert_eq!(
        admin.status("PATCH", &one, r#"{"weight":1,"state":"drain"}"#),
        200
    );
    assert_eq!(admin.backend("app-1")["state"], "drain");
    assert_eq!(admin.backend("app-1")["idle"], 0, "kept connections went");
    assert!((0..4).all(|_| client.get("/").text() == "b"));
    assert_eq!(admin.status("POST", &format!("{one}/disable"), ""), 200);
    assert_eq!(admin.backend("app-1")["state"], "disabled");
    assert_eq!(admin.status("POST", &format!("{one}/enable"), ""), 200);
    assert_eq!(admin.backend("app-1")["state"], "up");
    assert_eq!(
        admin
            .ask("DELETE", &format!("{BACKENDS}/app-2"), "")
            .status(),
        204
    );
    assert_eq!(
        admin.status("DELETE", &format!("{BACKENDS}/app-2"), ""),
        404
    );
    assert!((0..4).all(|_| client.get("/").text() == "a"));
    let again = admin.ask("POST", BACKENDS, &body);
    assert_eq!(again.value("location"), format!("{BACKENDS}/app-3"));
}

#[test]
fn what_is_wrong_is_said() {
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    let one = format!("{BACKENDS}/app-1");
    for (method, target, body, status) in [
        ("POST", BACKENDS, "", 400),
        ("POST", BACKENDS, "{", 400),
        ("POST", BACKENDS, r#"{"uri":"http://a:1"}"#, 400),
        ("POST", BACKENDS, r#"{"url":"a b"}"#, 400),
        ("POST", BACKENDS, r#"{"url":"tcp://127.0.0.1:1"}"#, 422),
        (
            "POST",
            "/api/v1/pools/b/backends",
            r#"{"url":"http://a:1"}"#,
            404,
        ),
        ("PATCH", &one, "{}", 400),
        ("PATCH", &one, r#"{"weight":300}"#, 400),
        (
            "PATCH",
            &format!("{BACKENDS}/app-7"),
            r#"{"weight":3}"#,
            404,
        ),
        ("POST", &format!("{one}/drain?wait=1"), "", 400),
        ("DELETE", &format!("{one}?drian=1s"), "", 400),
        ("PUT", "/api/v1/log-level", r#"{"level":"no"}"#, 400),
        ("GET", "/api/v1/drain", "", 405),
        ("POST", "/metrics", "", 405),
        ("GET", "/api/v1/pools/app/backends/%zz", "", 400),
        ("GET", "/metrics?x=1", "", 400),
    ] {
        assert_eq!(
            admin.status(method, target, body),
            status,
            "{method} {target} {body}"
        );
    }
    assert_eq!(
        admin.ask("DELETE", "/api/v1/status", "").value("allow"),
        "GET"
    );
    assert_eq!(admin.backend("app-1")["weight"], 1);
}

#[test]
fn strangers_are_refused_before_they_are_read() {
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    for (fields, status) in [
        ("Host: rebound.example\r\n", 403),
        ("Host: localhost\r\nOrigin: http://evil.example\r\n", 403),
        ("Host: localhost\r\nOrigin: null\r\n", 403),
        ("Host: localhost\r\nOrigin: http://localhost\r\n", 200),
        ("Host: localhost\r\nContent-Length: 1000000000\r\n", 413),
        (
            "Host: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            400,
        ),
        ("", 400),
    ] {
        let mut client = Client::new(admin.at);
        client.send(format!("GET /api/v1/status HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(
            client.response().expect("an answer").status(),
            status,
            "{fields}"
        );
    }
    let mut client = Client::new(admin.at);
    for _ in 0..3 {
        client.send("GET /healthz HTTP/1.1\r\nHost: [::1]\r\n\r\n");
        assert_eq!(client.response().expect("an answer").text(), "ok\n");
    }
    let chunks = "2\r\n{\"\r\n13\r\nlevel\":\"debug\"     \r\n1\r\n}\r\n0\r\n\r\n";
    client.send(format!(
        "PUT /api/v1/log-level HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunks}"
    ));
    assert_eq!(client.response().expect("an answer").status(), 200);
    assert_eq!(admin.document("/api/v1/status")["log_level"], "debug");
}

#[test]
fn beyond_loopback_there_has_to_be_a_token() {
    let outcome = run(&["--admin", "0.0.0.0:0", "http://127.0.0.1:9001"]);
    assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
    let name = format!("tidegate-{}-token", std::process::id());
    let token = std::env::temp_dir().join(name);
    std::fs::write(&token, "  sesame\n").expect("a directory for temporary files");
    let file = token.with_extension("toml");
    let origin = Origin::saying("a");
    let text = format!(
        "[admin]\nlisten = \"0.0.0.0:0\"\ntoken_file = \"{}\"\n[[listener]]\n\
         listen = \"127.0.0.1:0\"\n[pool.app]\nbackends = [\"{}\"]\n",
        token.display(),
        origin.url()
    );
    std::fs::write(&file, text).expect("a directory for temporary files");
    let mut binary = Binary::start_with_file(file.to_str().expect("no odd names"));
    let line = binary.wait_for("admin interface on http://0.0.0.0:");
    let (_, port) = line.rsplit_once(':').expect("just found");
    let at = SocketAddr::from(([127, 0, 0, 1], port.parse().expect("a port")));
    for (field, status) in [
        ("", 401),
        ("Authorization: Bearer sesam\r\n", 401),
        ("Authorization: Bearer sesame\r\n", 200),
    ] {
        let mut client = Client::new(at);
        client.send(format!(
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n{field}\r\n"
        ));
        assert_eq!(
            client.response().expect("an answer").status(),
            status,
            "{field}"
        );
    }
    for path in [token, file] {
        let _ = std::fs::remove_file(path);
    }
}

#[test]
fn a_socket_in_the_file_system_is_for_its_owner() {
    let name = format!("tidegate-{}.sock", std::process::id());
    let path: PathBuf = std::env::temp_dir().join(name);
    let origin = Origin::saying("a");
    let admin = format!("unix:{}", path.display());
    let start = || {
        let mut binary = Binary::start(&["--admin".to_owned(), admin.clone(), origin.url()]);
        binary.wait_for("admin interface on unix:");
        binary
    };
    let mut first = start();
    let mode = std::fs::metadata(&path)
        .expect("a socket")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let ask = || {
        let mut stream = UnixStream::connect(&path).expect("somebody listens");
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).expect("an open stream");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    };
    assert!(ask().starts_with("HTTP/1.1 200 "));
    let outcome = run(&["-l", "127.0.0.1:0", "--admin", &admin, &origin.url()]);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("stop what listens there"), "{outcome:?}");
    assert!(ask().ends_with("ok\n"), "the first one still listens");
    first.signal("KILL");
    first.exit_code();
    assert!(path.exists(), "what a killed process leaves");
    let mut second = start();
    assert!(ask().ends_with("ok\n"));
    second.signal("TERM");
    assert_eq!(second.exit_code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn who_has_something_under_way_may_end_it() {
    let held = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let other = Origin::saying("other");
    let admin = Admin::start(&[held.url()]);
    let mut first = admin.binary.client();
    first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    held.wait_until(|counts| counts.requests == 1);
    let body = json!({ "url": other.url() }).to_string();
    assert_eq!(admin.ask("POST", BACKENDS, &body).status(), 201);
    let one = format!("{BACKENDS}/app-1");
    assert_eq!(
        admin
            .ask("POST", &format!("{one}/drain?wait=50ms"), "")
            .status(),
        202
    );
    let at = admin.at.to_string();
    let impatient = ["ctl", "--admin", &at, "drain", "app-1", "--wait", "50ms"];
    let outcome = run(&impatient);
    assert_eq!(outcome.status.code(), Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("1 still under way after 50ms"),
        "{outcome:?}"
    );
    let mut waiting = Client::new(admin.at);
    waiting.send(format!(
        "DELETE {one}?drain=30s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ));
    eventually("it leaves", || {
        admin.backend("app-1")["reason"] == "being removed"
    });
    assert_eq!(admin.status("PATCH", &one, r#"{"state":"enable"}"#), 409);
    assert!((0..4).all(|_| admin.binary.client().get("/").text() == "other"));
    held.release();
    assert_eq!(first.response().expect("the answer").text(), "late");
    assert_eq!(
        waiting.response_to("DELETE").expect("an answer").status(),
        204
    );
    assert_eq!(held.counts().requests, 1);
}

#[test]
fn it_is_ready_while_somebody_may_get_something() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[a.url(), b.url()]);
    let change = |id: &str, body: &str| {
        let target = format!("{BACKENDS}/{id}");
        assert_eq!(admin.status("PATCH", &target, body), 200, "{body}");
    };
    let usual = r#"{"state":"enable","weight":1}"#;
    for out in [
        r#"{"weight":0}"#,
        r#"{"state":"drain"}"#,
        r#"{"state":"disable"}"#,
    ] {
        change("app-1", out);
        assert_eq!(admin.ask("GET", "/readyz", "").text(), "ready\n");
        change("app-2", out);
        let ready = admin.ask("GET", "/readyz", "");
        assert_eq!((ready.status(), ready.text()), (503, "no backends\n"));
        assert_eq!(admin.document("/api/v1/status")["unready"], "no backends");
        assert_eq!(admin.binary.client().get("/").status(), 503);
        change("app-1", usual);
        change("app-2", usual);
        assert_eq!(admin.ask("GET", "/readyz", "").status(), 200);
    }
}

#[test]
fn a_backend_of_a_tcp_pool_needs_no_scheme() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[format!("tcp://{}", a.address())]);
    let body = json!({ "url": b.address().to_string() }).to_string();
    let added = admin.ask("POST", BACKENDS, &body);
    assert_eq!(added.status(), 201);
    let added: Value = serde_json::from_str(added.text()).expect("JSON");
    assert_eq!(added["url"], format!("tcp://{}", b.address()));
    let said: Vec<String> = (0..2)
        .map(|_| admin.binary.client().get("/").text().to_owned())
        .collect();
    assert!(said.contains(&"b".to_owned()), "{said:?}");
}

#[test]
fn who_takes_too_long_is_cut() {
    let held = Origin::new(|_, _| vec![Step::Hold, ok("never")]);
    let admin = Admin::start(&[held.url()]);
    let mut client = admin.binary.client();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    held.wait_until(|counts| counts.requests == 1);
    let one = format!("{BACKENDS}/app-1?drain=0s");
    assert_eq!(admin.ask("DELETE", &one, "").status(), 204);
    assert_eq!(client.response().expect("an answer").status(), 502);
    assert_eq!(admin.ask("GET", "/readyz", "").text(), "no backends\n");
    assert_eq!(admin.document(BACKENDS), json!([]));
}

#[test]
fn out_of_service_it_serves_and_says_so() {
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    let mut idle = admin.binary.client();
    idle.get("/");
    assert_eq!(admin.ask("POST", "/api/v1/drain", "").status(), 200);
    let ready = admin.ask("GET", "/readyz", "");
    assert_eq!((ready.status(), ready.text()), (503, "draining\n"));
    idle.assert_closed();
    let mut client = admin.binary.client();
    let answer = client.get("/");
    assert_eq!((answer.text(), answer.value("connection")), ("a", "close"));
    assert_eq!(admin.ask("DELETE", "/api/v1/drain", "").status(), 200);
    assert_eq!(admin.ask("GET", "/readyz", "").text(), "ready\n");
    let mut client = admin.binary.client();
    client.get("/");
    assert_eq!(client.get("/").text(), "a");
}

#[test]
fn events_tell_of_everything_and_of_changes() {
    let origin = Origin::saying("a");
    let vacant = VacantPort::new();
    let admin = Admin::start(&[origin.url()]);
    let mut client = Client::new(admin.at);
    client.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut seen = String::new();
    let mut read_until = |text: &str| {
        while !seen.contains(text) {
            seen.push(char::from(client.bytes(1)[0]));
        }
    };
    read_until("text/event-stream");
    read_until("event: history\ndata: []\n\n");
    read_until("\"latency_bounds_ms\":[0.5,");
    read_until("\"id\":\"app-1\"");
    let body = json!({ "url": vacant.url() }).to_string();
    assert_eq!(admin.ask("POST", BACKENDS, &body).status(), 201);
    read_until("event: state\ndata: {\"id\":\"app-2\"");
    read_until("\"state\":\"down\"");
    // Whoever comes later is told as well.
    let mut late = Client::new(admin.at);
    late.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut told = String::new();
    while !told.contains("\n\n") {
        told.push(char::from(late.bytes(1)[0]));
    }
    let (_, history) = told.split_once("data: ").expect("an event");
    let history: Value = serde_json::from_str(history.trim()).expect("JSON");
    assert_eq!(
        (&history[0]["id"], &history[0]["state"]),
        (&json!("app-2"), &json!("down"))
    );
    let reason = history[0]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("L4CON"), "{reason}");
}

#[test]
fn people_talk_to_it_by_ctl() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[a.url()]);
    let at = admin.at.to_string();
    let ctl = |words: &[&str]| {
        let mut all = vec!["ctl", "--admin", &at];
        all.extend_from_slice(words);
        run(&all)
    };
    let shown = ctl(&["status"]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    assert!(
        shown.stdout.contains("app-1") && shown.stdout.contains("up"),
        "{shown:?}"
    );
    let url = b.url();
    for (words, code) in [
        (vec!["add", &url], 0),
        (vec!["add", &url], 1),
        (vec!["weight", "app-2", "3"], 0),
        (vec!["weight", "app", "app-2", "999"], 1),
        (vec!["drain", "app-2"], 0),
        (vec!["enable", "app-2"], 0),
        (vec!["disable", "--wait", "1s", "app-2"], 0),
        (vec!["remove", "app-2"], 0),
        (vec!["remove", "app-2"], 1),
        (vec!["reload"], 1),
        (vec!["explode"], 2),
        (vec![], 2),
    ] {
        let outcome = ctl(&words);
        assert_eq!(outcome.status.code(), Some(code), "{words:?} {outcome:?}");
    }
    let vacant = VacantPort::new().address().to_string();
    assert_eq!(
        run(&["ctl", "--admin", &vacant, "status"]).status.code(),
        Some(1)
    );
    let origin = a.url().replace("http://", "");
    let wrong = run(&["ctl", "--admin", &origin, "status"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("no admin interface"), "{wrong:?}");
}

#[test]
fn ctl_finds_the_pool_of_a_backend_by_its_id_and_its_address() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let [at_a, at_b] = [&a, &b].map(|origin| origin.url().replace("http://", ""));
    let text = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n\
         [[listener]]\nlisten = \"127.0.0.1:0\"\npool = \"a\"\n\
         [pool.a]\nbackends = [\"{at_a}\"]\n[pool.b]\nbackends = [\"{at_b}\", \"{at_a}\"]\n",
    );
    let site = Site::start("homes", &text);
    let at = site.admin.at.to_string();
    let drain = |backend: &str| run(&["ctl", "--admin", &at, "drain", backend]);
    let by_address = drain(&at_b);
    assert_eq!(by_address.status.code(), Some(0), "{by_address:?}");
    assert!(by_address.stdout.contains("b-1"), "{by_address:?}");
    assert_eq!(drain("a-1").status.code(), Some(0));
    let absent = drain("a-7");
    assert_eq!(absent.status.code(), Some(1), "{absent:?}");
    assert!(absent.stderr.contains("has a backend a-7"), "{absent:?}");
    let either = drain(&at_a);
    assert_eq!(either.status.code(), Some(2), "{either:?}");
    assert!(either.stderr.contains("write one of a, b"), "{either:?}");
}
