//! Requests go through, answers come back: methods, bodies, connections that are used again.

use std::fmt::Write as _;

use crate::binary::Binary;
use crate::client::get;
use crate::message::Framing;
use crate::origin::{Origin, Step, ok};

/// A body in which a lost, doubled or displaced piece shows.
fn long_body() -> String {
    let mut body = String::new();
    for number in 0..100_000 {
        writeln!(body, "{number:09}").expect("a string takes everything");
    }
    body
}

/// Answers with the body of the request, framed as the request was.
fn echo() -> Origin {
    Origin::new(|request, _| {
        let body = request.text();
        if request.framing != Framing::Chunked {
            return vec![ok(body)];
        }
        let mut text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
        for chunk in body.as_bytes().chunks(70_001) {
            let chunk = std::str::from_utf8(chunk).expect("digits");
            write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).expect("a string takes everything");
        }
        vec![Step::Send((text + "0\r\n\r\n").into())]
    })
}

#[test]
fn a_get_reaches_the_backend_and_its_answer_the_client() {
    let origin = Origin::saying("hello");
    let binary = Binary::start(&[origin.url()]);
    let response = get(binary.address(), "/a/b?c=d");
    assert_eq!(response.start, "HTTP/1.1 200 OK");
    assert_eq!(response.text(), "hello");
    assert_eq!(origin.last_request().start, "GET /a/b?c=d HTTP/1.1");
}

#[test]
fn methods_targets_and_statuses_are_left_alone() {
    let head = "HTTP/1.1 418 I'm a teapot\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let origin = Origin::sending(head);
    let binary = Binary::start(&[origin.url()]);
    for (line, target) in [
        ("DELETE /x//y/../z;v=1 HTTP/1.1", "/x//y/../z;v=1"),
        ("PROPFIND /%7Euser?q=%00&r HTTP/1.1", "/%7Euser?q=%00&r"),
        ("OPTIONS * HTTP/1.1", "*"),
    ] {
        let mut client = binary.client();
        client.send(format!("{line}\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        let response = client.response().expect("a whole response");
        assert_eq!(response.start, "HTTP/1.1 418 I'm a teapot");
        assert_eq!(origin.last_request().target(), target, "{line}");
    }
}

#[test]
fn many_requests_share_one_connection_on_both_sides() {
    let origin = Origin::saying("again");
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "again");
    }
    let counts = origin.counts();
    assert_eq!((counts.requests, counts.carriers), (20, 1));
}

#[test]
fn a_backend_connection_serves_one_client_after_the_other() {
    let origin = Origin::saying("next");
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    for _ in 0..10 {
        assert_eq!(get(binary.address(), "/").text(), "next");
    }
    assert_eq!(origin.counts().carriers, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::new(|request, _| vec![ok(request.target())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    let mut requests = String::new();
    for number in 0..10 {
        write!(
            requests,
            "POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        )
        .expect("a string takes everything");
    }
    client.send(requests);
    for number in 0..10 {
        let response = client.response().expect("a whole response");
        assert_eq!(response.text(), format!("/{number}"));
    }
    let bodies: Vec<Vec<u8>> = origin.requests().into_iter().map(|r| r.body).collect();
    assert_eq!(bodies, vec![b"abc".to_vec(); 10]);
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let origin = Origin::new(|request, _| vec![ok(request.text())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    let request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    for byte in request.as_bytes() {
        client.send([*byte]);
    }
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "abcde");
}

#[test]
fn long_bodies_pass_whole_both_ways() {
    let origin = echo();
    let binary = Binary::start(&[origin.url()]);
    let body = long_body();
    assert_eq!(binary.client().post("/", &body).text(), body);
}

#[test]
fn long_chunked_bodies_pass_whole_both_ways() {
    let origin = echo();
    let binary = Binary::start(&[origin.url()]);
    let body = long_body();
    let mut client = binary.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.as_bytes().chunks(33_333) {
        client.send(format!("{:X}\r\n", chunk.len()));
        client.send(chunk);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    let response = client.response().expect("a whole response");
    assert_eq!(response.framing, Framing::Chunked);
    assert!(response.text() == body, "the body came back changed");
}
