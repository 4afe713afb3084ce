//! Delivery to the program over real sockets: what a session does in memory, the binary does too.
//!
//! Seen from outside, so reasons are known by the sentence that the client is told, and what a
//! connection is kept for is not known at all. One program, one backend, one case after the other:
//! all of them. A reset that follows bytes does not overtake them on loopback: what has arrived
//! before it can be read (Linux), so that those cases mean the same here.

use std::net::SocketAddr;
use std::time::Duration;

use tidegate::http::Reason;

use crate::case::{self, Case, Verdict};
use crate::delivery::{Origin, Proxy, Record, Split};
use crate::folder;
use crate::lane::{End, Lane};
use crate::notation::shown;
use crate::oracle;
use crate::program::Program;
use crate::reference;

/// Far beyond what any step takes on a loaded machine: it turns a hang into a message.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with one backend.
struct Balancer {
    lane: Lane,
    program: Program,
}

impl Balancer {
    fn start() -> Self {
        let lane = Lane::new();
        let program = Program::tidegate(lane.address());
        Self { lane, program }
    }
}

impl Proxy for Balancer {
    fn carry(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) -> Record {
        let lane = &mut self.lane;
        let connected = lane.connect(self.program.addresses[0], b"");
        connected.expect("the program listens");
        for piece in pieces {
            lane.send(piece);
        }
        lane.half_close();
        let ended = lane.run(origin, PATIENCE, |seen| seen.end.is_some());
        assert!(ended, "no end in {PATIENCE:?}");
        let seen = lane.finish();
        Record {
            connections: seen.connections,
            to_client: seen.to_client,
            reset: seen.end == Some(End::Reset),
            ..Record::default()
        }
    }
}

#[test]
fn the_program_does_what_a_session_does() {
    let cases = case::all(&folder());
    let mut balancer = Balancer::start();
    let backend = balancer.lane.address();
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
            if let Err(why) = check(case, backend, &record) {
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

fn leaves_a_rest(case: &Case) -> bool {
    case.early || matches!(case.verdict, Verdict::Abort { .. } | Verdict::Unfinished)
}

/// What can be seen from outside.
fn check(case: &Case, backend: SocketAddr, record: &Record) -> Result<(), String> {
    let back = record.to_client.as_slice();
    let switches = back.starts_with(b"HTTP/1.1 101 ");
    if !leaves_a_rest(case) && !switches {
        oracle::agreed(&record.received())?;
    }
    match &case.verdict {
        Verdict::Forward { .. } => {
            let known = !case.backend.is_empty() && !case.early;
            if known && named(&case.backend, backend) != record.received() {
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

/// What the backend must get, with the name that it has here.
fn named(bytes: &[u8], backend: SocketAddr) -> Vec<u8> {
    let name = b"backend.test:8080";
    let mut rest = bytes;
    let mut out = Vec::new();
    while let Some(at) = rest.windows(name.len()).position(|found| found == name) {
        out.extend_from_slice(&rest[..at]);
        out.extend(backend.to_string().bytes());
        rest = &rest[at + name.len()..];
    }
    out.extend_from_slice(rest);
    out
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
