//! The cases once more, over real sockets against the real program.
//!
//! In memory the session alone is judged, in every way that bytes can be cut. Here each case is
//! sent once, as it is, and what comes of it must be what came of it in memory, to the byte: the
//! engine adds nothing and loses nothing. No outcome is decided by a clock: a refusal is there
//! when the program closes, a forward when it is answered; [`PATIENCE`] only bounds a failure.

use std::thread;
use std::time::{Duration, Instant};

use crate::case::{self, Case, Verdict};
use crate::delivery::{Origin, Proxy, Record, Split};
use crate::lane::{End, Lane, Seen};
use crate::machine::Machine;
use crate::notation::{bytes, shown};
use crate::oracle;
use crate::program::Program;
use crate::reference::{self, Message, Reader};

#[test]
#[expect(clippy::disallowed_methods, reason = "told, and not judged by")]
fn every_case_comes_out_over_sockets_as_in_memory() {
    let begun = Instant::now();
    let cases = case::all();
    let wrong: Vec<String> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|at| {
                let mine: Vec<&Case> = cases.iter().skip(at).step_by(LANES).collect();
                scope.spawn(move || one_lane(&mine))
            })
            .collect();
        let ended = lanes.into_iter();
        ended
            .flat_map(|lane| lane.join().expect("a lane panicked"))
            .collect()
    });
    println!(
        "{} cases over sockets in {:.1} s",
        cases.len(),
        begun.elapsed().as_secs_f64()
    );
    assert!(
        wrong.is_empty(),
        "{} cases are wrong over sockets:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(cases.len() >= 400);
}

/// Everything that is wrong with these, one program and one backend for all of them.
fn one_lane(cases: &[&Case]) -> Vec<String> {
    let mut trip = Trip {
        lane: Lane::new(),
        machine: Machine::new(),
    };
    let program = Program::tidegate(trip.lane.address());
    let mut wrong = Vec::new();
    for case in cases {
        let result = trip.check(case, &program);
        let seen = trip.lane.finish();
        if let Err(why) = result {
            wrong.push(format!(
                "{}\n  {why}\n--- backend got\n{}--- client got\n{}",
                case.name,
                brief(&seen.received()),
                brief(&seen.to_client)
            ));
        }
    }
    wrong
}

/// The two ways that a case goes.
struct Trip {
    lane: Lane,
    machine: Machine,
}

impl Trip {
    fn check(&mut self, case: &Case, program: &Program) -> Result<(), String> {
        let origin = Origin {
            answer: &case.answer,
            ending: case.ending,
            early: case.early,
            plain: 0,
            split: Split::Whole,
        };
        let memory = self.machine.carry(&[&case.client], &origin);
        let (sent, _) = reference::requests(Reader::Strict, &case.client);
        // An answer that is early is so for certain only if the last byte is yet to come.
        let bytes = &case.client[..case.client.len() - usize::from(case.early)];
        self.lane
            .connect(program.addresses[0], bytes)
            .map_err(|error| format!("connecting: {error}"))?;
        if case.verdict == Verdict::Unfinished {
            self.lane.half_close();
        } else if !memory.closed {
            self.until(&origin, "answers", |seen| {
                seen.answers(&sent).len() >= sent.len() || seen.end.is_some()
            })?;
        }
        if memory.closed || case.verdict == Verdict::Unfinished {
            self.until(&origin, "the end", |seen| seen.end.is_some())?;
        }
        let expected = self.in_place(&memory.received());
        self.judge(case, &memory, &sent, &expected)?;
        self.goes_on(case, program)
    }

    fn until(
        &mut self,
        origin: &Origin<'_>,
        what: &str,
        enough: impl Fn(&Seen) -> bool,
    ) -> Result<(), String> {
        if self.lane.run(origin, PATIENCE, enough) {
            return Ok(());
        }
        Err(format!("waited in vain for {what}"))
    }

    /// What a backend gets in memory, with the address that the backend has here.
    fn in_place(&self, received: &[u8]) -> Vec<u8> {
        let own = self.lane.address().to_string();
        let mut out = Vec::new();
        let mut rest = received;
        while let Some(first) = rest.first() {
            if let Some(behind) = rest.strip_prefix(b"backend.test:80") {
                out.extend(own.as_bytes());
                rest = behind;
            } else {
                out.push(*first);
                rest = &rest[1..];
            }
        }
        out
    }

