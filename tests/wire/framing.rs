//! Where a body ends: lengths, chunks, the end of the connection, no body at all; and the old
//! version of the protocol on either side.

use crate::binary::Binary;
use crate::client::get;
use crate::message::Framing;
use crate::origin::{Origin, Step, ok};

#[test]
fn a_body_may_end_with_its_length_its_last_chunk_or_its_connection() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        let origin = Origin::sending(bytes);
        let binary = Binary::start(&[origin.url()]);
        let response = get(binary.address(), "/");
        assert_eq!(response.text(), "hello", "{bytes}");
        assert_eq!(response.start, "HTTP/1.1 200 OK", "{bytes}");
    }
}

#[test]
fn an_empty_body_ends_at_once() {
    let origin = Origin::new(|_, _| vec![ok("")]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    assert_eq!(client.get("/").text(), "");
    assert_eq!(client.get("/").framing, Framing::Length);
}

#[test]
fn an_answer_to_head_has_a_length_and_no_body() {
    let origin = Origin::new(|request, _| match request.method() {
        "HEAD" => {
            vec![Step::Send(
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".into(),
            )]
        }
        _ => vec![ok("after")],
    });
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let response = client.response_to("HEAD").expect("a whole response");
    assert_eq!(response.value("content-length"), "5");
    assert_eq!(client.get("/").text(), "after");
}

#[test]
fn no_content_and_not_modified_have_no_body() {
    for status in ["204 No Content", "304 Not Modified"] {
        let head = format!("HTTP/1.1 {status}\r\nETag: \"x\"\r\n\r\n");
        let origin = Origin::new(move |request, _| match request.target() {
            "/empty" => vec![Step::Send(head.clone().into())],
            _ => vec![ok("after")],
        });
        let binary = Binary::start(&[origin.url()]);
        let mut client = binary.client();
        let response = client.get("/empty");
        assert_eq!(response.start, format!("HTTP/1.1 {status}"));
        assert_eq!(response.value("etag"), "\"x\"");
        assert_eq!(client.get("/").text(), "after");
    }
}

#[test]
fn interim_answers_come_before_the_final_one() {
    let origin = Origin::new(|_, _| {
        let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
        vec![Step::Send(early.into()), ok("final")]
    });
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    let first = client.get("/");
    assert_eq!(first.status(), 103);
    assert_eq!(first.value("link"), "</a.css>");
    assert_eq!(
        client.response().expect("the final response").text(),
        "final"
    );
}

#[test]
fn a_client_that_waits_for_100_gets_it_and_sends_its_body() {
    let origin = Origin::new(|request, _| vec![ok(request.text())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let interim = client.response().expect("a whole response");
    assert_eq!(interim.status(), 100);
    client.send("body");
    let response = client.response().expect("a whole response");
    assert_eq!((response.status(), response.text()), (200, "body"));
}

#[test]
fn a_client_of_the_old_version_gets_no_chunks_and_a_close() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nold\r\n4\r\n one\r\n0\r\n\r\n";
    let origin = Origin::new(move |_, _| vec![Step::Send(chunked.into())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    let response = client.response().expect("a whole response");
    assert_eq!(response.values("transfer-encoding"), [""; 0]);
    assert_eq!(response.text(), "old one");
    client.assert_closed();
}

#[test]
fn a_client_of_the_old_version_may_ask_to_stay() {
    let origin = Origin::saying("stay");
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    for _ in 0..3 {
        client.send("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        let response = client.response().expect("a whole response");
        let connection = response.value("connection").to_ascii_lowercase();
        assert_eq!(
            (connection.as_str(), response.text()),
            ("keep-alive", "stay")
        );
    }
}

#[test]
fn a_backend_of_the_old_version_costs_the_client_no_connection() {
    let origin = Origin::sending("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold");
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").text(), "old");
    }
    assert_eq!(origin.counts().carriers, 3);
}

#[test]
fn a_client_that_says_close_is_closed_after_its_answer() {
    let origin = Origin::saying("last");
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let response = client.response().expect("a whole response");
    assert_eq!(response.value("connection").to_ascii_lowercase(), "close");
    assert_eq!(response.text(), "last");
    client.assert_closed();
}

#[test]
fn a_client_that_ends_its_half_still_gets_its_answer() {
    let origin = Origin::new(|_, _| vec![Step::Hold, ok("late")]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.finish();
    origin.wait_until(|counts| counts.requests == 1);
    origin.release();
    assert_eq!(client.response().expect("a whole response").text(), "late");
}
