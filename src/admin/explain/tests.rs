//! What the document says, by a configuration and by a report of a running balancer.

use super::*;
use crate::admin::report::fixture;
use crate::config::file;

fn config(text: &str) -> Config {
    file::read(text, &|_| None).unwrap()
}

fn two() -> Config {
    config(
        "[[listener]]\nname = \"web\"\npool = \"app\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
         [[listener]]\nname = \"db\"\nlisten = \"127.0.0.1:5432\"\nmode = \"tcp\"\npool = \"db\"\n\
         [pool.app]\nbackends = [\"a:1\", { url = \"https://b\", weight = 3 }]\n\
         [pool.db]\nbackends = [\"tcp://c:1\"]\n",
    )
}

fn ask(method: &str, url: &str, config: &Config) -> Value {
    explain(&Question::of(method, url).unwrap(), config, None)
}

fn field<'d>(document: &'d Value, name: &str) -> (&'d str, &'d str) {
    let all = document["fields"].as_array().unwrap();
    let found = all.iter().find(|field| field["name"] == name).unwrap();
    let text = |key: &str| found[key].as_str().unwrap();
    (text("change"), text("value"))
}

/// What a command line cannot say is assumed, and said to be.
#[test]
fn limits_that_are_not_the_usual_ones_are_named() {
    let text = "[[listener]]\npool = \"app\"\nlimits = { headers = 3, body = \"2KiB\", \
                request_head = \"1KiB\" }\n[pool.app]\nbackends = [\"a:1\"]\n";
    let config = config(text);
    let said = |document: &Value| document["notes"].to_string();
    let note = "judged as a head of 1 field and 27 bytes without a body; this listener takes 3 \
                fields and 1024 bytes (431), and a body of 2048 bytes (413)";
    let document = ask("GET", "a", &config);
    assert!(said(&document).contains(note), "{}", said(&document));
    let long = format!("a/{}", "x".repeat(1024));
    assert_eq!(ask("GET", &long, &config)["answer"]["status"], 414);
    assert!(!said(&ask("GET", "a", &two())).contains("judged"));
}

#[test]
fn the_port_finds_the_listener_and_else_it_is_the_first() {
    let config = two();
    for (url, name, why) in [
        ("http://x:5432/", "db", "it is on port 5432"),
        ("x:8000", "web", "it is on port 8000"),
        (
            "http://x/",
            "web",
            "it is the first, and none is on port 80",
        ),
        (
            "https://[::1]/",
            "web",
            "it is the first, and none is on port 443",
        ),
    ] {
        let document = ask("GET", url, &config);
        let all = document["listeners"].as_array().unwrap();
        let taker = all.iter().find(|one| one["takes"] == true).unwrap();
        assert_eq!((&taker["name"], &taker["why"]), (&json!(name), &json!(why)));
        let other = all.iter().find(|one| one["takes"] == false).unwrap();
        let port = if name == "web" { 5432 } else { 8000 };
        assert_eq!(other["why"], format!("it is on port {port}"), "{url}");
        assert_eq!(document["forwarded"], true);
    }
}

#[test]
fn what_the_balancer_would_answer_itself() {
    let usual = two();
    let small =
        config("[[listener]]\nlimits = { request_head = \"1KiB\" }\n[pool.a]\nbackends=[\"a:1\"]");
    let idle = config("[pool.a]\nbackends = [{ url = \"a:1\", weight = 0 }]");
    let long = format!("x/{}", "a".repeat(1_024));
    let longer = format!("x/{}", "a".repeat(9_000));
    for (method, url, config, status, code) in [
        ("G<T", "x:8000/", &usual, 400, "method_invalid"),
        ("CONNECT", "x:8000/", &usual, 405, "connect_refused"),
        ("GET", "a{b/", &usual, 400, "host_invalid"),
        ("GET", "x/é", &usual, 400, "bad_target"),
        ("GET", "x/a b", &usual, 400, "request_line_invalid"),
        ("GET", &long, &small, 414, "line_too_long"),
        ("GET", &longer, &usual, 414, "line_too_long"),
        ("GET", "x/", &idle, 503, "no_backend"),
    ] {
        let answer = &ask(method, url, config)["answer"];
        let got = (&answer["status"], &answer["code"]);
        assert_eq!(got, (&json!(status), &json!(code)), "{method} {url}");
    }
    // In tcp mode nobody looks.
    assert_eq!(ask("G<T", "x:5432/", &usual)["forwarded"], true);
}

#[test]
fn what_no_client_could_send_is_no_question() {
    for (method, url) in [
        ("", "http://a/"),
        ("GET", ""),
        ("GET", "http:///a"),
        ("GET", "ftp://a/"),
        ("GET", "a:99999/"),
        ("GET", "a/\r\nX: y"),
        ("G\nT", "a/"),
    ] {
        assert!(Question::of(method, url).is_err(), "{method:?} {url:?}");
    }
    let question = Question::of("GET", "HTTPS://a?b#c").unwrap();
    assert_eq!((question.path.as_str(), question.port()), ("/?b", 443));
}

