//! What every route asks for, and every way to ask for it wrongly.

use super::*;
use crate::admin::Visitor;

fn ask(method: Method, target: &str, body: &str) -> Result<Command, Answer> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        visitor: Visitor::Known,
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        media: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
    };
    let mode = |pool: &str| (pool == "db").then_some(Mode::Tcp);
    route(&request, Span::seconds(30), &mode)
}

fn refused(method: Method, target: &str, body: &str) -> u16 {
    ask(method, target, body).expect_err(target).status
}

const BACKENDS: &str = "/api/v1/pools/app/backends";
const ONE: &str = "/api/v1/pools/app/backends/app-1";

#[test]
fn reading_never_changes_anything() {
    for target in [
        "/",
        "/events",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/status",
        "/api/v1/pools",
        "/api/v1/pools/app",
        BACKENDS,
        ONE,
        "/api/v1/connections?limit=3",
        "/api/v1/requests",
        "/api/v1/config",
        "/api/v1/explain?method=GET&path=%2f",
    ] {
        for method in [Method::Get, Method::Head] {
            let command = ask(method, target, "").expect(target);
            assert!(!matches!(command, Command::Change(..) | Command::Reload));
        }
    }
    for target in ["/api/v1/reload", "/api/v1/drain", "/api/v1/log-level"] {
        assert_eq!(refused(Method::Get, target, ""), 405);
    }
    assert_eq!(refused(Method::Get, &format!("{ONE}/drain"), ""), 405);
    assert_eq!(refused(Method::Post, "/metrics", ""), 405);
    assert_eq!(refused(Method::Options, "/", ""), 405);
}

#[test]
fn what_is_to_be_explained_has_defaults_and_is_sound() {
    let explain = "/api/v1/explain";
    let Ok(Command::Explain(question)) = ask(Method::Get, explain, "") else {
        panic!("nothing is explained");
    };
    assert_eq!(*question, Question::default());
    let target = format!("{explain}?method=P%20T&scheme=https&host=a:1&path=/x%3Fy&client=::1");
    let Ok(Command::Explain(question)) = ask(Method::Get, &target, "") else {
        panic!("nothing is explained");
    };
    assert_eq!(
        *question,
        Question {
            method: "P T".to_owned(),
            secure: true,
            host: "a:1".to_owned(),
            path: "/x?y".to_owned(),
            client: "::1".parse().unwrap(),
        }
    );
    for query in [
        "client=10.0.0.1:80",
        "client=a",
        "scheme=ftp",
        "host=",
        "host=a:x",
        "path=%0d%0aX:%20y",
        "method=G%00T",
        "url=http://a",
    ] {
        let target = format!("{explain}?{query}");
        assert_eq!(refused(Method::Get, &target, ""), 400, "{query}");
    }
    assert_eq!(refused(Method::Post, explain, ""), 405);
}

#[test]
fn a_backend_without_a_scheme_has_that_of_its_pool() {
    let added = |pool: &str, url: &str| {
        let target = format!("/api/v1/pools/{pool}/backends");
        let body = format!("{{\"url\":\"{url}\"}}");
        match ask(Method::Post, &target, &body) {
            Ok(Command::Change(Change::Add { backend, .. }, _)) => backend.to_string(),
            other => panic!("{other:?}"),
        }
    };
    for (pool, url, meant) in [
        ("db", "10.0.0.1:5432", "tcp://10.0.0.1:5432"),
        ("db", "tcp://10.0.0.1:5432", "tcp://10.0.0.1:5432"),
        // That does not fit, which is for those to say who know the pool.
        ("db", "http://10.0.0.1:80", "http://10.0.0.1"),
        ("app", "10.0.0.1:80", "http://10.0.0.1"),
    ] {
        assert_eq!(added(pool, url), meant);
    }
}

