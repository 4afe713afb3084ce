//! Written heads, byte for byte, and by the properties that every one of them must have.

use std::net::Ipv6Addr;

use super::*;
use crate::base::random::Random;
use crate::http::head::HeadScan;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 17));

const PLAIN: Forward<'static> = Forward {
    client: CLIENT,
    scheme: "http",
    host: HostRule::Keep,
    trusted: false,
    told: Told::Each,
    upgrade: false,
    id: None,
};

const TRUSTED: Forward<'static> = Forward {
    trusted: true,
    scheme: "https",
    ..PLAIN
};

fn sent(received: &str, forward: &Forward<'_>) -> String {
    let head = head::request(received.as_bytes()).unwrap();
    let mut out = Vec::new();
    request(&mut out, received.as_bytes(), &head, forward);
    assert!(out.len() <= received.len() + limits::WINDOW_HEADROOM_BYTES);
    String::from_utf8(out).unwrap()
}

fn answered(received: &str, to_head: bool, answer: Answer) -> String {
    let head = head::response(received.as_bytes(), to_head).unwrap();
    let mut out = Vec::new();
    response(&mut out, received.as_bytes(), &head, answer);
    assert!(out.len() <= received.len() + limits::WINDOW_HEADROOM_BYTES);
    String::from_utf8(out).unwrap()
}

const fn to_11(framing: Framing) -> Answer {
    Answer {
        to: Version::Http11,
        persistent: true,
        framing,
    }
}

#[test]
fn the_last_field_of_the_longest_head_is_found_and_cut() {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nTE: ";
    let fill = limits::REQUEST_HEAD_BYTES_MAX - start.len() - 4;
    let long = sent(&format!("{start}{}\r\n\r\n", "b".repeat(fill)), &PLAIN);
    let short = sent(&format!("{start}b\r\n\r\n"), &PLAIN);
    assert_eq!(long, short);
}

#[test]
fn a_request_keeps_what_is_its_own() {
    let received = "GET /a?b HTTP/1.1\r\nAccept: */*\r\nHOST: a:80\r\nCookie: x\r\n\
        Connection: keep-alive, X-Mine\r\nx-mine: 1\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\n\
        Via: 1.0 other\r\nTE: trailers\r\nTrailer: X\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\
        Proxy-Authorization: secret\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: gopher\r\n\
        X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX-Real-IP: 2.2.2.2\r\n\
        Forwarded: for=3.3.3.3\r\nAccept:again\r\n\r\n";
    assert_eq!(
        sent(received, &PLAIN),
        "GET /a?b HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nCookie: x\r\nVia: 1.0 other\r\n\
         Accept:again\r\nVia: 1.1 tidegate\r\nX-Forwarded-For: 192.0.2.17\r\n\
         X-Forwarded-Proto: http\r\nX-Forwarded-Host: a:80\r\n\r\n"
    );
    assert_eq!(
        sent(received, &TRUSTED),
        "GET /a?b HTTP/1.1\r\nHost: a:80\r\nAccept: */*\r\nCookie: x\r\nVia: 1.0 other\r\n\
         X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n\
         X-Real-IP: 2.2.2.2\r\nForwarded: for=3.3.3.3\r\nAccept:again\r\nVia: 1.1 tidegate\r\n\
         X-Forwarded-For: 1.1.1.1, 192.0.2.17\r\n\r\n"
    );
}

#[test]
fn a_field_named_before_or_after_connection_goes() {
    for received in [
        "GET / HTTP/1.1\r\nX-A: 1\r\nHost: a\r\nConnection: x-a\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close,x-A\r\nX-a: 1\r\nHost: a\r\nX-A: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nConnection: close\r\nX-a: 1\r\nHost: a\r\nConnection:x-a\r\n\r\n",
    ] {
        assert!(!sent(received, &PLAIN).to_lowercase().contains("x-a:"));
    }
}

