//! Why a request would go where it would go: what is said has to be what happens.

use serde_json::{Value, json};

use crate::admin::Admin;
use crate::binary::run;
use crate::eventually;
use crate::origin::Origin;

#[test]
fn a_command_line_is_explained_without_running_it() {
    let outcome = run(&[
        "explain",
        "--listen",
        "127.0.0.1:8080",
        "POST",
        "http://example.com:8080/a",
        "--from",
        "10.0.0.7",
        "http://10.0.0.1:80",
        "10.0.0.2:80,max-conns=7",
    ]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    for said in [
        "POST http://example.com:8080/a from 10.0.0.7",
        "takes it: it is on port 8080",
        "app-2  http://10.0.0.2  unknown  weight 1  50.0 %        max_conns 7  not known",
        "X-Forwarded-For: 10.0.0.7",
        "POST is never sent twice",
        "used within 1s",
    ] {
        assert!(outcome.stdout.contains(said), "{said} in {outcome:?}");
    }
    let lines = outcome.stdout.lines().count();
    assert!(lines <= 40, "{lines} lines are more than a screen");
}

#[test]
fn what_is_refused_fails_and_what_is_no_question_is_one_line() {
    let refused = run(&["explain", "G<T", "http://a/", "http://10.0.0.1:80"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = "answered 400 by the balancer: the method is not a token";
    assert!(refused.stdout.contains(said), "{refused:?}");
    for (arguments, said) in [
        (&["explain"][..], "write METHOD URL"),
        (&["explain", "GET"], "write METHOD URL"),
        (&["explain", "GET", "ftp://a"], "unknown scheme: ftp://a"),
        (&["explain", "GET", "http://a"], "no backend"),
        (&["explain", "GET", "http://a:b/", "b:1"], "not a port: a:b"),
        (
            &["explain", "--from", "me", "GET", "http://a/"],
            "--from me; write an IP",
        ),
        (
            &["explain", "--check", "GET", "a"],
            "another command: --check",
        ),
        (&["--from", "10.0.0.1", "b:1"], "another command: --from"),
        (&["ctl", "explain", "GET"], "write METHOD URL"),
        (&["ctl", "--from", "::1", "top"], "another command: top"),
    ] {
        let outcome = run(arguments);
        assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{said} in {outcome:?}");
    }
}

#[test]
fn a_running_one_says_who_is_next_and_that_is_who_it_is() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[a.url(), format!("{},weight=3", b.url())]);
    let port = admin.binary.address().port();
    let target = format!("/api/v1/explain?method=GET&host=x:{port}&path=/a&client=10.0.0.7");
    let mut client = admin.binary.client();
    for _ in 0..9 {
        let document = admin.document(&target);
        assert_eq!(document, admin.document(&target), "asking changes nothing");
        assert_eq!(document["live"], true);
        assert_eq!(
            document["listeners"][0]["address"],
            admin.binary.address().to_string()
        );
        let next = document["next"].as_str().expect("somebody is up");
        let says = if next == "app-1" { "a" } else { "b" };
        assert_eq!(client.get("/").text(), says);
        // The second in the row is the one that is asked if the first one fails.
        let turns: Vec<&Value> = document["backends"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["turn"])
            .collect();
        assert!(turns.contains(&&json!(1)) && turns.contains(&&json!(2)));
    }
}

#[test]
fn fields_arrive_as_it_was_said() {
    let origin = Origin::saying("a");
    let admin = Admin::start(&[origin.url()]);
    let document = admin.document("/api/v1/explain?host=shop.example&client=127.0.0.1");
    let mut client = admin.binary.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: shop.example\r\nX-Forwarded-For: 203.0.113.9\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: client.example\r\n\
         Forwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nConnection: keep-alive, TE\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
         Proxy-Authorization: Basic Og==\r\nTE: trailers\r\n\
         X-Request-Id: a-name-of-its-own\r\n\r\n",
    );
    assert_eq!(client.response().expect("an answer").status(), 200);
    let seen = origin.last_request();
    let fields = document["fields"].as_array().expect("a list");
    assert!(fields.len() > 10, "{document}");
    for field in fields {
        let text = |key: &str| field[key].as_str().expect("text");
        let values = seen.values(&text("name").to_ascii_lowercase()).join(", ");
        if text("name") == "x-request-id" {
            let digits = values.len() == 32 && values.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(digits && text("value").starts_with("32 hex"), "{values}");
            continue;
        }
        assert_eq!(values, text("value"), "{field}");
        assert_eq!(values.is_empty(), text("change") == "removed", "{field}");
    }
}

#[test]
fn whoever_is_not_asked_is_said_with_the_reason() {
    let mut origin = Origin::saying("a");
    let admin = Admin::start(&["--interval".to_owned(), "100ms".to_owned(), origin.url()]);
    let at = admin.at.to_string();
    let ctl = || run(&["ctl", "--admin", &at, "explain", "GET", "http://x/a?b=c d"]);
    let refused = ctl();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stdout.contains("answered 400"), "{refused:?}");
    let ctl = || run(&["ctl", "--admin", &at, "explain", "GET", "http://x/a?b=c&d"]);
    let fine = ctl();
    assert_eq!(fine.status.code(), Some(0), "{fine:?}");
    assert!(fine.stdout.contains("forwarded, next to app-1"), "{fine:?}");
    assert!(fine.stdout.contains("GET http://x/a?b=c&d"), "{fine:?}");
    origin.stop();
    eventually("it is down", || {
        admin.document("/api/v1/explain")["forwarded"] == false
    });
    let nobody = ctl();
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    for said in ["answered 503 by the balancer: no backend is up", "L4CON"] {
        assert!(nobody.stdout.contains(said), "{said} in {nobody:?}");
    }
    assert_eq!(admin.binary.client().get("/").status(), 503);
}
