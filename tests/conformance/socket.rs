//! Delivery to the program over real sockets: what a session does in memory, the binary does too.
//!
//! Seen from outside, so reasons are known by the sentence that the client is told, and what a
//! connection is kept for is not known at all. One program, one backend, one case after the other.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tidegate::http::Reason;

use crate::case::{self, Case, Ending, Verdict};
use crate::delivery::{Connection, Origin, Proxy, Record, Split};
use crate::folder;
use crate::notation::shown;
use crate::oracle;
use crate::reference::{self, Reader};

/// Far beyond what any step takes on a loaded machine: it turns a hang into a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with one backend. It is killed when this goes.
struct Balancer {
    child: Child,
    address: SocketAddr,
    backend: Arc<Mutex<Backend>>,
}

/// What the backend says and has heard since it was last told what to say.
#[derive(Default)]
struct Backend {
    answer: Vec<u8>,
    ending: Ending,
    early: bool,
    received: Vec<u8>,
    /// Whole requests.
    served: usize,
}

impl Balancer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let backend = Arc::new(Mutex::new(Backend::default()));
        let shared = backend.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let backend = shared.clone();
                thread::spawn(move || serve(stream, &backend));
            }
        });
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidegate"))
            .args(["--listen", "127.0.0.1:0", "--probe", "off"])
            .arg(format!("http://127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("it was asked for"));
        let address = listening(&mut log);
        // Whatever else it says is read, so that it never waits for us.
        thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Self {
            child,
            address,
            backend,
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy for Balancer {
    fn carry(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) -> Record {
        *lock(&self.backend) = Backend {
            answer: origin.answer.to_vec(),
            ending: origin.ending,
            early: origin.early,
            ..Backend::default()
        };
        let mut client = TcpStream::connect(self.address).expect("the program listens");
        client.set_nodelay(true).expect("our own socket");
        let limit = Some(PATIENCE);
        client.set_read_timeout(limit).expect("our own socket");
        for piece in pieces {
            // It may have been told enough, and be gone.
            if client.write_all(piece).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Write);
        let mut record = Record::default();
        if let Err(error) = client.read_to_end(&mut record.to_client) {
            assert_ne!(
                error.kind(),
                io::ErrorKind::WouldBlock,
                "no end in {PATIENCE:?}"
            );
            record.reset = true;
        }
        let backend = lock(&self.backend);
        record.connections.push(Connection {
            received: backend.received.clone(),
            ..Connection::default()
        });
        record
    }
}

fn lock(backend: &Mutex<Backend>) -> std::sync::MutexGuard<'_, Backend> {
    backend.lock().expect("nobody panics with it")
}

/// The address that the program says it listens on.
fn listening(log: &mut impl BufRead) -> SocketAddr {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let count = log.read_line(&mut line).expect("a log in text");
        assert!(count > 0, "it ended:\n{seen}");
        if let Some((_, after)) = line.split_once("listening on ") {
            let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
            let address = &after[..end.unwrap_or(after.len())];
            return address.parse().expect("an address in the log");
        }
        seen.push_str(&line);
    }
}

/// One connection of the backend.
fn serve(mut stream: TcpStream, backend: &Mutex<Backend>) {
    let _ = stream.set_nodelay(true);
    let mut unread = Vec::new();
    let mut bytes = [0; 16 * 1024];
    let mut answered = false;
    loop {
        let count = match stream.read(&mut bytes) {
            Ok(count) if count > 0 => count,
            _ => return,
        };
        unread.extend_from_slice(&bytes[..count]);
        let mut state = lock(backend);
        state.received.extend_from_slice(&bytes[..count]);
        loop {
            let whole = reference::request(Reader::Strict, &unread);
            let scripted = state.served == 0;
            let head = reference::head_length(&unread).is_some();
            let method: Vec<u8> = unread.iter().copied().take_while(|b| *b != b' ').collect();
            if let Ok((_, length)) = whole {
                unread.drain(..length);
                state.served += 1;
                if std::mem::take(&mut answered) {
                    continue;
                }
            } else if scripted && state.early && head && !answered {
                answered = true;
            } else {
                break;
            }
            let origin = Origin {
                answer: &state.answer,
                ending: state.ending,
                early: state.early,
                plain: 0,
                split: Split::Whole,
            };
            let said = stream.write_all(&origin.answer(scripted, &method));
            if said.is_err() || (scripted && state.ending == Ending::Ends) {
                return;
            }
        }
    }
}

#[test]
fn the_program_does_what_a_session_does() {
    let mut cases: Vec<Case> = case::all(&folder())
        .into_iter()
        .filter(is_sendable)
        .collect();
    // What a backend gets only the beginning of may reach it late: last, when it is in no way.
    cases.sort_by_key(leaves_a_rest);
    let mut balancer = Balancer::start();
    let mut wrong = Vec::new();
    for case in &cases {
        for split in [Split::Whole, Split::Lines] {
            let origin = Origin {
                answer: &case.answer,
                ending: case.ending,
                early: case.early,
                plain: 0,
                split,
            };
            let record = balancer.carry(&split.pieces(&case.client), &origin);
            if let Err(why) = check(case, &record) {
                let got = shown(&record.received());
                let back = shown(&record.to_client);
                let name = &case.name;
                wrong.push(format!("{name} ({split:?}): {why}\n--- {got}\n--- {back}"));
            }
        }
    }
    println!("{} cases over sockets", cases.len());
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

/// Resets throw away what was sent before them, on either side: that is the network's verdict.
fn is_sendable(case: &Case) -> bool {
    case.ending != Ending::Resets && case.client.len() < 50_000
}

fn leaves_a_rest(case: &Case) -> bool {
    case.early || matches!(case.verdict, Verdict::Abort { .. } | Verdict::Unfinished)
}

/// What can be seen from outside.
fn check(case: &Case, record: &Record) -> Result<(), String> {
    let back = record.to_client.as_slice();
    let switches = back.starts_with(b"HTTP/1.1 101 ");
    if !leaves_a_rest(case) && !switches {
        oracle::agreed(&record.received())?;
    }
    match &case.verdict {
        Verdict::Forward { .. } => {
            let known = !case.backend.is_empty() && !case.early && !names_backend(case);
            if known && case.backend != record.received() {
                return Err("the backend got something else".to_owned());
            }
            if !case.shown.is_empty() && case.shown != back {
                return Err("the client got something else".to_owned());
            }
            expect(back.starts_with(b"HTTP/1.1 ") && !record.reset, "an answer")
        }
        Verdict::Refuse { status, code } => {
            expect(record.received().is_empty(), "nothing at the backend")?;
            told(back, *status, Some(code))
        }
        Verdict::Abort { status, code } => told(back, *status, Some(code)),
        Verdict::Broken { .. } | Verdict::Lost => told(back, 502, None),
        Verdict::Unfinished => expect(back.is_empty(), "no answer"),
        Verdict::Cut => {
            let whole = reference::response(back, b"GET", false).is_ok();
            expect(!whole && record.reset, "a visible cut")
        }
    }
}

/// Whether what is forwarded has the backend's own name in it, which is another one here.
fn names_backend(case: &Case) -> bool {
    let name = b"backend.test";
    case.backend
        .windows(name.len())
        .any(|window| window == name)
}

fn told(back: &[u8], status: u16, code: Option<&String>) -> Result<(), String> {
    let start = format!("HTTP/1.1 {status} ");
    expect(back.starts_with(start.as_bytes()), &start)?;
    let Some(code) = code else { return Ok(()) };
    let reason = Reason::all().find(|reason| reason.code() == code);
    let why = format!("{}\n", reason.ok_or("no such reason")?.why());
    expect(back.ends_with(why.as_bytes()), &why)
}

fn expect(so: bool, what: &str) -> Result<(), String> {
    if so {
        Ok(())
    } else {
        Err(format!("{what} expected"))
    }
}
