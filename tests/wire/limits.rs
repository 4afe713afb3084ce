//! What nobody may exceed, and what the program itself may not: slow heads, long ones, descriptors,
//! memory, the processor.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

use crate::PATIENCE;
use crate::binary::Binary;
use crate::client::{Client, get};
use crate::configuration::File;
use crate::eventually;
use crate::origin::Origin;
use crate::reload::Site;

/// A balancer without probes for one backend.
#[track_caller]
fn before(origin: &Origin) -> Binary {
    let url = origin.url();
    Binary::start(&["--probe", "off", &url])
}

/// A deadline that comes too early shows on a clock only.
#[expect(
    clippy::disallowed_methods,
    reason = "a lower bound; load cannot break it"
)]
fn clock() -> Instant {
    Instant::now()
}

/// A balancer whose listener has these limits.
#[track_caller]
fn limited(origin: &Origin, limits: &str) -> (Binary, File) {
    let file = File::new(
        &format!("limits-{}", origin.address().port()),
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\nlimits = {{ {limits} }}\n\
             [pool.app]\nbackends = [\"{}\"]\nhealth = {{ probe = \"off\" }}\n",
            origin.url()
        ),
    );
    (Binary::start_with_file(file.path()), file)
}

#[test]
fn a_body_that_is_too_long_is_413_and_no_backend_sees_the_end_of_it() {
    let origin = Origin::saying("there");
    let (mut binary, _file) = limited(&origin, "body = \"1KiB\"");
    let mut client = binary.client();
    for _ in 0..3 {
        assert_eq!(client.post("/", &"x".repeat(1024)).status(), 200);
    }
    assert_eq!(origin.counts().requests, 3);
    let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    // Said at once, without an invitation to send it.
    let told = format!("{head}Expect: 100-continue\r\nContent-Length: 1025\r\n\r\n");
    // Four chunks are as much as may come.
    let grown = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{}",
        chunk.repeat(5)
    );
    for request in [told, grown] {
        let mut client = binary.client();
        client.send(request);
        let response = client.response().expect("an answer");
        assert_eq!(response.status(), 413, "{response:?}");
        assert_eq!(response.value("connection"), "close");
        client.finish();
        assert_eq!(client.rest().expect("a clean end"), b"");
    }
    binary.wait_for("body_too_large");
    assert_eq!(origin.counts().requests, 3);
}

#[test]
fn a_connection_ends_with_its_last_request() {
    let origin = Origin::saying("there");
    let (binary, _file) = limited(&origin, "requests_per_connection = 3");
    let mut client = binary.client();
    for turn in 1..=3 {
        let response = client.get("/");
        assert_eq!(response.text(), "there");
        let closes = response.values("connection") == ["close"];
        assert_eq!(closes, turn == 3);
    }
    client.finish();
    client.assert_closed();
    assert_eq!(binary.client().get("/").text(), "there");
}

#[test]
fn a_head_that_trickles_in_is_cut_off_with_408_and_a_silent_client_without_a_word() {
    let origin = Origin::saying("never");
    let binary = before(&origin);
    // Before anybody connects: who comes in one turn of the loop has the time at which it began,
    // and a turn may last as long as a loaded machine likes.
    let start = clock();
    let mut silent = binary.client();
    let mut stream = TcpStream::connect(binary.address()).expect("a listening program");
    let pause = Some(Duration::from_millis(500));
    stream.set_read_timeout(pause).expect("a limit");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    stream.write_all(b"GET /").expect("an open connection");
    loop {
        assert!(start.elapsed() < PATIENCE, "it may trickle for ever");
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // It may be over already.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = stream.write_all(b"a");
            }
            // Who is kept from reading for longer than the program listens on is reset behind it.
            Err(_) if !answer.is_empty() => break,
            Err(error) => panic!("{error} before any answer"),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\n\r\n"), "a whole head: {answer}");
    // The timers' grain is coarser than the clock's.
    assert!(start.elapsed() >= Duration::from_millis(9_900), "too early");
    silent.assert_closed();
    assert_eq!(origin.counts().requests, 0);
}