#[test]
fn forwarding_fields() {
    let client = |client: &str| {
        let forward = Forward {
            client: client.parse().unwrap(),
            ..TRUSTED
        };
        let received = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For:1.1.1.1\r\n\
            X-Forwarded-For: \r\nB: c\r\nx-forwarded-for: 2.2.2.2, 3.3.3.3 \r\n\r\n";
        let sent = sent(received, &forward);
        let start = sent.find("X-Forwarded-For: ").unwrap();
        assert_eq!(sent.to_lowercase().matches("x-forwarded-for").count(), 1);
        sent[start..].split("\r\n").next().unwrap().to_string()
    };
    let chain = "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, ";
    assert_eq!(client("0.10.255.1"), format!("{chain}0.10.255.1"));
    assert_eq!(client("2001:db8::1"), format!("{chain}2001:db8::1"));
    assert_eq!(client("::ffff:10.0.0.1"), format!("{chain}10.0.0.1"));
    let alone = sent("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &TRUSTED);
    assert!(alone.contains("X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n"));
}

#[test]
fn versions_hosts_and_targets() {
    assert_eq!(
        sent("GET http://A/b HTTP/1.1\r\nHost: a\r\n\r\n", &PLAIN)
            .lines()
            .next(),
        Some("GET /b HTTP/1.1")
    );
    let first = |line: &str| {
        let sent = sent(&format!("{line}\r\nHost: a\r\n\r\n"), &PLAIN);
        sent.split("\r\n").next().unwrap().to_string()
    };
    assert_eq!(first("GET http://a HTTP/1.1"), "GET / HTTP/1.1");
    assert_eq!(first("GET http://a?b HTTP/1.1"), "GET /?b HTTP/1.1");
    assert_eq!(first("OPTIONS http://a HTTP/1.1"), "OPTIONS * HTTP/1.1");
    assert_eq!(first("OPTIONS http://a/ HTTP/1.1"), "OPTIONS / HTTP/1.1");
    assert_eq!(first("OPTIONS * HTTP/1.1"), "OPTIONS * HTTP/1.1");
    assert_eq!(first("PURGE /x HTTP/1.1"), "PURGE /x HTTP/1.1");
    let forward = Forward {
        host: HostRule::Literal("backend:9"),
        ..PLAIN
    };
    assert_eq!(
        sent("GET / HTTP/1.0\r\n\r\n", &forward),
        "GET / HTTP/1.1\r\nHost: backend:9\r\nVia: 1.0 tidegate\r\n\
         X-Forwarded-For: 192.0.2.17\r\nX-Forwarded-Proto: http\r\n\r\n"
    );
    assert!(sent("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &forward).contains("X-Forwarded-Host: a"));
}

#[test]
fn one_framing_field_or_none() {
    let ends = |method: &str, field: &str, end: &str| {
        let received = format!("{method} / HTTP/1.1\r\nHost: a\r\n{field}\r\nZ: z\r\n\r\n");
        let sent = sent(&received, &PLAIN);
        let expected = format!("X-Forwarded-Host: a\r\n{end}\r\n");
        assert!(sent.ends_with(&expected), "{sent}");
    };
    ends("POST", "content-length:7", "Content-Length: 7\r\n");
    ends("POST", "Content-Length: 0", "Content-Length: 0\r\n");
    ends("GET", "Content-Length: 0", "");
    ends("GET", "Content-Length: 1", "Content-Length: 1\r\n");
    ends("POST", "A: b", "");
    ends(
        "PUT",
        "Transfer-Encoding: CHUNKED",
        "Transfer-Encoding: chunked\r\n",
    );
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(sent(chunked, &PLAIN).contains("Trailer: X\r\n"));
    let expect = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert!(!sent(expect, &PLAIN).contains("Expect"));
}

#[test]
fn a_backend_is_told_in_the_fields_of_its_choice() {
    let received = "GET / HTTP/1.1\r\nHost: a:8080\r\nX-Forwarded-For: 1.1.1.1\r\n\
        X-Real-IP: 2.2.2.2\r\nForwarded: for=3.3.3.3\r\n\r\n";
    let told = |told, trusted, client: &str| {
        let forward = Forward {
            client: client.parse().unwrap(),
            trusted,
            told,
            ..PLAIN
        };
        let sent = sent(received, &forward);
        let fields = sent.lines().skip(1);
        let named = fields.filter(|line| !line.starts_with("Host:") && !line.starts_with("Via:"));
        named
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let six = "2001:db8::1";
    assert_eq!(told(Told::Nothing, false, six), [""; 0]);
    assert_eq!(
        told(Told::Nothing, true, six),
        [
            "X-Forwarded-For: 1.1.1.1",
            "X-Real-IP: 2.2.2.2",
            "Forwarded: for=3.3.3.3"
        ]
    );
    assert_eq!(
        told(Told::One, false, six),
        ["Forwarded: for=\"[2001:db8::1]\";proto=http;host=\"a:8080\""]
    );
    assert_eq!(
        told(Told::One, true, "::ffff:192.0.2.1"),
        [
            "X-Forwarded-For: 1.1.1.1",
            "X-Real-IP: 2.2.2.2",
            "Forwarded: for=3.3.3.3",
            "Forwarded: for=192.0.2.1;proto=http;host=\"a:8080\""
        ]
    );
    assert_eq!(
        told(Told::Both, false, six),
        [
            "X-Forwarded-For: 2001:db8::1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: a:8080",
            "Forwarded: for=\"[2001:db8::1]\";proto=http;host=\"a:8080\""
        ]
    );
    assert_eq!(
        told(Told::Both, true, six),
        [
            "X-Real-IP: 2.2.2.2",
            "Forwarded: for=3.3.3.3",
            "X-Forwarded-For: 1.1.1.1, 2001:db8::1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: a:8080",
            "Forwarded: for=\"[2001:db8::1]\";proto=http;host=\"a:8080\""
        ]
    );
}

#[test]
fn who_has_no_address_is_left_out() {
    let received = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n";
    let nobody = Forward {
        client: NO_ADDRESS,
        told: Told::Both,
        ..PLAIN
    };
    let said = sent(received, &nobody);
    assert!(!said.contains("X-Forwarded-For"), "{said}");
    assert!(said.contains("X-Forwarded-Proto: http\r\n"), "{said}");
    assert!(said.contains("Forwarded: for=unknown;proto=http;host=\"a\"\r\n"));
    let believed = Forward {
        trusted: true,
        ..nobody
    };
    let said = sent(received, &believed);
    assert!(said.contains("\r\nX-Forwarded-For: 1.1.1.1\r\n"), "{said}");
}

#[test]
fn an_upgrade_travels_only_when_allowed() {
    let received = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert!(!sent(received, &PLAIN).to_lowercase().contains("upgrade"));
    let forward = Forward {
        upgrade: true,
        ..PLAIN
    };
    let sent = sent(received, &forward);
    assert!(sent.contains("Upgrade: websocket\r\n") && sent.contains("Connection: upgrade\r\n"));
    let received = "HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let head = head::response(received.as_bytes(), false).unwrap();
    let mut out = Vec::new();
    interim(&mut out, received.as_bytes(), &head);
    assert_eq!(
        out,
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
    );
}

#[test]
fn another_backend_gets_its_own_host() {
    let received = "GET /a HTTP/1.1\r\nAccept: b\r\nHost: a\r\n\r\n";
    let emitted = sent(received, &PLAIN);
    let mut out = Vec::new();
    let replaced = rehost(&mut out, emitted.as_bytes(), "other:8080");
    out.extend_from_slice(&emitted.as_bytes()[replaced..]);
    let forward = Forward {
        host: HostRule::Literal("other:8080"),
        ..PLAIN
    };
    assert_eq!(String::from_utf8(out).unwrap(), sent(received, &forward));
    assert_eq!(rehost(&mut Vec::new(), b"", "a"), 0);
}

#[test]
fn responses() {
    let received = "HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: keep-alive, foo\r\nFoo: 1\r\n\
        Keep-Alive: timeout=5\r\nContent-Length: 3\r\nUpgrade: h2\r\nTrailer: T\r\nHost: h\r\n\
        X-Forwarded-For: kept\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n";
    assert_eq!(
        answered(received, false, to_11(Framing::Length(3))),
        "HTTP/1.1 200 Fine\r\nServer: x\r\nHost: h\r\nX-Forwarded-For: kept\r\nSet-Cookie: a\r\n\
         Set-Cookie: b\r\nVia: 1.0 tidegate\r\nContent-Length: 3\r\n\r\n"
    );
    let close = Answer {
        persistent: false,
        ..to_11(Framing::Chunked)
    };
    assert_eq!(
        answered("HTTP/1.1 200\r\nTrailer: T\r\n\r\n", false, close),
        "HTTP/1.1 200 \r\nTrailer: T\r\nVia: 1.1 tidegate\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    );
    let old = Answer {
        to: Version::Http10,
        ..to_11(Framing::Length(0))
    };
    assert_eq!(
        answered("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", false, old),
        "HTTP/1.1 404 \r\nVia: 1.1 tidegate\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    );
}

#[test]
fn responses_without_a_body() {
    let length = |status: u16, field: &str, to_head: bool| {
        let received = format!("HTTP/1.1 {status} X\r\n{field}\r\n\r\n");
        let sent = answered(&received, to_head, to_11(Framing::None));
        sent.split("tidegate\r\n").nth(1).unwrap().to_string()
    };
    assert_eq!(
        length(200, "Content-Length: 9", true),
        "Content-Length: 9\r\n\r\n"
    );
    assert_eq!(
        length(304, "Content-Length: 9", false),
        "Content-Length: 9\r\n\r\n"
    );
    assert_eq!(length(204, "Content-Length: 9", true), "\r\n");
    assert_eq!(length(200, "Transfer-Encoding: chunked", true), "\r\n");
    let received =
        "HTTP/1.1 103 Early\r\nLink: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n";
    let head = head::response(received.as_bytes(), false).unwrap();
    let mut out = Vec::new();
    interim(&mut out, received.as_bytes(), &head);
    assert_eq!(out, b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n");
}

#[test]
fn answers_of_our_own() {
    let mut out = Vec::new();
    local(&mut out, 503, "down", true, Some(10), false);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Cache-Control: no-store\r\nRetry-After: 10\r\nContent-Length: 5\r\n\r\ndown\n"
    );
    let mut out = Vec::new();
    local(&mut out, 405, "no", false, None, true);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\r\nAllow: GET,") && text.ends_with("Connection: close\r\n\r\n"));
    for reason in crate::http::Reason::all() {
        let mut out = Vec::new();
        local(&mut out, reason.status(), reason.why(), false, None, false);
        let end = HeadScan::response().find(&out, 1024).unwrap().unwrap();
        let head = head::response(&out[..end], false).unwrap();
        assert_eq!(head.framing, Framing::Length(reason.why().len() as u64 + 1));
        assert_eq!(out.len() - end, reason.why().len() + 1);
        assert!(!phrase(reason.status()).is_empty());
    }
}

#[test]
fn numbers_are_decimal() {
    for value in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
        let mut out = Vec::new();
        number(&mut out, value);
        assert_eq!(out, value.to_string().as_bytes());
    }
}

/// What leaves of a request with these fields, in the fields of that name.
fn ids(fields: &str, forward: &Forward<'_>) -> Vec<String> {
    let received = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}Accept: b\r\n\r\n");
    let head = head::request_with_id(received.as_bytes(), "x-request-id").unwrap();
    let mut out = Vec::new();
    request(&mut out, received.as_bytes(), &head, forward);
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("\r\nAccept: b\r\n"), "{out}");
    let lines = out.lines().filter_map(|line| line.split_once(": "));
    let alike = |name: &str| name.to_lowercase().replace('_', "-") == "x-request-id";
    lines
        .filter(|(name, _)| alike(name))
        .map(|(_, value)| value.to_owned())
        .collect()
}

#[test]
fn a_request_leaves_with_one_id_and_a_trusted_sender_may_choose_it() {
    let id = Some(Id {
        field: "x-request-id",
        number: 0xabc,
    });
    let plain = Forward { id, ..PLAIN };
    let trusted = Forward { id, ..TRUSTED };
    let own = format!("{:032x}", 0xabc);
    let longest = "i".repeat(limits::REQUEST_ID_BYTES_MAX);
    let line = |value: &str| format!("X-Request-ID: {value}\r\n");
    for value in ["a", "~!\"{}", &longest] {
        assert_eq!(ids(&line(value), &plain), [own.as_str()]);
        assert_eq!(ids(&line(value), &trusted), [value]);
    }
    for fields in [
        String::new(),
        line(""),
        line("a b"),
        line("a\tb"),
        line("ü"),
        line(&format!("{longest}i")),
        line("a") + &line("b"),
        line("a") + "X: y\r\n" + &line("a"),
        "X_Request_ID: a\r\n".to_owned(),
        "Connection: x-request-id\r\n".to_owned() + &line("a"),
        line("a") + "Connection: x-request-id\r\n",
    ] {
        assert_eq!(ids(&fields, &plain), [own.as_str()], "{fields}");
        assert_eq!(ids(&fields, &trusted), [own.as_str()], "{fields}");
    }
    assert_eq!(ids(&(line("a") + "x-request_id: b\r\n"), &trusted), ["a"]);
}

#[test]
fn whoever_reads_no_ids_copies_them() {
    let out = sent(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: b\r\n\r\n",
        &PLAIN,
    );
    assert!(out.contains("\r\nX-Request-ID: b\r\n"), "{out}");
    assert!(!out.contains("x-request-id"), "{out}");
}

#[test]
fn the_headroom_is_enough_at_the_extremes() {
    let host = "h".repeat(limits::HOST_BYTES_MAX);
    let field = "f".repeat(limits::REQUEST_ID_NAME_BYTES_MAX);
    let forward = |trusted| Forward {
        client: IpAddr::V6(Ipv6Addr::from([0xffff; 8])),
        scheme: "https",
        host: HostRule::Literal(&host),
        trusted,
        told: Told::Both,
        upgrade: true,
        id: Some(Id {
            field: &field,
            number: u128::MAX,
        }),
    };
    for trusted in [false, true] {
        for received in [
            format!("GET http://{host} HTTP/1.1\r\nHost:{host}\r\nUpgrade:a\r\n\r\n"),
            format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(8_000)),
            format!("GET http://{host}? HTTP/1.0\r\nTransfer-Encoding:\r\n\r\n")
                .replace("Transfer-Encoding:", "Content-Length:9223372036854775807"),
            format!(
                "A / HTTP/1.1\r\nHost:a\r\n{}Transfer-Encoding:chunked\r\n\r\n",
                "X-Forwarded-For:a\r\n".repeat(97)
            ),
        ] {
            sent(&received, &forward(trusted));
        }
    }
    let close = Answer {
        persistent: false,
        ..to_11(Framing::Length(u64::MAX))
    };
    answered("HTTP/1.1 200\r\n\r\n", false, close);
}

/// A request head as the strictest of readers sees it: split at CRLF, at the first colon, at
/// spaces. It shares no code with the one under test.
fn properties(out: &str, forward: &Forward<'_>) {
    let (lines, rest) = out.split_once("\r\n\r\n").unwrap();
    assert_eq!(rest, "");
    let mut lines = lines.split("\r\n");
    let start: Vec<&str> = lines.next().unwrap().split(' ').collect();
    assert!(start.len() == 3 && start[2] == "HTTP/1.1", "{out}");
    assert!(start[1].starts_with('/') || start[1] == "*", "{out}");
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase().replace('_', "-"), value.trim()))
        .collect();
    assert_eq!(fields[0].0, "host");
    let count = |name: &str| fields.iter().filter(|field| field.0 == name).count();
    assert_eq!(count("host"), 1, "{out}");
    assert!(
        count("content-length") + count("transfer-encoding") <= 1,
        "{out}"
    );
    assert_eq!(count("x-forwarded-for"), 1, "{out}");
    for hop in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
        "expect",
        "proxy-authorization",
        "http2-settings",
    ] {
        assert_eq!(count(hop), 0, "{out}");
    }
    if !forward.trusted {
        let other = |name: &str| name == "forwarded" || name == "x-real-ip";
        assert!(!fields.iter().any(|field| other(&field.0)), "{out}");
        assert!(
            count("x-forwarded-proto") == 1 && count("x-forwarded-host") <= 1,
            "{out}"
        );
    }
}

