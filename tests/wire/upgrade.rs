//! Other protocols on a connection that began as HTTP: nothing of them passes before the backend
//! has agreed with a 101, and afterwards everything does.

use std::io::Read as _;
use std::io::Write as _;

use crate::binary::Binary;
use crate::origin::{Origin, ok};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\
                   Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Reads a head byte by byte, so that not a byte behind it is taken.
fn head(stream: &mut std::net::TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read_exact(&mut byte).is_err() {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("ASCII")
}

#[test]
fn after_the_101_bytes_pass_both_ways_and_each_half_ends_by_itself() {
    let origin = Origin::raw(|stream| {
        let asked = head(stream);
        assert!(asked.contains("Connection: upgrade\r\n"), "{asked}");
        assert!(
            asked.to_lowercase().contains("upgrade: websocket\r\n"),
            "{asked}"
        );
        assert!(asked.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
        let agreed = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\n\r\nfirst";
        let _ = stream.write_all(agreed.as_bytes());
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        all.reverse();
        let _ = stream.write_all(&all);
    });
    let binary = Binary::start(&[&origin.url(), "--probe", "off"]);
    let mut client = binary.client();
    // Bytes behind the head are held back until the backend has agreed.
    client.send(format!("{ASK}early-"));
    let mut seen = String::new();
    while !seen.ends_with("\r\n\r\nfirst") {
        seen.push(char::from(client.bytes(1)[0]));
    }
    assert!(seen.starts_with("HTTP/1.1 101 "), "{seen}");
    assert!(seen.contains("Connection: upgrade\r\n"), "{seen}");
    client.send("late");
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"etal-ylrae");
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer_and_the_last() {
    let origin = Origin::new(|request, _| vec![ok(request.target())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send(ASK);
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "/chat");
    assert_eq!(response.values("connection"), ["close"]);
    // Of the other protocol, perhaps, and sent before the answer was seen.
    client.try_send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    client.assert_closed();
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn bytes_behind_an_upgrade_without_a_backend_are_no_request() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let binary = Binary::start(&[&format!("http://{address}"), "--probe", "off"]);
    let mut client = binary.client();
    client.send(format!("{ASK}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.response().expect("a whole response").status(), 502);
    client.assert_closed();
}

#[test]
fn bytes_behind_a_refused_upgrade_are_no_request() {
    let origin = Origin::new(|request, _| vec![ok(request.target())]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send(format!("{ASK}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(client.response().expect("a whole response").text(), "/chat");
    client.assert_closed();
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_101_that_nobody_asked_for_is_a_bad_gateway() {
    let origin = Origin::sending("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    let binary = Binary::start(&[&origin.url(), "--probe", "off"]);
    assert_eq!(binary.client().get("/").status(), 502);
}

#[test]
fn http_2_is_never_asked_for() {
    let origin = Origin::saying("plain");
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    );
    assert_eq!(client.response().expect("a whole response").text(), "plain");
    assert!(origin.last_request().values("upgrade").is_empty());
}