#[test]
fn a_refusal_is_read_whole_by_a_client_that_goes_on_sending() {
    let origin = Origin::saying("never");
    let binary = before(&origin);
    let long_line = format!("GET /{} HTTP/1.1\r\n", "a".repeat(9_000));
    let long_head = format!("GET / HTTP/1.1\r\nX: {}\r\n", "a".repeat(17_000));
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (long_line.as_str(), 414),
        (long_head.as_str(), 431),
    ] {
        for _ in 0..10 {
            let mut client = binary.client();
            client.send(head);
            client.try_send(&vec![b'x'; 1 << 20]);
            let response = client.response().expect("a whole response");
            assert_eq!(response.status(), status);
        }
    }
    assert_eq!(origin.counts().requests, 0);
}

#[test]
fn a_refusal_waits_for_a_client_that_sends_everything_before_it_reads() {
    // Here it is the client's system, too, that sees whether anything it sent was not taken: a
    // reset would come instead of room for more.
    let origin = Origin::saying("never");
    let binary = before(&origin);
    for _ in 0..10 {
        let mut client = binary.client();
        client.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
        client.send(vec![b'x'; 1 << 20]);
        client.finish();
        let rest = client.rest().expect("a clean end");
        assert!(rest.starts_with(b"HTTP/1.1 400 "), "{rest:?}");
    }
}

#[test]
fn with_few_descriptors_clients_wait_their_turn() {
    let origin = Origin::saying("served");
    let url = origin.url();
    let binary = Binary::start_with_descriptors(64, &["--probe", "off", &url]);
    assert!(
        binary.has_said("at most 14 clients at a time"),
        "it should be told"
    );
    let mut clients: Vec<Client> = (0..200).map(|_| binary.client()).collect();
    assert_eq!(clients[0].get("/").text(), "served");
    clients[199].send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let effort = binary.process().effort();
    clients[199].assert_silent_for(Duration::from_secs(1));
    let effort = binary.process().effort() - effort;
    assert!(effort < 50, "{effort} hundredths of a second to wait one");
    // Whoever is in is served on, and whoever goes makes room.
    assert_eq!(clients[0].get("/").text(), "served");
    let last = clients.pop().expect("200 of them");
    for mut client in clients {
        assert_eq!(client.get("/").text(), "served");
    }
    let mut last = last;
    assert_eq!(last.response().expect("a whole response").text(), "served");
}

/// A connection that waits for another request gives way to the request that is there.
#[test]
fn what_is_kept_for_later_does_not_keep_a_request_from_its_backend() {
    let origins = [
        Origin::saying("a"),
        Origin::sending("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nb"),
    ];
    let mut arguments = vec!["--probe".to_owned(), "off".to_owned()];
    arguments.extend(origins.iter().map(Origin::url));
    let binary = Binary::start(&arguments);
    let mut client = binary.client();
    for body in ["a", "b"] {
        assert_eq!(client.get("/").text(), body);
    }
    // Room for nobody; what is open is the client's connection and one that is kept.
    let process = binary.process();
    let count = process.descriptors() as u64;
    let number = i32::try_from(process.0).ok().and_then(Pid::from_raw);
    let limit = Rlimit {
        current: Some(count),
        maximum: Some(count),
    };
    prlimit(number, Resource::Nofile, limit).expect("our own child");
    for body in ["a", "b", "a", "b"] {
        assert_eq!(client.get("/").text(), body);
    }
}

