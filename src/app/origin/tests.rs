//! An origin over real sockets.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use super::*;
use crate::os::MioKernel;

/// An origin on a thread, until this goes.
struct Running {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn new(options: Options) -> Self {
        let options = Options {
            listen: SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)),
            ..options
        };
        let mut kernel = MioKernel::new().unwrap();
        let mut origin = Origin::new(options, &mut kernel).unwrap();
        let address = origin.address();
        let over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&over);
        let thread = thread::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                let until = kernel.now() + Span::millis(5);
                origin.turn(&mut kernel, Some(until));
            }
        });
        Self {
            address,
            over,
            thread: Some(thread),
        }
    }

    /// Everything that comes back until the origin closes.
    fn ask(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    fn ask_text(&self, request: &str) -> String {
        String::from_utf8(self.ask(request.as_bytes())).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().unwrap();
        assert!(thread.join().is_ok() || thread::panicking());
    }
}

const CLOSE: &str = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Running::new(Options::default());
    let requests = format!(
        "GET /say/1 HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n\
         POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi{CLOSE}"
    );
    let answers = origin.ask_text(&requests);
    let bodies: Vec<&str> = answers
        .split("HTTP/1.1 200 OK\r\n")
        .skip(1)
        .map(|answer| answer.split_once("\r\n\r\n").unwrap().1)
        .collect();
    assert_eq!(bodies, ["hello from A, 1\n", "", "hi", "hello from A\n"]);
    assert_eq!(answers.matches("X-Origin: A\r\n").count(), 4);
}

#[test]
fn a_large_body_arrives_whole_behind_a_slow_reader() {
    const SIZE: usize = 5_000_001;
    let origin = Running::new(Options {
        size: Some(SIZE as u64),
        ..Options::default()
    });
    let answer = origin.ask(CLOSE.as_bytes());
    let start = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let body = &answer[start..];
    assert_eq!(body.len(), SIZE);
    assert!(
        body.chunks(64)
            .all(|line| answer::pattern(0).starts_with(line))
    );
}

#[test]
fn a_large_body_is_echoed() {
    let origin = Running::new(Options::default());
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut request = b"PUT /echo HTTP/1.1\r\nConnection: close\r\n".to_vec();
    request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(30_000) {
        request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert!(origin.ask(&request).ends_with(&body));
}

#[test]
fn answers_are_held_back_and_stay_in_order() {
    let origin = Running::new(Options {
        delay: Span::millis(30),
        status: 503,
        ..Options::default()
    });
    let clock = MioKernel::new().unwrap();
    let before = clock.now();
    let answers = origin.ask_text(&format!("GET /say/1 HTTP/1.1\r\n\r\n{CLOSE}"));
    assert!(clock.now().since(before) >= Span::millis(60));
    assert_eq!(answers.matches("HTTP/1.1 503 ").count(), 2);
    assert!(answers.contains("A, 1\n") && answers.ends_with("hello from A\n"));
}

#[test]
fn garbage_is_refused_in_a_way_that_its_sender_can_read() {
    let origin = Running::new(Options::default());
    let mut garbage = vec![b'x'; 100_000];
    garbage.extend_from_slice(b"\r\n\r\n");
    let mut stream = TcpStream::connect(origin.address).unwrap();
    // The origin may stop reading before everything was written.
    let _ = stream.write_all(&garbage[..20_000]);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = origin.ask_text("nonsense\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("Connection: close\r\n\r\n"), "{answer}");
}

#[test]
fn a_client_that_waits_for_leave_gets_it() {
    let origin = Running::new(Options::default());
    let mut stream = TcpStream::connect(origin.address).unwrap();
    let head = "POST /echo HTTP/1.1\r\nConnection: close\r\n\
                Expect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
}

#[test]
fn death_resets_and_refuses_and_revival_ends_that() {
    let mut kernel = MioKernel::new().unwrap();
    let options = Options {
        listen: SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)),
        ..Options::default()
    };
    let mut origin = Origin::new(options, &mut kernel).unwrap();
    let address = origin.address();
    let mut stream = TcpStream::connect(address).unwrap();
    while origin.connections.is_empty() {
        origin.turn(&mut kernel, None);
    }
    origin.kill(&mut kernel);
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = TcpStream::connect(address).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    origin.revive(&mut kernel).unwrap();
    assert!(TcpStream::connect(address).is_ok());
}
