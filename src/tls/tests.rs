//! Goal: a channel carries bytes whole or says that it did not, however they are cut, and tells
//! an operator what is wrong with a certificate. Method: two channels back to back, with buffers
//! between them instead of sockets.

use std::collections::VecDeque;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use rcgen::CertificateParams;
use rcgen::date_time_ymd;
use rustls::ServerConfig;
use rustls::ServerConnection;

use super::channel::Outcome;
use super::fixture_tests::Authority;
use super::fixture_tests::pair;
use super::fixture_tests::pem;
use super::fixture_tests::server as served;
use super::pem::certificates;
use super::pem::private_key;
use super::*;
use crate::base::Fault;
use crate::base::TlsFault;

/// One direction of a transport.
struct Pipe {
    bytes: VecDeque<u8>,
    /// Bytes it holds at most.
    room: usize,
    /// Bytes per read and write, one after the other and round again.
    cuts: Vec<usize>,
    turn: usize,
    ended: bool,
}

impl Pipe {
    fn new(room: usize, cuts: &[usize]) -> Self {
        Self {
            bytes: VecDeque::new(),
            room,
            cuts: cuts.to_vec(),
            turn: 0,
            ended: false,
        }
    }

    fn cut(&mut self) -> usize {
        self.turn += 1;
        self.cuts[self.turn % self.cuts.len()]
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = into.len().min(self.cut());
        self.bytes.read(&mut into[..count])
    }
}