#[test]
fn descriptors_that_run_out_while_it_runs_hold_up_only_whoever_is_new() {
    let origin = Origin::saying("served");
    let mut binary = before(&origin);
    let process = binary.process();
    let mut first = binary.client();
    assert_eq!(first.get("/").text(), "served");
    // Room for four more; the connection to the backend is there already.
    let count = process.descriptors() as u64 + 4;
    let number = i32::try_from(process.0).ok().and_then(Pid::from_raw);
    let limit = Rlimit {
        current: Some(count),
        maximum: Some(count),
    };
    prlimit(number, Resource::Nofile, limit).expect("our own child");
    let mut clients: Vec<Client> = (0..40).map(|_| binary.client()).collect();
    binary.wait_for("cannot accept clients");
    let effort = process.effort();
    clients[39].assert_silent_for(Duration::from_secs(1));
    let effort = process.effort() - effort;
    assert!(effort < 50, "{effort} hundredths of a second to wait one");
    assert_eq!(first.get("/").text(), "served");
    for mut client in clients {
        assert_eq!(client.get("/").text(), "served");
    }
}

#[test]
fn thousands_of_idle_clients_leave_nothing_behind() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the soft limit may rise to the hard one");
    let origin = Origin::saying("served");
    let binary = before(&origin);
    let process = binary.process();
    // The connection to the backend is kept.
    let descriptors = process.descriptors() + 1;
    assert_eq!(get(binary.address(), "/").text(), "served");
    let calm = || {
        eventually("they are gone", || {
            assert_eq!(get(binary.address(), "/").text(), "served");
            process.descriptors() <= descriptors
        });
    };
    let memory = process.memory();
    for _ in 0..2 {
        let mut clients: Vec<Client> = (0..2_000).map(|_| binary.client()).collect();
        for client in &mut clients {
            assert_eq!(client.get("/").text(), "served");
        }
        assert!(process.descriptors() >= descriptors + 2_000);
        drop(clients);
        calm();
    }
    let grown = process.memory().saturating_sub(memory);
    assert!(grown < 4 << 10, "{grown} KiB stay behind");
}

/// An origin for long bodies both ways, and for a word in between.
fn long_origin(taken: impl Fn() + Send + Sync + 'static) -> Origin {
    Origin::raw(move |stream| {
        let Ok(mut twin) = stream.try_clone() else {
            return;
        };
        let mut reader = BufReader::with_capacity(4096, stream);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            let mut field = String::new();
            while reader.read_line(&mut field).is_ok_and(|count| count > 2) {
                field.clear();
            }
            let answered = match line.split(' ').nth(1) {
                Some("/up") => {
                    taken();
                    let same = passes(&mut reader);
                    write!(
                        twin,
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{same:<4}"
                    )
                }
                Some("/down") => send_long(&mut twin).map(|()| taken()),
                _ => twin.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nquick"),
            };
            if answered.is_err() {
                return;
            }
            line.clear();
        }
    })
}

fn send_long(to: &mut TcpStream) -> io::Result<()> {
    write!(to, "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n")?;
    (0..LENGTH)
        .step_by(PIECE)
        .try_for_each(|at| to.write_all(&piece(at)))
}

/// Whether the long body comes in as it should.
fn passes(from: &mut impl Read) -> bool {
    let mut bytes = vec![0; PIECE];
    (0..LENGTH)
        .step_by(PIECE)
        .all(|at| from.read_exact(&mut bytes).is_ok() && bytes == piece(at))
}

