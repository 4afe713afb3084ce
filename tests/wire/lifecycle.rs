//! How it ends: signals, draining, exit codes.

use std::io::Read as _;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::binary::{Binary, kill};
use crate::client::{Client, get};
use crate::eventually;
use crate::origin::{Origin, Step, VacantPort, ok};

/// A balancer with one request running that the origin holds.
fn with_a_running_request() -> (Origin, Binary, Client) {
    let origin = Origin::new(|request, _| match request.target() {
        "/held" => vec![Step::Hold, ok("finished")],
        _ => vec![ok("quick")],
    });
    let url = origin.url();
    let binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    origin.wait_until(|counts| counts.requests == 1);
    (origin, binary, client)
}

#[test]
fn with_nothing_running_term_and_int_end_it_at_once() {
    for signal in ["TERM", "INT"] {
        let origin = Origin::saying("done");
        let mut binary = Binary::start(&[origin.url()]);
        // A client that could ask more, but does not, holds nobody up.
        let mut idle = binary.client();
        assert_eq!(idle.get("/").text(), "done");
        binary.signal(signal);
        assert_eq!(binary.exit_code(), Some(0), "{signal}");
        idle.assert_closed();
    }
}

#[test]
fn a_running_request_completes_before_the_end() {
    let (origin, mut binary, mut client) = with_a_running_request();
    binary.signal("TERM");
    binary.wait_for("drain");
    TcpStream::connect(binary.address()).expect_err("nobody new is let in");
    origin.release();
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "finished");
    // The client did not ask for the end, so it has to be told.
    assert_eq!(response.value("connection"), "close");
    client.assert_closed();
    assert_eq!(binary.exit_code(), Some(0));
    TcpStream::connect(binary.address()).expect_err("nobody listens any more");
}

#[test]
fn a_second_term_does_not_wait_for_anybody() {
    let (_origin, mut binary, mut client) = with_a_running_request();
    binary.signal("TERM");
    binary.wait_for("drain");
    binary.signal("TERM");
    // 3 says that connections were cut.
    let code = binary.exit_code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    client.response().expect_err("the request was cut");
}

#[test]
fn quit_does_not_wait_for_anybody() {
    let (_origin, mut binary, mut client) = with_a_running_request();
    binary.signal("QUIT");
    let code = binary.exit_code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    client.response().expect_err("the request was cut");
}

#[test]
fn quit_with_nobody_there_is_a_clean_end() {
    let origin = Origin::saying("done");
    let url = origin.url();
    let mut binary = Binary::start(&[&url, "--probe", "off"]);
    assert_eq!(binary.client().get("/").text(), "done");
    // The request is over for the client before it is for the program: the next one comes later.
    let mut client = binary.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(client.rest().map(|rest| rest.is_empty()).ok(), Some(false));
    binary.signal("QUIT");
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn a_drain_with_an_upload_under_way_lets_it_end() {
    let origin = Origin::new(|request, _| vec![ok(request.text())]);
    let url = origin.url();
    let mut binary = Binary::start(&[&url, "--probe", "off"]);
    let mut client = binary.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    // The backend is asked as soon as the head is there.
    origin.wait_until(|counts| counts.open == 1);
    binary.signal("TERM");
    binary.wait_for("drain");
    client.send("half");
    let response = client.response().expect("a whole response");
    assert_eq!(response.text(), "halfhalf");
    assert_eq!(response.value("connection"), "close");
    client.assert_closed();
    assert_eq!(binary.exit_code(), Some(0));
}

#[test]
fn a_drained_tunnel_ends_when_its_ends_do() {
    let origin = Origin::raw(|stream| {
        if let Ok(mut twin) = stream.try_clone() {
            let _ = std::io::copy(stream, &mut twin);
        }
    });
    let backend = format!("tcp://{}", origin.address());
    let mut binary = Binary::start(&[&backend]);
    let mut client = binary.client();
    client.send("before");
    assert_eq!(client.bytes(6), b"before");
    binary.signal("TERM");
    binary.wait_for("drain");
    client.send("after");
    assert_eq!(client.bytes(5), b"after");
    client.finish();
    assert_eq!(client.rest().expect("a clean end"), b"");
    assert_eq!(binary.exit_code(), Some(0));
}

/// A program whose log is not read; it ends with the test.
struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        // It has ended, if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whoever starts the program may not read what it says: it serves, and ends, all the same.
#[test]
fn a_log_that_nobody_reads_keeps_no_client_waiting() {
    let origin = Origin::saying("there");
    let vacant = VacantPort::new();
    let listen = vacant.address().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["-v", "-v", "-v", "--probe", "off", "--listen", &listen]);
    let child = command.arg(origin.url()).stderr(Stdio::piped()).spawn();
    let mut program = Unread(child.expect("the program"));
    eventually("it listens", || TcpStream::connect(&listen).is_ok());
    for _ in 0..3_000 {
        assert_eq!(get(vacant.address(), "/").text(), "there");
    }
    let mut log = program.0.stderr.take().expect("a pipe");
    kill(program.0.id(), "TERM");
    let mut text = String::new();
    // What it had no room for is written once there is some.
    let read = log.read_to_string(&mut text);
    assert!(read.expect("text") > 64 << 10, "more than a pipe holds");
    assert!(text.ends_with("stopped\n"), "{:?}", text.lines().last());
    assert_eq!(program.0.wait().expect("its end").code(), Some(0));
}