#[test]
fn fields_depend_on_who_asks_and_on_who_is_asked() {
    let config = two();
    let stranger = ask("GET", "x:8000/", &config);
    assert_eq!(stranger["next"], "app-2", "the heaviest begins");
    assert_eq!(field(&stranger, "Host"), ("replaced", "b"));
    assert_eq!(
        field(&stranger, "X-Forwarded-For"),
        ("replaced", "127.0.0.1")
    );
    assert_eq!(field(&stranger, "Forwarded").0, "removed");
    assert_eq!(field(&stranger, "X-Real-IP").0, "removed");
    assert_eq!(field(&stranger, "TE").0, "removed");
    assert_eq!(field(&stranger, "Via"), ("added", "1.1 tidegate"));
    assert_eq!(
        field(&stranger, "x-request-id"),
        (
            "replaced",
            "32 hexadecimal digits, others for every request"
        )
    );
    let question = Question {
        client: "10.0.0.7".parse().unwrap(),
        ..Question::of("GET", "x:8000/").unwrap()
    };
    let proxy = explain(&question, &config, None);
    assert_eq!(
        field(&proxy, "X-Forwarded-For"),
        ("appended", "203.0.113.9, 10.0.0.7")
    );
    assert_eq!(field(&proxy, "X-Forwarded-Proto").0, "kept");
    assert_eq!(field(&proxy, "X-Real-IP").0, "kept");
    assert_eq!(field(&proxy, "x-request-id"), ("kept", "a-name-of-its-own"));
    assert_eq!(
        proxy["notes"],
        json!(["10.0.0.7 is a trusted proxy: it is believed when it says who asked"])
    );
    assert_eq!(ask("GET", "x:5432/", &config)["fields"], json!([]));
}

#[test]
fn behind_tls_nobody_is_believed_to_have_come_without() {
    let config = config(
        "[[listener]]\npool = \"app\"\ntls = [{ cert = \"a.pem\", key = \"a.key\" }]\n\
         [pool.app]\nbackends = [\"a:1\"]\n",
    );
    let question = Question {
        secure: true,
        ..Question::of("GET", "x:8000/").unwrap()
    };
    let secure = explain(&question, &config, None);
    assert_eq!(field(&secure, "X-Forwarded-Proto"), ("replaced", "https"));
    assert_eq!(secure["forwarded"], true);
    let clear = ask("GET", "x:8000/", &config);
    assert_eq!(clear["forwarded"], false, "{clear}");
    assert_eq!(clear["answer"]["status"], 400, "{clear}");
}

#[test]
fn what_may_be_sent_twice_is_said_of_the_method() {
    let config = two();
    let get = ask("GET", "x:8000/", &config);
    assert_eq!(
        (&get["retry"]["idempotent"], &get["retry"]["tries"]),
        (&json!(true), &json!(3))
    );
    let post = ask("POST", "x:8000/", &config);
    assert_eq!(post["retry"]["idempotent"], false);
    let rule = post["reuse"]["rule"].as_str().unwrap();
    assert!(rule.contains("used within 1s"), "{rule}");
}

#[test]
fn a_running_balancer_knows_more() {
    let config = two();
    let mut report = report();
    report.pools[0].backends[1].state = State::Down;
    report.pools[0].backends[1].reason = "L4CON".to_owned();
    let live = Live {
        report,
        turns: vec![
            ("app".to_owned(), vec!["app-1".to_owned()]),
            ("db".to_owned(), Vec::new()),
        ],
    };
    let ask = |url: &str| explain(&Question::of("GET", url).unwrap(), &config, Some(&live));
    let document = ask("x:8000/");
    assert_eq!(document["next"], "app-1");
    let [up, down] = [0, 1].map(|at| &document["backends"][at]);
    assert_eq!((&up["share"], &up["turn"]), (&json!(1.0), &json!(1)));
    assert_eq!((&down["share"], &down["turn"]), (&json!(0.0), &Value::Null));
    assert_eq!(
        (&down["state"], &down["reason"]),
        (&json!("down"), &json!("L4CON"))
    );
    assert_eq!(document["listeners"][0]["address"], "127.0.0.1:8000");
    let nobody = ask("x:5432/");
    assert_eq!(nobody["answer"]["status"], Value::Null);
    assert_eq!(nobody["answer"]["why"], "no backend is up");
}

fn report() -> Report {
    let app = [("app-1", "http://a:1"), ("app-2", "https://b")];
    let app = app.map(|(id, url)| fixture::backend(id, url));
    fixture::report(vec![
        fixture::pool("app", app.into()),
        fixture::pool("db", Vec::new()),
    ])
}
