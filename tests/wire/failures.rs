//! Broken answers and slow ones: 502, 504, and a client that must never take half a body for a
//! whole one.

use std::io::Write as _;

use crate::binary::Binary;
use crate::client::get;
use crate::origin::{Origin, Step, VacantPort, ok};

/// The status of an answer to GET from a backend that sends those bytes and closes.
#[track_caller]
fn status_for(bytes: &'static str) -> u16 {
    let origin = Origin::sending(bytes);
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    get(binary.address(), "/").status()
}

#[test]
fn a_broken_head_is_a_bad_gateway() {
    for bytes in [
        "",
        "\r\n",
        "garbage\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
    ] {
        assert_eq!(status_for(bytes), 502, "{bytes:?}");
    }
}

#[test]
fn a_head_without_end_is_a_bad_gateway() {
    let origin = Origin::raw(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Filler: 0123456789\r\n").is_ok() {}
    });
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    assert_eq!(get(binary.address(), "/").status(), 502);
}

#[test]
fn a_reset_before_the_answer_is_a_bad_gateway() {
    let origin = Origin::new(|_, _| vec![Step::Reset]);
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    assert_eq!(binary.client().post("/", "x").status(), 502);
    assert_eq!(origin.counts().requests, 1);
}

#[test]
fn a_refused_connection_with_nobody_else_is_a_bad_gateway() {
    let vacant = VacantPort::new();
    let url = vacant.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    assert_eq!(get(binary.address(), "/").status(), 502);
}

#[test]
fn the_client_s_connection_survives_a_bad_gateway() {
    let origin = Origin::new(|request, _| match request.target() {
        "/bad" => vec![Step::Send("garbage\r\n\r\n".into()), Step::Close],
        _ => vec![ok("good")],
    });
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    assert_eq!(client.get("/bad").status(), 502);
    assert_eq!(client.get("/good").text(), "good");
}

#[test]
fn a_cut_body_never_looks_whole() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    let chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhalf";
    let last = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    let size = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n\r\n";
    for bytes in [length, chunk, last, size] {
        for end in [Step::Close, Step::Reset] {
            let steps = vec![Step::Send(bytes.into()), Step::Hold, end.clone()];
            let origin = Origin::new(move |_, _| steps.clone());
            let binary = Binary::start(&[origin.url()]);
            let mut client = binary.client();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            origin.wait_until(|counts| counts.requests == 1);
            origin.release();
            let response = client.response();
            let status = response.as_ref().map(crate::message::Message::status);
            // A head that was not passed on yet may still be turned into an error of our own.
            assert!(
                matches!(status, Err(_) | Ok(502)),
                "{bytes:?} then {end:?} gave {response:?}"
            );
        }
    }
}

#[test]
fn a_body_cut_by_a_reset_never_looks_whole_although_its_end_was_the_close() {
    let head = "HTTP/1.1 200 OK\r\n\r\nhalf";
    let origin = Origin::new(move |_, _| vec![Step::Send(head.into()), Step::Hold, Step::Reset]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    // The head and the first bytes are on their way before the reset can overtake them.
    let status = client.bytes("HTTP/1.1 200".len());
    assert_eq!(status, b"HTTP/1.1 200");
    origin.release();
    let rest = client.rest();
    let whole = rest.is_ok_and(|rest| {
        let rest = String::from_utf8_lossy(&rest).to_ascii_lowercase();
        !rest.contains("transfer-encoding: chunked") || rest.ends_with("0\r\n\r\n")
    });
    assert!(!whole, "the client saw a clean end");
}

#[test]
fn a_slow_backend_is_a_gateway_timeout() {
    let origin = Origin::new(|_, _| vec![Step::Hold, ok("too late")]);
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off", "--timeout-response", "200ms"]);
    let mut client = binary.client();
    assert_eq!(client.get("/").status(), 504);
    // Whoever did not answer in time may have executed the request: it goes nowhere else.
    assert_eq!(origin.counts().requests, 1);
}

#[test]
fn malformed_requests_are_refused_without_asking_a_backend() {
    let origin = Origin::saying("never");
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000));
    let long_field = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "a".repeat(17_000)
    );
    for (request, status) in [
        ("garbage\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
        ),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n",
            417,
        ),
        (long_target.as_str(), 414),
        (long_field.as_str(), 431),
    ] {
        let mut client = binary.client();
        client.send(request);
        let response = client.response().expect("a whole response");
        let shown = &request[..request.len().min(80)];
        assert_eq!(response.status(), status, "{shown:?}");
        client.assert_closed();
    }
    assert_eq!(origin.counts().requests, 0);
}

#[test]
fn an_answer_of_our_own_reaches_a_client_that_sends_megabytes_first() {
    let vacant = VacantPort::new();
    let binary = Binary::start(&[vacant.url(), "--probe".to_owned(), "off".to_owned()]);
    let mut client = binary.client();
    let body = vec![b'x'; 4_000_000];
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    client.send(&body);
    assert_eq!(client.response().expect("a whole response").status(), 502);
}

#[test]
fn a_second_server_is_called_by_its_own_name_when_the_client_names_none() {
    let first = Origin::new(|_, _| vec![Step::Close]);
    let second = Origin::new(|request, _| vec![ok(request.value("host"))]);
    let urls = [first.url(), second.url()];
    let binary = Binary::start(&[&urls[0], &urls[1], "--probe", "off"]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), second.address().to_string());
    assert_eq!(
        first.last_request().value("host"),
        first.address().to_string()
    );
}

#[test]
fn a_large_head_behind_a_large_interim_one_is_no_broken_answer() {
    let field = "a".repeat(9_000);
    let answer = format!(
        "HTTP/1.1 103 Early Hints\r\nLink: {field}\r\n\r\n\
         HTTP/1.1 200 OK\r\nX-Long: {field}\r\nContent-Length: 2\r\n\r\nok"
    );
    let origin = Origin::new(move |_, _| vec![Step::Send(answer.clone().into()), Step::Close]);
    let binary = Binary::start(&[&origin.url(), "--probe", "off"]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        client.response().expect("an interim response").status(),
        103
    );
    assert_eq!(client.response().expect("a whole response").text(), "ok");
}
