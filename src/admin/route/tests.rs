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
    route(&request, Span::seconds(30))
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
fn changes_are_what_was_written() {
    let whom = || whom("app", "app-1");
    let body = r#"{"url":"http://10.0.0.9:80","weight":3,"max_conns":7}"#;
    let Ok(Command::Change(
        Change::Add {
            pool,
            backend,
            max_conns,
        },
        After::Created,
    )) = ask(Method::Post, BACKENDS, body)
    else {
        panic!("no backend is added");
    };
    assert_eq!(
        (pool.as_str(), backend.weight, max_conns),
        ("app", 3, Some(7))
    );
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
    assert_eq!(route(&request, Span::ZERO).expect_err("text").status, 415);
}