#[test]
fn whatever_is_accepted_leaves_in_one_reading() {
    let lines = [
        "Host: a",
        "Host: a:80",
        "Content-Length: 5",
        "Content-Length: 0",
        "Connection: close",
        "Transfer-Encoding: chunked",
        "Connection: keep-alive, X-A",
        "X-A: 1",
        "x-a:2",
        "B: c d ",
        "Upgrade: websocket",
        "Connection: upgrade",
        "Expect: 100-continue",
        "TE: trailers",
        "X-Forwarded-For: 1.2.3.4",
        "X-Forwarded-Proto: x",
        "X-Real-IP: 5.6.7.8",
        "Trailer: Q",
        "Forwarded: for=a",
        "X-Forwarded-Host: z",
        "Keep-Alive: 1",
        "Proxy-Connection: b",
        "Transfer-Encoding: gzip",
        "Content-Length: 5 ",
        "Content_Length: 5",
        "Cookie: x=y",
    ];
    let starts = [
        "GET / HTTP/1.1",
        "POST /a?b HTTP/1.1",
        "PUT http://a/ HTTP/1.1",
        "GET / HTTP/1.0",
        "OPTIONS * HTTP/1.1",
        "DELETE http://a?x HTTP/1.1",
    ];
    let spice = [
        " ", "\t", ":", "_", "-", ",", "\r", "\n", "\r\n", "\0", "/", "a", ";", "\u{b}",
    ];
    let mut random = Random::new(42);
    let mut draw = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let mut accepted = 0;
    for _ in 0..60_000 {
        let mut text = starts[draw(starts.len())].to_string();
        if draw(8) > 0 {
            text.push_str("\r\nHost: a");
        }
        for _ in 0..draw(6) {
            text.push_str("\r\n");
            text.push_str(lines[draw(lines.len())]);
        }
        text.push_str("\r\n\r\n");
        for _ in 0..draw(3) {
            let at = draw(text.len());
            match draw(2) {
                0 => text.insert_str(at, spice[draw(spice.len())]),
                _ => drop(text.remove(at)),
            }
        }
        let mut forward = if draw(2) == 0 { PLAIN } else { TRUSTED };
        let mut scan = HeadScan::request();
        let Ok(Some(end)) = scan.find(text.as_bytes(), 16 * 1024) else {
            continue;
        };
        let received = &text[scan.lead()..end];
        let Ok(head) = head::request(received.as_bytes()) else {
            continue;
        };
        accepted += 1;
        if head.host(received.as_bytes()).is_empty() {
            forward.host = HostRule::Literal("backend");
        }
        let out = sent(received, &forward);
        properties(&out, &forward);
        let again = head::request(out.as_bytes()).unwrap();
        assert_eq!(again.method, head.method, "{received}");
        match forward.host {
            HostRule::Keep => {
                assert_eq!(again.host(out.as_bytes()), head.host(received.as_bytes()))
            }
            HostRule::Literal(host) => assert_eq!(again.host(out.as_bytes()), host.as_bytes()),
        }
        let star = head.target(received.as_bytes()).rest == b"*";
        let path = again.path(out.as_bytes());
        assert!(star || path == head.path(received.as_bytes()), "{received}");
        let vanished = head.framing == Framing::Length(0) && again.framing == Framing::None;
        assert!(
            vanished || again.framing == head.framing,
            "{received} became {out}"
        );
    }
    assert!(accepted > 10_000, "{accepted}");
}