    /// Against the verdict, and against memory.
    fn judge(
        &self,
        case: &Case,
        memory: &Record,
        sent: &[Message],
        expected: &[u8],
    ) -> Result<(), String> {
        let seen = self.lane.seen();
        let answers = seen.answers(sent);
        let last = answers.last().map_or(0, Message::status);
        let status = |wanted: u16| same("status", &wanted, &last);
        match &case.verdict {
            Verdict::Forward { .. } => {
                if !case.backend.is_empty() {
                    same_bytes("backend", &self.in_place(&case.backend), &seen.received())?;
                }
                if !case.shown.is_empty() {
                    same_bytes("client", &case.shown, &seen.to_client)?;
                }
            }
            Verdict::Refuse { status: wanted, .. } => {
                same("connections to a backend", &0, &seen.connections.len())?;
                status(*wanted)?;
            }
            Verdict::Abort { status: wanted, .. } => {
                same("requests", &0, &oracle::agreed(&seen.received())?.len())?;
                status(*wanted)?;
            }
            Verdict::Unfinished => {
                same("requests", &0, &oracle::agreed(&seen.received())?.len())?;
            }
            Verdict::Broken { .. } | Verdict::Lost => status(502)?,
            Verdict::Cut => {
                same("end", &Some(End::Reset), &seen.end)?;
                // A reset may overtake what was sent before it.
                same(
                    "begins so",
                    &true,
                    &memory.to_client.starts_with(&seen.to_client),
                )?;
                return same_bytes("backend", expected, &seen.received());
            }
        }
        let ends = memory.closed || case.verdict == Verdict::Unfinished;
        same("end", &ends.then_some(End::Finished), &seen.end)?;
        same_bytes("client", &memory.to_client, &seen.to_client)?;
        // How much of a request has gone by when its end is found wrong is a matter of pieces.
        let partly = matches!(case.verdict, Verdict::Abort { .. } | Verdict::Unfinished);
        if partly || case.early {
            return Ok(());
        }
        same(
            "connections",
            &memory.connections.len(),
            &seen.connections.len(),
        )?;
        same_bytes("backend", expected, &seen.received())
    }

    /// The next request, of this client if its connection is kept, finds the program as it should
    /// be, and nothing of this case comes late.
    fn goes_on(&mut self, case: &Case, program: &Program) -> Result<(), String> {
        let plain = Origin {
            answer: b"",
            ending: case.ending,
            early: false,
            plain: usize::MAX,
            split: Split::Whole,
        };
        let before = self.lane.seen().connections.len();
        let received: Vec<usize> = lengths(self.lane.seen());
        if self.lane.seen().end.is_some() {
            self.lane
                .connect(program.addresses[0], MARK_SENT)
                .map_err(|error| format!("connecting again: {error}"))?;
        } else {
            self.lane.send(MARK_SENT);
        }
        self.until(&plain, "the next answer", |seen| {
            seen.to_client == MARK_ANSWER || seen.end.is_some()
        })?;
        let seen = self.lane.seen();
        same_bytes("the next answer", MARK_ANSWER, &seen.to_client)?;
        let kept = before == seen.connections.len();
        if let Some(wanted) = case.kept {
            same("the backend's connection kept", &wanted, &kept)?;
        }
        let now = lengths(seen);
        let mut grown = Vec::new();
        for (at, connection) in seen.connections.iter().enumerate() {
            let old = received.get(at).copied().unwrap_or_default();
            if now[at] > old {
                grown.extend(&connection.received[old..]);
            }
        }
        let mark = bytes("GET /mark HTTP/1.1\\r\\nHost: mark\\r\\n{hop mark}\\r\\n\\r\\n");
        same_bytes("the next request", &mark, &grown)
    }
}

fn lengths(seen: &Seen) -> Vec<usize> {
    let all = seen.connections.iter();
    all.map(|one| one.received.len()).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, wanted: &T, got: &T) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    Err(format!("{what}: expected {wanted:?}, got {got:?}"))
}

fn same_bytes(what: &str, wanted: &[u8], got: &[u8]) -> Result<(), String> {
    if wanted == got {
        return Ok(());
    }
    Err(format!("{what}: expected\n{}", brief(wanted)))
}

/// For people, who do not read a body of many thousand bytes.
fn brief(bytes: &[u8]) -> String {
    let (first, rest) = bytes.split_at(bytes.len().min(1_000));
    let more = match rest.len() {
        0 => String::new(),
        count => format!("... and {count} bytes\n"),
    };
    shown(first) + &more
}

/// Programs, each with a backend and a thread of its own.
const LANES: usize = 3;

/// Far more than anything takes; a failure is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(30);

const MARK_SENT: &[u8] = b"GET /mark HTTP/1.1\r\nHost: mark\r\n\r\n";

const MARK_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nVia: 1.1 tidegate\r\nContent-Length: 2\r\n\r\nok";