impl Write for Pipe {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let count = from.len().min(self.cut()).min(self.room - self.bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.bytes.write(&from[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Two channels and what is between them.
struct Bench {
    client: Channel,
    server: Channel,
    up: Pipe,
    down: Pipe,
}

impl Bench {
    fn new(client: Channel, server: Channel, cuts: &[usize]) -> Self {
        Self {
            client,
            server,
            up: Pipe::new(usize::MAX, cuts),
            down: Pipe::new(usize::MAX, cuts),
        }
    }

    fn of(pair: &(ClientTls, ServerTls), cuts: &[usize]) -> Self {
        Self::new(
            pair.0.connect("origin.test").unwrap(),
            pair.1.accept().unwrap(),
            cuts,
        )
    }

    /// Moves ciphertext until nothing moves any more.
    fn settle(&mut self) {
        loop {
            let mut moved = step(&mut self.client, &mut self.down, &mut self.up);
            moved |= step(&mut self.server, &mut self.up, &mut self.down);
            if !moved {
                return;
            }
        }
    }
}

fn step(channel: &mut Channel, from: &mut Pipe, to: &mut Pipe) -> bool {
    let emitted = channel.emit(to).is_ok_and(|count| count > 0);
    let absorbed = channel.is_open() && channel.absorb(from).is_ok_and(|count| count > 0);
    emitted || absorbed
}

/// What can be read, and what came instead of more.
fn read_all(channel: &mut Channel) -> (Vec<u8>, Outcome) {
    let mut all = Vec::new();
    let mut into = [0; 700];
    loop {
        match channel.read(&mut into) {
            Outcome::Moved(count) => all.extend_from_slice(&into[..count]),
            last @ (Outcome::Empty | Outcome::Ended | Outcome::Broke(_)) => return (all, last),
        }
    }
}

fn certificate_fault(client: &ClientTls, server: &ServerTls, name: &str) -> (Fault, String) {
    let channel = client.connect(name).unwrap();
    let mut bench = Bench::new(channel, server.accept().unwrap(), &[usize::MAX]);
    bench.settle();
    assert!(bench.client.handshaking());
    assert_eq!(bench.client.write(b"secret"), 0);
    let Outcome::Broke(seen) = bench.server.read(&mut [0]) else {
        panic!("the server must hear of it");
    };
    assert_eq!(seen, Fault::Tls(TlsFault::Alert));
    (
        bench.client.fault().unwrap(),
        bench.client.complaint().unwrap(),
    )
}

#[test]
fn every_fragmentation_carries_the_same_bytes() {
    let pair = pair("origin.test");
    for cuts in [
        &[1][..],
        &[usize::MAX],
        &[2, 3, 5],
        &[1, 4096, 7, 60, 1, 1, 900],
    ] {
        let mut bench = Bench::of(&pair, cuts);
        bench.settle();
        assert!(!bench.client.handshaking() && !bench.server.handshaking());
        assert_eq!(bench.client.write(b"question"), 8);
        bench.settle();
        assert_eq!(
            read_all(&mut bench.server),
            (b"question".to_vec(), Outcome::Empty)
        );
        assert_eq!(bench.server.write(b"answer"), 6);
        bench.settle();
        assert_eq!(
            read_all(&mut bench.client),
            (b"answer".to_vec(), Outcome::Empty)
        );
    }
}

#[test]
fn ten_mebibytes_pass_through_a_narrow_pipe_with_little_held_back() {
    let total = 10 << 20;
    let mut bench = Bench::of(&pair("origin.test"), &[9000, 333, 4096]);
    bench.settle();
    bench.down.room = 10_000;
    let pattern: Vec<u8> = (0..total).map(|index: u32| (index % 251) as u8).collect();
    let (mut written, mut seen) = (0, 0);
    let mut into = vec![0; 5000];
    while seen < pattern.len() {
        written += bench.server.write(&pattern[written..]);
        let moved = step(&mut bench.server, &mut bench.up, &mut bench.down);
        while let Outcome::Moved(count) = bench.client.read(&mut into) {
            assert_eq!(into[..count], pattern[seen..seen + count]);
            seen += count;
        }
        let taken = bench.client.absorb(&mut bench.down).is_ok();
        // In the channels and the pipe together: out, in, and the pipe itself.
        assert!(written - seen <= limits::TLS_BUFFER_BYTES + 40_000 + 10_000);
        assert!(moved || taken || seen == pattern.len(), "stuck at {seen}");
    }
    assert_eq!(written, pattern.len());
}

#[test]
fn both_ends_close_independently() {
    let mut bench = Bench::of(&pair("origin.test"), &[usize::MAX]);
    bench.settle();
    bench.client.write(b"last");
    bench.client.finish();
    bench.settle();
    assert_eq!(
        read_all(&mut bench.server),
        (b"last".to_vec(), Outcome::Ended)
    );
    assert!(bench.server.closed_cleanly() && !bench.client.closed_cleanly());
    assert!(!bench.server.has_news());
    bench.server.write(b"still here");
    bench.server.finish();
    bench.settle();
    assert_eq!(
        read_all(&mut bench.client),
        (b"still here".to_vec(), Outcome::Ended)
    );
    // The transport's own end changes nothing.
    bench.down.ended = true;
    assert_eq!(bench.client.absorb(&mut bench.down).unwrap(), 0);
    assert_eq!(bench.client.read(&mut [0]), Outcome::Ended);
}

#[test]
fn a_cut_stream_is_never_a_clean_end() {
    let pair = pair("origin.test");
    // Cut at every byte of the server's answer and of its close_notify.
    for keep in 0.. {
        let mut bench = Bench::of(&pair, &[usize::MAX]);
        bench.settle();
        bench.server.write(b"body");
        bench.server.finish();
        while bench.server.emit(&mut bench.down).unwrap() > 0 {}
        if keep == bench.down.bytes.len() {
            assert!(keep > 40);
            return;
        }
        bench.down.bytes.truncate(keep);
        bench.down.ended = true;
        bench.settle();
        while bench.client.absorb(&mut bench.down).unwrap() > 0 {}
        let (bytes, last) = read_all(&mut bench.client);
        assert!(b"body".starts_with(&bytes));
        assert_eq!(last, Outcome::Broke(Fault::Ended));
        assert!(!bench.client.closed_cleanly());
    }
}

#[test]
fn an_end_before_or_in_the_handshake_is_a_fault() {
    let pair = pair("origin.test");
    let mut bench = Bench::of(&pair, &[usize::MAX]);
    bench.down.ended = true;
    assert_eq!(bench.client.absorb(&mut bench.down).unwrap(), 0);
    assert_eq!(bench.client.read(&mut [0]), Outcome::Broke(Fault::Ended));
    let mut bench = Bench::of(&pair, &[usize::MAX]);
    bench.server.finish();
    while bench.server.emit(&mut bench.down).unwrap() > 0 {}
    bench.down.ended = true;
    // The word itself is worth nothing yet: anyone can send it in clear. The end counts.
    assert!(bench.client.absorb(&mut bench.down).unwrap() > 0);
    assert_eq!(bench.client.absorb(&mut bench.down).unwrap(), 0);
    assert_eq!(bench.client.read(&mut [0]), Outcome::Broke(Fault::Ended));
}

#[test]
fn what_is_no_tls_is_a_protocol_fault_after_what_was() {
    let mut bench = Bench::of(&pair("origin.test"), &[usize::MAX]);
    bench.down.bytes.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    bench.settle();
    let broken = Outcome::Broke(Fault::Tls(TlsFault::Protocol));
    assert_eq!(bench.client.read(&mut [0]), broken);
    assert!(bench.client.complaint().is_some());

    let mut bench = Bench::of(&pair("origin.test"), &[usize::MAX]);
    bench.settle();
    bench.server.write(b"good");
    while bench.server.emit(&mut bench.down).unwrap() > 0 {}
    bench.down.bytes.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    bench.settle();
    assert_eq!(read_all(&mut bench.client), (b"good".to_vec(), broken));
}

#[test]
fn what_is_no_tls_is_a_fault_after_our_own_end_too() {
    let mut bench = Bench::of(&pair("origin.test"), &[usize::MAX]);
    bench.settle();
    bench.client.finish();
    bench.settle();
    bench.down.bytes.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    bench.settle();
    let broken = Outcome::Broke(Fault::Tls(TlsFault::Protocol));
    assert_eq!(bench.client.read(&mut [0]), broken);
}

#[test]
fn certificates_are_checked_for_issuer_name_and_date() {
    let authority = Authority::new();
    let trusting = ClientTls::new(Some(authority.pem().as_bytes()), true).unwrap();
    let (certificate, key) = authority.issue("origin.test");
    let server = served(&certificate, &key).unwrap();
    let refused = Fault::Tls(TlsFault::Certificate);

    let (fault, why) = certificate_fault(&trusting, &server, "other.test");
    assert_eq!(fault, refused);
    assert!(why.contains("other.test"), "{why}");

    let strange = ClientTls::new(None, true).unwrap();
    let (fault, why) = certificate_fault(&strange, &server, "origin.test");
    assert_eq!(fault, refused);
    assert!(why.contains("UnknownIssuer"), "{why}");

    let mut params = CertificateParams::new(["origin.test".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2001, 1, 1);
    let (certificate, key) = authority.issue_with(params);
    let expired = served(&certificate, &key).unwrap();
    let (fault, why) = certificate_fault(&trusting, &expired, "origin.test");
    assert_eq!(fault, refused);
    assert!(why.contains("expired"), "{why}");

    let careless = ClientTls::new(None, false).unwrap();
    for server in [&server, &expired] {
        let channel = careless.connect("other.test").unwrap();
        let mut bench = Bench::new(channel, server.accept().unwrap(), &[usize::MAX]);
        bench.settle();
        assert!(!bench.client.handshaking() && !bench.server.handshaking());
    }
}

#[test]
fn names_are_taken_as_people_write_them() {
    let (client, server) = pair("origin.test");
    for name in ["origin.test", "Origin.TEST", "origin.test."] {
        let channel = client.connect(name).unwrap();
        let mut bench = Bench::new(channel, server.accept().unwrap(), &[usize::MAX]);
        bench.settle();
        assert!(!bench.client.handshaking(), "{name}");
    }
    for (address, name) in [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("::1", "::1")] {
        let (client, server) = pair(address);
        let channel = client.connect(name).unwrap();
        let mut bench = Bench::new(channel, server.accept().unwrap(), &[usize::MAX]);
        bench.settle();
        assert!(!bench.client.handshaking(), "{name}");
    }
    for name in ["", "a b", "a..b", "[::1", "."] {
        assert_eq!(
            client.connect(name).unwrap_err(),
            TlsSetupError::BadServerName
        );
    }
}

#[test]
fn the_second_connection_resumes_also_from_a_clone() {
    let pair = pair("origin.test");
    let cloned = (pair.0.clone(), pair.1.clone());
    let mut first = Bench::of(&cloned, &[usize::MAX]);
    first.settle();
    assert!(!first.client.resumed());
    let mut second = Bench::of(&pair, &[usize::MAX]);
    second.settle();
    assert!(second.client.resumed() && second.server.resumed());
}

#[test]
fn a_server_of_the_older_version_works_and_resumes() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("origin.test");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            certificates(certificate.as_bytes()).unwrap(),
            private_key(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let client = ClientTls::new(Some(authority.pem().as_bytes()), true).unwrap();
    for resumed in [false, true] {
        let server = ServerConnection::new(Arc::clone(&config)).unwrap();
        let server = Channel::new(Box::new(Connection::Server(server)));
        let mut bench = Bench::new(client.connect("origin.test").unwrap(), server, &[1]);
        bench.settle();
        assert_eq!(bench.client.resumed(), resumed);
        bench.server.write(b"old");
        bench.settle();
        assert_eq!(read_all(&mut bench.client).0, b"old");
    }
}

#[test]
fn bad_files_are_told_apart() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("origin.test");
    let (_, foreign_key) = authority.issue("origin.test");
    let none = ClientTls::new(Some(b"# nothing here\n"), true).unwrap_err();
    assert_eq!(none, TlsSetupError::NoCertificate);
    for bad in [
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        &pem("CERTIFICATE", "eHg="),
    ] {
        let text = format!("{}{bad}", authority.pem());
        let error = ClientTls::new(Some(text.as_bytes()), true).unwrap_err();
        assert!(
            matches!(error, TlsSetupError::BadCertificate { position: 2, .. }),
            "{error}"
        );
    }
    let error = served(&certificate, "").unwrap_err();
    assert_eq!(error, TlsSetupError::NoKey);
    let error = served(&key, &key).unwrap_err();
    assert_eq!(error, TlsSetupError::NoCertificate);
    let error = served(&certificate, &foreign_key).unwrap_err();
    assert!(matches!(error, TlsSetupError::BadKey { .. }), "{error}");
}

#[test]
fn certificates_tell_trusts_apart() {
    let [one, other] = [Authority::new(), Authority::new()].map(|authority| authority.pem());
    let trust = |pem: &str, verify| Trust::new(Some(pem.as_bytes()), verify).unwrap();
    let first = trust(&one, true);
    assert_eq!(first, trust(&one, true));
    for strange in [trust(&one, false), trust(&other, true)] {
        assert_ne!(first, strange);
        assert!(!ClientTls::from(&first).is_like(&strange));
    }
    assert!(ClientTls::from(&first).is_like(&trust(&one, true)));
}