/// The piece of the long body that begins there.
fn piece(at: usize) -> Vec<u8> {
    let word = |at: usize| {
        (at as u64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .to_le_bytes()
    };
    (at..at + PIECE).step_by(8).flat_map(word).collect()
}

const LENGTH: usize = 64 << 20;
const PIECE: usize = 1 << 16;
/// KiB. The program itself, its debug information aside, takes a few thousand.
const MEMORY: u64 = 32 << 10;

/// Round trips of another client, in each of which the program could also do something for
/// whoever is slow.
#[track_caller]
fn pass_time(binary: &Binary) {
    let mut client = binary.client();
    for _ in 0..500 {
        assert_eq!(client.get("/").text(), "quick");
    }
}

#[test]
fn a_long_download_by_a_slow_client_is_not_held_in_memory() {
    let (sender, sent) = channel();
    let sender = Mutex::new(sender);
    let origin = long_origin(move || {
        let _ = sender.lock().expect("used once").send(());
    });
    let binary = before(&origin);
    let mut client = Client::narrow(binary.address());
    client.send("GET /down HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.bytes(12), b"HTTP/1.1 200");
    pass_time(&binary);
    assert_eq!(
        sent.try_recv(),
        Err(TryRecvError::Empty),
        "all of it is taken"
    );
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(client.bytes(1));
    }
    for at in (0..LENGTH).step_by(PIECE) {
        assert!(client.bytes(PIECE) == piece(at), "the body changed at {at}");
    }
    sent.recv_timeout(PATIENCE).expect("all of it was sent");
    let peak = binary.process().memory_peak();
    assert!(peak < MEMORY, "{peak} KiB");
}

#[test]
fn a_long_upload_to_a_slow_backend_is_not_held_in_memory() {
    let (asker, asked) = channel();
    let (giver, given) = channel::<()>();
    let ends = Mutex::new((asker, given));
    let origin = long_origin(move || {
        let (asker, given) = &*ends.lock().expect("used once");
        let _ = asker.send(());
        let _ = given.recv_timeout(PATIENCE);
    });
    let binary = before(&origin);
    let mut client = binary.client();
    let (sender, sent) = channel();
    let uploader = thread::spawn(move || {
        let head = "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length:";
        client.send(format!("{head} {LENGTH}\r\n\r\n"));
        for at in (0..LENGTH).step_by(PIECE) {
            client.send(piece(at));
        }
        let _ = sender.send(());
        client.response()
    });
    asked.recv_timeout(PATIENCE).expect("the head arrives");
    pass_time(&binary);
    assert_eq!(
        sent.try_recv(),
        Err(TryRecvError::Empty),
        "all of it is taken"
    );
    giver.send(()).expect("it waits");
    let response = uploader.join().expect("everything is sent");
    assert_eq!(response.expect("a whole response").text(), "true");
    let peak = binary.process().memory_peak();
    assert!(peak < MEMORY, "{peak} KiB");
}

/// Its answer has begun before its body is too long: the client is not whole, nor has it gone away.
#[test]
fn a_body_that_is_too_long_for_an_answer_that_has_begun_is_said_to_be() {
    let origin = Origin::raw(|stream| {
        let mut head = [0; 4096];
        let _ = stream.read(&mut head);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nearly");
        // Until the connection is torn down.
        while matches!(stream.read(&mut head), Ok(1..)) {}
    });
    let site = Site::start(
        "limits-late",
        &format!(
            "[admin]\nlisten = \"127.0.0.1:0\"\n\
             [[listener]]\nname = \"web\"\nlisten = \"127.0.0.1:0\"\nlimits.body = \"10B\"\n\
             [pool.app]\nbackends = [\"{}\"]\nhealth.probe = \"off\"\n",
            origin.url()
        ),
    );
    let mut client = Client::new(site.place("web"));
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n");
    let mut seen = Vec::new();
    while !seen.ends_with(b"early") {
        seen.extend(client.bytes(1));
    }
    client.send("6\r\nfghijk\r\n0\r\n\r\n");
    let error = client.rest().expect_err("a reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let all = site.admin.document("/api/v1/requests");
    let one = &all[0];
    assert_eq!(
        (&one["status"], &one["end"], &one["why"]),
        (
            &200.into(),
            &"PD".into(),
            &"the body is too large (body_too_large), which showed after the answer had begun"
                .into()
        )
    );
    let metrics = site.admin.ask("GET", "/metrics", "");
    let ends = metrics
        .text()
        .lines()
        .filter(|line| line.contains("end=\"limit\""));
    assert!(
        ends.into_iter().any(|line| line.ends_with(" 1")),
        "{}",
        metrics.text()
    );
}
