//! Delivery to the session itself, in memory: no socket, no clock, every step accounted for.
//!
//! The driver does what the engine does, as plainly as can be, and holds the session to its
//! contract on the way: `Wait` twice is `Wait` twice, a session that waits has a deadline, every
//! step leads on.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use tidegate::base::buffer::Pool;
use tidegate::base::random::Random;
use tidegate::base::time::Moment;
use tidegate::base::{Fault, Side};
use tidegate::config::Mode;
use tidegate::limits;
use tidegate::session::{Can, Dialled, Incident, Outcome, Policy, Session, Step, Way};

use crate::case::Ending;
use crate::delivery::{Connection, Origin, Proxy, Record, Split};
use crate::reference::{self, Reader};

/// Steps that one input may take; far more than any needs.
const STEPS_MAX: usize = 400_000;

/// Sessions, one after the other, with memory that they share.
pub(crate) struct Machine {
    pool: Pool,
    policy: Rc<Policy>,
    scratch: Vec<u8>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let policy = Policy {
            request_head: limits::HEAD_BYTES_MAX,
            tries: 3,
            ..Policy::default()
        };
        Self {
            pool: Pool::new(2),
            policy: Rc::new(policy),
            scratch: Vec::new(),
        }
    }
}

impl Proxy for Machine {
    fn carry(&mut self, pieces: &[&[u8]], origin: &Origin<'_>) -> Record {
        let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let session = Session::new(Mode::Http, self.policy.clone(), client, Moment(1));
        let seed = if let Split::Random(seed) = origin.split {
            seed
        } else {
            0
        };
        let mut run = Run {
            machine: self,
            session,
            origin,
            random: Random::new(seed),
            client: Stream::new(pieces),
            server: Stream::new(&[]),
            attached: None,
            idle: None,
            requests: 0,
            record: Record::default(),
        };
        run.go();
        run.record
    }
}

/// Bytes on their way to the session.
#[derive(Default)]
struct Stream {
    /// What can be read now.
    here: Vec<u8>,
    read: usize,
    /// What comes later, piece by piece.
    later: VecDeque<Vec<u8>>,
    /// What follows the bytes.
    ending: Ending,
    /// The bytes are over, and so is the stream.
    ended: bool,
    told: bool,
}

impl Stream {
    fn new(pieces: &[&[u8]]) -> Self {
        Self {
            later: pieces.iter().map(|piece| piece.to_vec()).collect(),
            ..Self::default()
        }
    }

    fn readable(&self) -> bool {
        self.read < self.here.len() || (self.ended && !self.told)
    }

    /// The next piece arrives; false if there is none.
    fn arrive(&mut self) -> bool {
        if let Some(piece) = self.later.pop_front() {
            if self.read == self.here.len() {
                (self.here, self.read) = (piece, 0);
            } else {
                self.here.extend(piece);
            }
            return true;
        }
        let ends = self.ending != Ending::Stays && !self.ended;
        self.ended |= ends;
        ends
    }

    fn is_over(&self) -> bool {
        self.later.is_empty() && self.read == self.here.len()
    }
}

struct Run<'a, 'o> {
    machine: &'a mut Machine,
    session: Session,
    origin: &'a Origin<'o>,
    random: Random,
    client: Stream,
    /// From the backend's connection that is attached.
    server: Stream,
    attached: Option<usize>,
    idle: Option<usize>,
    /// Requests that a backend has seen, all connections together.
    requests: usize,
    record: Record,
}

impl Run<'_, '_> {
    fn go(&mut self) {
        for _ in 0..STEPS_MAX {
            let can = Can::NOTHING
                .with_read(Side::Client, self.client.readable())
                .with_write(Side::Client, true)
                .with_read(
                    Side::Server,
                    self.attached.is_some() && self.server.readable(),
                )
                .with_write(Side::Server, self.attached.is_some());
            let step = self.session.next(can);
            self.record.incidents.extend(self.session.incident());
            match step {
                Step::Fill(_) | Step::Pour(_) => unreachable!("no pipes were offered"),
                Step::Read(side) => self.read(side),
                Step::Write(side) => self.write(side),
                Step::Finish(side) => {
                    let switched = matches!(self.session, Session::Tunnel(_));
                    let fine = side == Side::Client || switched;
                    assert!(fine, "a server that speaks HTTP is never half-closed");
                    self.record.finished |= side == Side::Client;
                    self.session.finished(side, Moment(1));
                }
                Step::Dial(_) => self.dial(),
                Step::Redial(_) => panic!("nothing expires here"),
                Step::Park => self.detach(true),
                Step::Drop => self.detach(false),
                Step::Wait => {
                    assert_eq!(self.session.next(can), Step::Wait, "a wait that was none");
                    assert!(self.session.deadline().is_some(), "a wait without an end");
                    self.reclaim();
                    if !self.arrive() {
                        panic!("stuck: {:?}", self.session);
                    }
                }
                Step::End(outcome) => {
                    self.end(outcome);
                    return;
                }
            }
            self.record.incidents.extend(self.session.incident());
        }
        panic!("no end after {STEPS_MAX} steps: {:?}", self.session);
    }

