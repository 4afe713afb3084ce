//! What is added to a head, what is taken out of it, and what is left alone.

use crate::binary::Binary;
use crate::client::get;
use crate::message::Message;
use crate::origin::{Origin, Step, ok};

/// What the backend sees of a GET with these fields.
#[track_caller]
fn forwarded(fields: &str) -> Message {
    let origin = Origin::saying("seen");
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send(format!("GET / HTTP/1.1\r\n{fields}\r\n"));
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "seen");
    origin.last_request()
}

#[test]
fn hop_by_hop_fields_of_a_request_stay_on_their_hop() {
    let seen = forwarded(
        "Host: a\r\nConnection: keep-alive, x-secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=9\r\n\
         Proxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\nX-Kept:  spaced value \r\n",
    );
    for gone in [
        "x-secret",
        "keep-alive",
        "proxy-connection",
        "te",
        "upgrade",
    ] {
        assert_eq!(seen.values(gone), [""; 0], "{gone} in {seen:?}");
    }
    assert_eq!(seen.value("x-kept"), "spaced value");
    let connection = seen.values("connection").join(",").to_ascii_lowercase();
    assert!(!connection.contains("x-secret"), "{seen:?}");
}

#[test]
fn hop_by_hop_fields_of_a_response_stay_on_their_hop() {
    let origin = Origin::new(|_, _| {
        let head = "HTTP/1.1 200 OK\r\nConnection: x-internal\r\nX-Internal: 1\r\n\
                    Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nX-Kept: 1\r\nServer: s\r\n\
                    Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n";
        vec![Step::Send(head.into())]
    });
    let binary = Binary::start(&[origin.url()]);
    let response = get(binary.address(), "/");
    for gone in ["x-internal", "keep-alive", "proxy-connection"] {
        assert_eq!(response.values(gone), [""; 0], "{gone} in {response:?}");
    }
    assert_eq!(response.value("x-kept"), "1");
    assert_eq!(response.value("server"), "s");
    assert_eq!(response.values("set-cookie"), ["a=1", "b=2"]);
}

#[test]
fn the_backend_learns_who_asked_for_what() {
    let seen = forwarded("Host: example.test\r\n");
    assert_eq!(seen.value("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.value("x-forwarded-proto"), "http");
    assert_eq!(seen.value("x-forwarded-host"), "example.test");
    assert!(seen.value("via").contains("1.1 tidegate"), "{seen:?}");
}

#[test]
fn what_a_client_says_of_itself_is_not_believed() {
    let seen = forwarded(
        "Host: example.test\r\nX-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n",
    );
    assert_eq!(seen.value("x-forwarded-for"), "127.0.0.1");
    assert_eq!(seen.value("x-forwarded-proto"), "http");
    assert_eq!(seen.value("x-forwarded-host"), "example.test");
}

#[test]
fn the_client_s_host_is_kept() {
    let seen = forwarded("Host: shop.example.test:8443\r\n");
    assert_eq!(seen.value("host"), "shop.example.test:8443");
}

#[test]
fn an_absolute_target_is_forwarded_as_a_path_if_it_names_the_host_of_the_request() {
    let origin = Origin::new(|request, _| vec![ok(request.value("host"))]);
    let binary = Binary::start(&[origin.url()]);
    let mut client = binary.client();
    client.send("GET http://right.test/a?b HTTP/1.1\r\nHost: right.test\r\n\r\n");
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "right.test");
    assert_eq!(origin.last_request().target(), "/a?b");
    client.send("GET http://right.test/a?b HTTP/1.1\r\nHost: wrong.test\r\n\r\n");
    assert_eq!(client.response().expect("a whole response").status(), 400);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn the_backend_learns_what_the_request_is_called_and_each_is_called_otherwise() {
    let named = "Host: a\r\nX-Request-Id: theirs\r\nx_request_id: theirs\r\n";
    for fields in ["Host: a\r\n", named] {
        let seen = forwarded(fields);
        let id = seen.value("x-request-id");
        assert_eq!(id.len(), 32, "{seen:?}");
        let plain = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(id.bytes().all(plain), "{seen:?}");
        assert_eq!(seen.values("x_request_id"), [""; 0], "{seen:?}");
        assert_ne!(id, forwarded(fields).value("x-request-id"));
    }
}
