//! Listeners in the file system.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::PATIENCE;
use crate::binary::{Binary, run};
use crate::message::Message;
use crate::origin::{Origin, Step, ok};

/// A path of its own for a socket, in a directory that is gone with the test.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("tidegate-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("a directory for temporary files");
        Self(folder)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("web.sock")
    }

    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    pub(crate) fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).expect("a listening program");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// GET on that connection, with more fields.
pub(crate) fn ask(stream: &UnixStream, head: &str) -> Message {
    let mut to = stream;
    to.write_all(format!("GET / HTTP/1.1\r\nHost: a\r\n{head}\r\n").as_bytes())
        .expect("an open connection");
    Message::response(&mut BufReader::new(stream), "GET").expect("an answer")
}

#[test]
fn requests_come_through_a_file() {
    let place = Place::new();
    let origin = Origin::saying("there");
    for workers in ["1", "3"] {
        let listen = place.address();
        let url = origin.url();
        let log = place.0.join("access.log");
        let format = format!("common:{}", log.display());
        let common = ["-l", &listen, "--access-log", &format];
        let mut binary = Binary::start(&[&common[..], &["--workers", workers, &url]].concat());
        let data = fs::symlink_metadata(place.path()).expect("a file");
        assert!(data.file_type().is_socket());
        assert_eq!(data.permissions().mode() & 0o777, 0o666);
        for _ in 0..20 {
            let stream = place.connect();
            for _ in 0..3 {
                assert_eq!(ask(&stream, "").text(), "there");
            }
        }
        // There is no address to speak of, and what a client says of itself is not believed.
        ask(&place.connect(), "X-Forwarded-For: 192.0.2.1\r\n");
        let request = origin.last_request();
        assert!(request.values("x-forwarded-for").is_empty(), "{request:?}");
        assert_eq!(request.value("x-forwarded-host"), "a");
        binary.signal("TERM");
        assert_eq!(binary.exit_code(), Some(0));
        assert!(!place.path().exists(), "the file is left behind");
        let lines = fs::read_to_string(&log).expect("an access log");
        assert!(
            lines.lines().all(|line| line.starts_with("unix: - - [")),
            "{lines}"
        );
        assert_eq!(lines.lines().count(), 61);
        fs::remove_file(&log).expect("just read");
    }
}

#[test]
fn who_comes_through_a_file_may_be_believed() {
    let place = Place::new();
    let origin = Origin::saying("there");
    let file = crate::configuration::File::new(
        "unix",
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nlisten = \"{}\"\ntrusted_proxies = [\"unix:\"]\nforwarded = \"both\"\n\
             [pool.app]\nbackends = [\"{}\"]\nhealth = {{ probe = \"off\" }}\n",
            place.address(),
            origin.url()
        ),
    );
    let _binary = Binary::start_with_file(file.path());
    ask(
        &place.connect(),
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\nX-Forwarded-Proto: https\r\n",
    );
    let request = origin.last_request();
    assert_eq!(request.value("x-forwarded-for"), "192.0.2.1, 192.0.2.2");
    assert_eq!(request.value("x-forwarded-proto"), "https");
    assert!(request.value("forwarded").starts_with("for=unknown;"));
}

#[test]
fn long_bodies_and_tunnels_pass_whole() {
    let place = Place::new();
    let body: Vec<u8> = (0..1_u32 << 20).flat_map(u32::to_le_bytes).collect();
    let sent = body.clone();
    let origin = Origin::new(move |request, _| {
        assert!(request.body == sent, "it arrived changed");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", sent.len());
        vec![Step::Send([head.as_bytes(), &request.body].concat())]
    });
    let binary = Binary::start(&["-l", &place.address(), &origin.url()]);
    let stream = place.connect();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (&stream).write_all(head.as_bytes()).expect("room");
    (&stream).write_all(&body).expect("a reader");
    let response = Message::response(&mut BufReader::new(&stream), "POST").expect("an answer");
    assert!(response.body == body, "the body came back changed");
    drop(binary);

    let echo = Origin::raw(|stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(&all);
    });
    let place = Place::new();
    let url = format!("tcp://{}", echo.address());
    let _binary = Binary::start(&["-l", &place.address(), &url]);
    let mut stream = place.connect();
    stream.write_all(&body).expect("a reader");
    stream.shutdown(Shutdown::Write).expect("open");
    let mut back = Vec::new();
    stream.read_to_end(&mut back).expect("a clean end");
    assert!(back == body, "the bytes changed");
}

#[test]
fn a_dead_file_is_replaced_and_a_live_one_is_not() {
    let place = Place::new();
    let listen = place.address();
    // Bound by somebody who is gone: the file stays.
    drop(UnixListener::bind(place.path()).expect("a free path"));
    let origin = Origin::new(|_, _| vec![ok("first")]);
    let url = origin.url();
    let mut binary = Binary::start(&["-l", &listen, &url]);
    assert_eq!(ask(&place.connect(), "").text(), "first");
    for workers in ["1", "2"] {
        let second = run(&["-l", &listen, "--workers", workers, &url]);
        assert_eq!(second.status.code(), Some(1), "{second:?}");
        assert!(second.stderr.contains(&listen), "{second:?}");
    }
    assert_eq!(ask(&place.connect(), "").text(), "first");
    // Somebody else's file is not ours to remove.
    fs::remove_file(place.path()).expect("a file");
    let _other = UnixListener::bind(place.path()).expect("a free path");
    binary.signal("TERM");
    assert_eq!(binary.exit_code(), Some(0));
    assert!(place.path().exists());
    // Nor is what is no socket.
    fs::remove_file(place.path()).expect("a file");
    fs::write(place.path(), "precious").expect("a directory");
    let third = run(&["-l", &listen, &url]);
    assert_eq!(third.status.code(), Some(1), "{third:?}");
    assert_eq!(fs::read(place.path()).expect("still there"), b"precious");
}
