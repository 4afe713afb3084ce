//! Every format against lines that scripts and people know, and against clients that mean ill.

use super::*;
use crate::base::Fault;
use crate::engine::journal::flight::tests::facts;
use crate::engine::journal::verdict::Phase;
use crate::engine::journal::verdict::Verdict;
use crate::session::Cause;
use crate::session::Outcome;
use crate::session::Undialled;

const UNIX: u64 = 1_795_225_923_123_000_000;

fn entry<'a>(facts: &'a Facts, words: Words<'a>) -> Entry<'a> {
    Entry {
        facts,
        words,
        listener: "web",
        pool: "app",
        tries_max: 3,
        unix: UNIX,
        loads: [4, 3, 2, 1],
    }
}

fn line(facts: &Facts, words: Words<'_>, format: LogFormat) -> String {
    let mut out = Vec::new();
    entry(facts, words).write(&mut out, format);
    let text = String::from_utf8(out).unwrap();
    let line = text.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{line}");
    line.to_owned()
}

fn usual() -> Words<'static> {
    Words {
        method: b"GET",
        host: b"example.com",
        target: b"/a",
        id: b"",
        line: b"GET /a HTTP/1.1",
        referer: b"",
        agent: b"curl/8.5.0",
        credentials: b"",
        proto: "HTTP/1.1",
    }
}

#[test]
fn json_has_the_keys_that_scripts_know_in_their_order() {
    let expected = concat!(
        r#"{"ts":"2026-11-21T01:52:03.123Z","id":"000000000000000000000000000000ab","#,
        r#""listener":"web","client":"10.0.0.7:51312","method":"GET","host":"example.com","#,
        r#""path":"/a","proto":"HTTP/1.1","status":200,"bytes_in":78,"bytes_out":1024,"#,
        r#""pool":"app","backend":"app-2","tries":1,"reused":true,"t_head":0.0001,"t_queue":0,"#,
        r#""t_connect":0,"t_first":0.0021,"t_total":0.0025,"end":"--","why":""}"#
    );
    assert_eq!(line(&facts(), usual(), LogFormat::Json), expected);
}

#[test]
fn json_of_a_connection_leaves_out_what_it_has_not() {
    let facts = Facts {
        kind: Kind::Connection,
        status: 0,
        backend: 0,
        tries: 0,
        connect: None,
        verdict: Verdict::Broken(Outcome::NoServer(Undialled::NobodyUp), Phase::Connect),
        ..facts()
    };
    let line = line(&facts, Words::default(), LogFormat::Json);
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["proto"], "TCP");
    assert_eq!(value["backend"], "");
    assert_eq!(value["end"], "SC");
    assert_eq!(value["why"], "no backend of pool app is up");
    for key in ["method", "host", "path", "status"] {
        assert!(value.get(key).is_none(), "{key}");
    }
}

#[test]
fn json_stays_json_whatever_a_client_sends() {
    for byte in 0..=u8::MAX {
        let evil = [b'/', byte, b'"', b'\\', byte];
        let words = Words {
            method: &evil,
            host: &evil,
            target: &evil,
            id: &evil,
            ..usual()
        };
        let line = line(&facts(), words, LogFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["end"], "--", "{line}");
        assert_eq!(value["status"], 200, "{line}");
    }
}

#[test]
fn combined_and_common_are_those_of_nginx() {
    let common = r#"10.0.0.7 - - [21/Nov/2026:01:52:03 +0000] "GET /a HTTP/1.1" 200 924"#;
    assert_eq!(line(&facts(), usual(), LogFormat::Common), common);
    let combined = format!(r#"{common} "-" "curl/8.5.0""#);
    assert_eq!(line(&facts(), usual(), LogFormat::Combined), combined);
    let words = Words {
        line: b"GET /\"\\\xff HTTP/1.1",
        referer: b"x\"y",
        agent: b"",
        credentials: b"Basic YSJiOnNlY3JldA==",
        ..usual()
    };
    let expected = concat!(
        r#"10.0.0.7 - a\x22b [21/Nov/2026:01:52:03 +0000] "GET /\x22\x5C\xFF HTTP/1.1" 200 924 "#,
        r#""x\x22y" "-""#
    );
    assert_eq!(line(&facts(), words, LogFormat::Combined), expected);
}

#[test]
fn a_password_is_never_written() {
    for (credentials, expected) in [
        (&b"Basic eDpzZWNyZXQ="[..], "x"),
        (b"basic eA==", "x"),
        (b"Basic OnNlY3JldA==", "-"),
        (b"Basic !!", "-"),
        (b"Bearer eDpzZWNyZXQ=", "-"),
        (b"Basic", "-"),
        (b"", "-"),
    ] {
        let mut out = Vec::new();
        user(&mut out, credentials);
        assert_eq!(out, expected.as_bytes(), "{credentials:?}");
    }
}

#[test]
fn httplog_is_that_of_haproxy() {
    let facts = Facts {
        total: Span::millis(250),
        head: Some(Span::millis(2)),
        connect: Some(Span::millis(5)),
        first: Some(Span::millis(200)),
        tries: 2,
        reused: false,
        ..facts()
    };
    let expected = "10.0.0.7:51312 [21/Nov/2026:01:52:02.873] web app/app-2 2/0/5/200/250 200 \
                    1024 - - ---- 4/3/2/1/1 0/0 \"GET /a HTTP/1.1\"";
    assert_eq!(line(&facts, usual(), LogFormat::Haproxy), expected);
    let nobody = Facts {
        total: Span::millis(1),
        connect: None,
        first: None,
        backend: 0,
        tries: 0,
        status: 503,
        verdict: Verdict::Answered(Cause::Undialled(Undialled::NobodyUp), Phase::Connect),
        ..facts
    };
    let expected = "10.0.0.7:51312 [21/Nov/2026:01:52:03.122] web app/<NOSRV> 2/-1/-1/-1/1 503 \
                    1024 - - SC-- 4/3/2/1/0 0/0 \"GET /a HTTP/1.1\"";
    assert_eq!(line(&nobody, usual(), LogFormat::Haproxy), expected);
    let evil = Words {
        line: b"\x16\x03\"#",
        host: b"",
        ..usual()
    };
    let unread = Facts {
        head: None,
        ..nobody
    };
    let evil = line(&unread, evil, LogFormat::Haproxy);
    assert!(evil.contains(" -1/-1/-1/-1/1 "), "{evil}");
    assert!(evil.ends_with(" \"#16#03#22#23\""), "{evil}");
    let none = line(&nobody, Words::default(), LogFormat::Haproxy);
    assert!(none.ends_with(" \"<BADREQ>\""), "{none}");
}

#[test]
fn tcplog_is_that_of_haproxy() {
    let facts = Facts {
        kind: Kind::Connection,
        total: Span::millis(250),
        connect: Some(Span::millis(5)),
        verdict: Verdict::Broken(Outcome::Cut(Fault::Reset), Phase::Data),
        ..facts()
    };
    let expected = "10.0.0.7:51312 [21/Nov/2026:01:52:02.873] web app/app-2 0/5/250 1024 SD \
                    4/3/2/1/0 0/0";
    assert_eq!(line(&facts, Words::default(), LogFormat::Haproxy), expected);
}
