//! The harness, tested without the program: a client talks to an origin directly. When these fail,
//! nothing that the other files say means anything.

use std::io::{self, Write as _};
use std::net::TcpStream;

use crate::client::{Client, get};
use crate::message::{Framing, Message};
use crate::origin::{Origin, Step, VacantPort, ok};

#[test]
fn an_origin_answers_one_request_after_the_other_and_counts() {
    let origin = Origin::new(|request, before| vec![ok(format!("{before}{}", request.text()))]);
    let mut client = Client::new(origin.address());
    assert_eq!(client.get("/").text(), "0");
    assert_eq!(client.post("/", "!").text(), "1!");
    assert_eq!(get(origin.address(), "/x").text(), "0");
    let counts = origin.counts();
    assert_eq!((counts.requests, counts.carriers), (3, 2));
    assert_eq!(origin.last_request().start, "GET /x HTTP/1.1");
    drop(client);
    origin.wait_until(|counts| counts.open == 0);
}

#[test]
fn a_stopped_origin_refuses_resets_and_comes_back() {
    let mut origin = Origin::new(|request, _| match request.target() {
        "/held" => vec![Step::Hold, ok("never")],
        _ => vec![ok("there")],
    });
    let mut idle = Client::new(origin.address());
    assert_eq!(idle.get("/").text(), "there");
    let mut held = Client::new(origin.address());
    held.send("GET /held HTTP/1.1\r\n\r\n");
    origin.wait_until(|counts| counts.requests == 2);
    for _ in 0..3 {
        origin.stop();
        let error = TcpStream::connect(origin.address()).expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        origin.start();
        assert_eq!(get(origin.address(), "/").text(), "there");
    }
    for client in [&mut idle, &mut held] {
        let error = client.rest().expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_vacant_port_refuses() {
    let vacant = VacantPort::new();
    let error = TcpStream::connect(vacant.address()).expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn what_is_held_goes_on_when_it_is_released() {
    let origin = Origin::new(|_, _| vec![Step::Hold, ok("late"), Step::Close]);
    let mut client = Client::new(origin.address());
    client.send("GET / HTTP/1.1\r\n\r\n");
    origin.wait_until(|counts| counts.requests == 1);
    origin.release();
    assert_eq!(client.response().expect("a response").text(), "late");
    client.assert_closed();
}

#[test]
fn closes_and_resets_can_be_told_apart() {
    let ends = |step: Step| {
        let origin = Origin::new(move |_, _| vec![step.clone()]);
        let mut client = Client::new(origin.address());
        client.send("GET / HTTP/1.1\r\n\r\n");
        client.rest().map_err(|error| error.kind())
    };
    assert_eq!(ends(Step::Close), Ok(Vec::new()));
    assert_eq!(ends(Step::Reset), Err(io::ErrorKind::ConnectionReset));
}

#[test]
fn a_raw_origin_has_the_connection_for_itself() {
    let origin = Origin::raw(|stream| {
        let _ = stream.write_all(b"first");
    });
    let mut client = Client::new(origin.address());
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"first");
}

#[test]
fn the_parser_knows_where_a_message_ends() {
    let parse = |text: &str| {
        let message = Message::response(&mut as_reader(text), "GET")?;
        let body = String::from_utf8(message.body).expect("text");
        Ok::<_, io::Error>((message.framing, body))
    };
    for (text, framing, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc",
            Framing::Length,
            "ab",
        ),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2;x\r\nab\r\n0\r\nT: 1\r\n\r\nz",
            Framing::Chunked,
            "ab",
        ),
        ("HTTP/1.1 200 OK\r\n\r\nabc", Framing::Close, "abc"),
        ("HTTP/1.1 204 OK\r\n\r\nabc", Framing::Nothing, ""),
    ] {
        assert_eq!(parse(text).expect(text), (framing, body.to_owned()));
    }
    for text in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
    ] {
        parse(text).expect_err(text);
    }
}

/// Two bytes at a time, as a network might.
fn as_reader(text: &str) -> io::BufReader<&[u8]> {
    io::BufReader::with_capacity(2, text.as_bytes())
}
