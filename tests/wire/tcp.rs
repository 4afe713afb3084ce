//! Bytes as they are: tcp mode.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::binary::Binary;
use crate::eventually;
use crate::origin::{Origin, VacantPort};

/// Sends back what comes, and ends when the client has ended.
fn echo(stream: &mut TcpStream) {
    if let Ok(mut twin) = stream.try_clone() {
        let _ = io::copy(stream, &mut twin);
        let _ = twin.shutdown(Shutdown::Write);
    }
}

/// As a backend on the command line.
fn url(origin: &Origin) -> String {
    format!("tcp://{}", origin.address())
}

#[test]
fn bytes_come_back_and_each_half_ends_by_itself() {
    // The backend says its last word after it has seen the client's end: only a half-close that
    // is passed on, and does not close the other half, lets that through.
    let origin = Origin::raw(|stream| {
        echo_until_end(stream);
        let _ = stream.write_all(b"goodbye");
    });
    let binary = Binary::start(&[url(&origin)]);
    let mut client = binary.client();
    client.send(b"\x00\xff\r\n\r\n");
    assert_eq!(client.bytes(6), b"\x00\xff\r\n\r\n");
    client.send("more");
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"moregoodbye");
}

fn echo_until_end(stream: &mut TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(count) = stream.read(&mut bytes) {
        if count == 0 || stream.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn megabytes_pass_unchanged() {
    let origin = Origin::raw(echo);
    let binary = Binary::start(&[url(&origin)]);
    let mut client = binary.client();
    let piece: Vec<u8> = (0..=250).cycle().take(50_003).collect();
    for _ in 0..100 {
        client.send(&piece);
        assert!(client.bytes(piece.len()) == piece, "the bytes changed");
    }
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"");
}

#[test]
fn a_server_may_speak_first() {
    let origin = Origin::raw(|stream| {
        let _ = stream.write_all(b"220 ready\r\n");
    });
    let binary = Binary::start(&[url(&origin)]);
    let mut client = binary.client();
    assert_eq!(client.rest().expect("a clean end"), b"220 ready\r\n");
}

#[test]
fn connections_take_turns() {
    let origins = [b"a", b"b"].map(|name| {
        Origin::raw(move |stream| {
            let _ = stream.write_all(name);
        })
    });
    let mut arguments = vec!["--probe".to_owned(), "off".to_owned()];
    arguments.extend(origins.iter().map(url));
    let binary = Binary::start(&arguments);
    let names: Vec<Vec<u8>> = (0..10)
        .map(|_| binary.client().rest().expect("a clean end"))
        .collect();
    assert!(names.chunks(2).all(|turn| turn == &names[..2]), "{names:?}");
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_backend_that_refuses_is_skipped_unseen() {
    let vacant = VacantPort::new();
    let origin = Origin::raw(echo);
    let dead = format!("tcp://{}", vacant.address());
    let alive = url(&origin);
    let binary = Binary::start(&[&dead, &alive, "--probe", "off"]);
    for _ in 0..10 {
        let mut client = binary.client();
        client.send("through");
        client.finish();
        assert_eq!(client.rest().expect("a clean end"), b"through");
    }
}

#[test]
fn a_reset_of_the_backend_reaches_the_client_as_a_reset() {
    let mut origin = Origin::raw(echo_until_end);
    let binary = Binary::start(&[url(&origin)]);
    let mut client = binary.client();
    client.send("here");
    assert_eq!(client.bytes(4), b"here");
    origin.stop();
    let error = client.rest().expect_err("a reset, not a clean end");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_goes_away_frees_the_backend() {
    let origin = Origin::raw(echo);
    let backend = url(&origin);
    let binary = Binary::start(&[backend.as_str(), "--probe", "off"]);
    let mut client = binary.client();
    client.send("here");
    assert_eq!(client.bytes(4), b"here");
    drop(client);
    origin.wait_until(|counts| counts.connections > 0 && counts.open == 0);
    eventually("the program still serves", || {
        let mut next = binary.client();
        next.send("x");
        next.bytes(1) == b"x"
    });
}