#[test]
fn changes_are_what_was_written() {
    let whom = || whom("app", "app-1");
    let body = r#"{"url":"http://10.0.0.9:80","weight":3,"max_conns":7}"#;
    let Ok(Command::Change(Change::Add { pool, backend }, After::Created)) =
        ask(Method::Post, BACKENDS, body)
    else {
        panic!("no backend is added");
    };
    assert_eq!(
        (pool.as_str(), backend.weight, backend.max_conns),
        ("app", 3, Some(7))
    );
    for (more, meant) in [
        ("", Some(5)),
        (r#","max_conns":7"#, Some(7)),
        (r#","max_conns":0"#, None),
    ] {
        let body = format!(r#"{{"url":"10.0.0.9:80,max-conns=5"{more}}}"#);
        match ask(Method::Post, BACKENDS, &body) {
            Ok(Command::Change(Change::Add { backend, .. }, _)) => {
                assert_eq!(backend.max_conns, meant, "{body}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(backend.to_string(), "http://10.0.0.9");
    let drain = Span::seconds(5);
    assert_eq!(
        ask(Method::Delete, &format!("{ONE}?drain=5s"), ""),
        Ok(Command::Change(
            Change::Remove {
                whom: whom(),
                drain
            },
            After::Gone
        ))
    );
    let edit = Edit {
        state: Some(Wanted::Drain),
        weight: Some(0),
        max_conns: None,
    };
    assert_eq!(
        ask(Method::Patch, ONE, r#"{"state":"drain","weight":0}"#),
        Ok(Command::Change(
            Change::Edit { whom: whom(), edit },
            After::Show
        ))
    );
    let edit = Edit {
        state: Some(Wanted::Disable),
        ..Edit::default()
    };
    assert_eq!(
        ask(Method::Post, &format!("{ONE}/disable?wait=1s"), ""),
        Ok(Command::Change(
            Change::Edit { whom: whom(), edit },
            After::Idle(Span::seconds(1))
        ))
    );
    assert_eq!(
        ask(Method::Delete, "/api/v1/drain", ""),
        Ok(Command::Change(Change::Drain(false), After::Show))
    );
}

#[test]
fn what_is_wrong_is_said_with_its_status() {
    for (target, body) in [
        (BACKENDS, ""),
        (BACKENDS, "[]"),
        (BACKENDS, "{}"),
        (BACKENDS, r#"{"url":7}"#),
        (BACKENDS, r#"{"url":"gopher://x"}"#),
        (BACKENDS, r#"{"url":"http://a:80","weight":257}"#),
        (BACKENDS, r#"{"url":"http://a:80","weight":-1}"#),
        (BACKENDS, r#"{"url":"http://a:80","weight":1.5}"#),
        (BACKENDS, r#"{"url":"http://a:80","wieght":1}"#),
        ("/api/v1/pools/app/backends/a%zz/drain", ""),
        ("/api/v1/pools/app/backends/app-1/drain?wait=5", ""),
        ("/api/v1/pools/app/backends/app-1/drain?wait=2h", ""),
        ("/api/v1/pools/app/backends/app-1/drain?wiat=2s", ""),
    ] {
        assert_eq!(refused(Method::Post, target, body), 400, "{target} {body}");
    }
    for body in [r#"{"state":"up"}"#, r#"{"state":1}"#, "{}"] {
        assert_eq!(refused(Method::Patch, ONE, body), 400, "{body}");
    }
    assert_eq!(
        refused(Method::Put, "/api/v1/log-level", r#"{"level":"loud"}"#),
        400
    );
    assert_eq!(refused(Method::Post, &format!("{ONE}/explode"), ""), 404);
    assert_eq!(refused(Method::Get, "/api/v2/status", ""), 404);
    assert_eq!(refused(Method::Get, "/api/v1/connections?limit=0", ""), 400);
    let request = Request {
        method: Method::Post,
        path: BACKENDS.to_owned(),
        media: "text/plain".to_owned(),
        ..Request::default()
    };
    let refused = route(&request, Span::ZERO, &|_| None).expect_err("text");
    assert_eq!(refused.status, 415);
}