    /// Something new to read on one of the sides; at last both close.
    fn arrive(&mut self) -> bool {
        let mixed = matches!(self.origin.split, Split::Random(_));
        let client_first = mixed && self.random.permille(500);
        if client_first && self.client.arrive() {
            return true;
        }
        if self.attached.is_some() && self.server.arrive() {
            return true;
        }
        if self.client.arrive() {
            return true;
        }
        if !self.client.ended {
            self.client.ended = true;
            return true;
        }
        if let Some(answer) = self.record.answers.last_mut() {
            answer.2 = true;
        }
        self.record.forced = true;
        !std::mem::replace(&mut self.server.ended, true)
    }

    fn read(&mut self, side: Side) {
        let half = self.session.half_mut(side);
        if !half.has_window() {
            half.lend(self.machine.pool.take().expect("a window for each half"));
        }
        let stream = match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        };
        let unread = &stream.here[stream.read..];
        let scratch = &mut self.machine.scratch;
        if !unread.is_empty() {
            let space = half.space();
            let count = unread.len().min(space.len());
            assert!(count > 0, "asked to read without room");
            space[..count].copy_from_slice(&unread[..count]);
            stream.read += count;
            self.session.filled(side, count, scratch, Moment(1));
            self.note_switch();
        } else {
            assert!(
                stream.ended && !stream.told,
                "asked to read what is not there"
            );
            stream.told = true;
            if stream.ending == Ending::Resets {
                self.session
                    .broke(side, Way::Reading, Fault::Reset, scratch, Moment(1));
            } else {
                self.session.ended(side, scratch, Moment(1));
            }
        }
    }

    /// From here on the backend's connection is of another protocol.
    fn note_switch(&mut self) {
        if let (Session::Tunnel(_), Some(at)) = (&self.session, self.attached) {
            let connection = &mut self.record.connections[at];
            let length = connection.received.len();
            connection.switched.get_or_insert(length);
        }
    }

    fn write(&mut self, side: Side) {
        let pending = self.session.pending(side);
        assert!(!pending.is_empty(), "asked to write nothing");
        let mut count = pending.len();
        if matches!(self.origin.split, Split::Random(_)) && self.random.permille(300) {
            count = 1 + usize::try_from(self.random.below(count as u64)).expect("below a usize");
            count = count.min(pending.len());
        }
        match side {
            Side::Client => self.record.to_client.extend_from_slice(&pending[..count]),
            Side::Server => {
                let at = self.attached.expect("a connection to write to");
                self.record.connections[at]
                    .received
                    .extend_from_slice(&pending[..count]);
            }
        }
        self.session.wrote(side, count, Moment(1));
        if side == Side::Server {
            self.serve();
        }
    }

    fn dial(&mut self) {
        let reused = self.idle.is_some();
        let at = self.idle.take().unwrap_or_else(|| {
            self.record.connections.push(Connection::default());
            self.record.connections.len() - 1
        });
        self.attached = Some(at);
        self.server = Stream::default();
        let got = Dialled {
            authority: "backend.test:8080",
            own_host: false,
            reused,
            number: 0,
        };
        self.session
            .dialled(got, &mut self.machine.scratch, Moment(1));
    }

    fn detach(&mut self, clean: bool) {
        let at = self.attached.take().expect("a connection to give up");
        // What the engine finds when it looks at a kept connection again.
        let kept = clean && self.server.is_over() && self.server.ending == Ending::Stays;
        self.record.kept.push(kept);
        self.idle = kept.then_some(at);
        self.server = Stream::default();
        assert!(
            self.session.half(Side::Server).unjudged().is_empty(),
            "bytes for the next one"
        );
    }

    /// The backend looks at what it has got and answers what is whole.
    fn serve(&mut self) {
        let Some(at) = self.attached else { return };
        let connection = &mut self.record.connections[at];
        if connection.switched.is_some() {
            return;
        }
        let scripted = self.requests == self.origin.plain;
        let unread = &connection.received[connection.judged..];
        let early = scripted && self.origin.early && reference::head_length(unread).is_some();
        if let Ok((_, length)) = reference::request(Reader::Strict, unread) {
            connection.judged += length;
            if std::mem::take(&mut connection.answered) {
                return;
            }
        } else if early && !connection.answered {
            connection.answered = true;
        } else {
            return;
        }
        self.requests += 1;
        let method: Vec<u8> = unread
            .iter()
            .copied()
            .take_while(|byte| *byte != b' ')
            .collect();
        let answer = self.origin.answer(scripted, &method);
        let pieces = self.origin.split.pieces(&answer);
        self.server
            .later
            .extend(pieces.iter().map(|piece| piece.to_vec()));
        if scripted {
            self.server.ending = self.origin.ending;
        }
        let ended = self.server.ending != Ending::Stays;
        self.record.answers.push((method, answer, ended));
        while early && !self.server.later.is_empty() {
            self.server.arrive();
        }
    }

    fn reclaim(&mut self) {
        for side in [Side::Client, Side::Server] {
            if let Some(window) = self.session.half_mut(side).reclaim() {
                self.machine.pool.give(window);
            }
        }
    }

    fn end(&mut self, outcome: Outcome) {
        for side in [Side::Client, Side::Server] {
            if let Some(window) = self.session.half_mut(side).surrender() {
                self.machine.pool.give(window);
            }
        }
        self.record.outcome = Some(outcome);
        self.record.reset = outcome.is_broken();
        self.record.closed = self.record.finished || !self.client.told;
        for incident in &self.record.incidents {
            if let Incident::Answered(status, cause) = incident {
                self.record.refusals.push((*status, *cause));
            }
        }
    }
}
