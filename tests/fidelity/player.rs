//! Plays a script on a kernel, and holds every outcome against the specification.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::Ready;

use crate::marks::Marks;
use crate::script::At;
use crate::script::Step;
use crate::spec::Spec;
use crate::truth::EAGAIN;
use crate::truth::ECONNREFUSED;
use crate::truth::Outcome;
use crate::truth::Sky;
use crate::truth::Verb;

/// What was done where, and what came of it: the alphabet in which two kernels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Triple {
    /// What was known of the end.
    pub(crate) before: Marks,
    pub(crate) verb: Option<Verb>,
    pub(crate) got: Got,
}

/// An outcome, without numbers of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Got {
    Done,
    /// As much as was asked for.
    Whole,
    Part,
    /// The end of the stream.
    End,
    Error(i32),
    /// No verb, but an event.
    Event(Marks),
}

/// Where a script is played.
pub(crate) struct Player<'a> {
    kernel: &'a mut dyn Kernel,
    sky: Sky,
    /// How long a look takes: real networks need no time, the fake one does.
    glance: Span,
    at: SocketAddr,
    listener: Option<Socket>,
    heard: bool,
    connections: BTreeMap<usize, Connection>,
    triples: &'a mut Vec<Triple>,
    log: String,
}

struct Connection {
    spec: Spec,
    local: SocketAddr,
    ends: [Place; 2],
}

/// One end as the caller knows it.
#[derive(Clone, Copy, Default)]
struct Place {
    socket: Option<Socket>,
    seen: Marks,
}

/// What went wrong, and everything that had happened.
type Verdict = Result<(), String>;

impl<'a> Player<'a> {
    /// Plays `steps`, and then an epilogue in which everything that is still open is read to its
    /// end. Leaves no socket behind.
    pub(crate) fn play(
        kernel: &'a mut dyn Kernel,
        sky: Sky,
        glance: Span,
        address: SocketAddr,
        steps: &[Step],
        triples: &'a mut Vec<Triple>,
    ) -> Result<String, String> {
        let listener = kernel.listen(address).map_err(|error| error.to_string())?;
        let at = kernel
            .local_address(listener)
            .map_err(|error| error.to_string())?;
        let mut player = Self {
            kernel,
            sky,
            glance,
            at,
            listener: Some(listener),
            heard: false,
            connections: BTreeMap::new(),
            triples,
            log: String::new(),
        };
        let played = player.perform(steps);
        player.clear();
        match played {
            Ok(()) => Ok(player.log),
            Err(wrong) => Err(format!("{wrong}\n{}", player.log)),
        }
    }

    fn perform(&mut self, steps: &[Step]) -> Verdict {
        for step in steps {
            self.step(*step)?;
        }
        let _ = writeln!(self.log, "epilogue");
        self.settle()?;
        for at in self.places() {
            self.finish(at)?;
        }
        // As often as bytes come that did not fit before.
        while self.left() > 0 {
            self.drain_all()?;
        }
        self.drain_all()
    }

    fn drain_all(&mut self) -> Verdict {
        self.settle()?;
        for at in self.places() {
            self.drain(at)?;
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Verdict {
        match step {
            Step::Connect(number) => self.connect(number, self.at, self.listener.is_some()),
            Step::ConnectDesert(number) => {
                let desert = SocketAddr::new(self.at.ip(), 1);
                self.connect(number, desert, false)
            }
            Step::Accept => self.accept(),
            Step::Unlisten => {
                self.unlisten();
                Ok(())
            }
            Step::Established(at) => self.established(at),
            Step::Read(at, most) => self.read(at, most).map(drop),
            Step::Drain(at) => self.drain(at),
            Step::Write(at, count) => self.write(at, count).map(drop),
            Step::Fill(at) => {
                while self.write(at, BLOCK)? {}
                Ok(())
            }
            Step::Finish(at) => self.finish(at),
            Step::Close(at) => self.leave(at, Verb::Close),
            Step::Abort(at) => self.leave(at, Verb::Abort),
            Step::Look => self.look(self.glance),
            Step::Settle => self.settle(),
        }
    }

    fn connect(&mut self, number: usize, to: SocketAddr, listening: bool) -> Verdict {
        if self.connections.contains_key(&number) {
            return Ok(());
        }
        let connected = self.kernel.connect(to);
        let _ = writeln!(self.log, "connect {number} to {to}: {connected:?}");
        let socket = match connected {
            Ok(socket) => socket,
            Err(_) if self.sky == Sky::Stormy => return Ok(()),
            Err(error) if !listening && errno(&error) == ECONNREFUSED => return Ok(()),
            Err(error) => return Err(format!("connect failed: {error}")),
        };
        let local = self.kernel.local_address(socket);
        let mut ends = [Place::default(); 2];
        ends[0].socket = Some(socket);
        ends[0].seen = Marks::PEER_UNBORN.when(!listening, Marks::DESERT);
        let connection = Connection {
            spec: Spec::new(self.sky, listening),
            local: local.map_err(|error| error.to_string())?,
            ends,
        };
        self.connections.insert(number, connection);
        Ok(())
    }

    fn accept(&mut self) -> Verdict {
        let Some(listener) = self.listener else {
            return Ok(());
        };
        let accepted = self.kernel.accept(listener);
        let _ = writeln!(self.log, "accept: {accepted:?}");
        match accepted {
            Ok((socket, peer)) => {
                let mut queued = self.connections.values_mut();
                let found = queued.find(|other| other.local == peer && other.is_queued());
                let Some(connection) = found else {
                    self.kernel.abort(socket);
                    let forgotten = self.connections.values().any(|one| one.local == peer);
                    let excused = forgotten && self.sky == Sky::Stormy;
                    let wrong = || "accepted what nobody had connected".to_owned();
                    return excused.then_some(()).ok_or_else(wrong);
                };
                if !connection.spec.see_accept(true) {
                    return Err("accepted what did not stand".to_owned());
                }
                connection.admit(socket);
            }
            Err(error) if errno(&error) == EAGAIN => {
                self.heard = false;
                let mut queued = self.connections.values_mut().filter(|one| one.is_queued());
                if !queued.all(|connection| connection.spec.see_accept(false)) {
                    return Err("there was something to accept".to_owned());
                }
            }
            Err(error) if self.sky == Sky::Stormy => self.accept_failed(errno(&error)),
            Err(error) => return Err(format!("accept failed: {error}")),
        }
        Ok(())
    }

    /// In a storm the connection may be gone, but it is not said which.
    fn accept_failed(&mut self, error: i32) {
        const RESOURCES: [i32; 4] = [12, 23, 24, 105];
        if RESOURCES.contains(&error) {
            return;
        }
        // All are forgotten: whichever it was, nothing can be said of the others.
        for connection in self.connections.values_mut().filter(|one| one.is_queued()) {
            if let Some(socket) = connection.ends[0].socket.take() {
                self.kernel.abort(socket);
            }
            connection.forget();
        }
    }

    fn unlisten(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let _ = writeln!(self.log, "close the listener");
        self.kernel.close(listener);
        for connection in self.connections.values_mut() {
            let queued = connection.is_queued();
            connection.spec.unlisten(queued);
            if queued && !connection.ends[0].seen.has(Marks::DESERT) {
                connection.ends[0].seen = connection.ends[0].seen.and(Marks::PEER_ABORTED);
            }
        }
    }

    fn established(&mut self, at: At) -> Verdict {
        let Some(socket) = self.socket(at) else {
            return Ok(());
        };
        let outcome = match self.kernel.established(socket) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Error(errno(&error)),
        };
        self.hold(at, Verb::Established, 0, outcome)
    }

    /// Reads once. True if there may be more.
    fn read(&mut self, at: At, most: usize) -> Result<bool, String> {
        let Some(socket) = self.socket(at) else {
            return Ok(false);
        };
        let mut buffer = vec![0; most];
        let outcome = match self.kernel.read(socket, &mut buffer) {
            Ok(count) => Outcome::Bytes(count),
            Err(error) => Outcome::Error(errno(&error)),
        };
        let connection = self.connections.get(&at.0).expect("it has a socket");
        let start = connection.spec.read[at.1];
        self.hold(at, Verb::Read, most, outcome)?;
        if let Outcome::Bytes(count) = outcome
            && buffer[..count] != pattern(at.0, 1 - at.1, start)[..count]
        {
            return Err(format!("wrong bytes at {at:?} from {start}"));
        }
        Ok(matches!(outcome, Outcome::Bytes(1..)))
    }

    fn drain(&mut self, at: At) -> Verdict {
        while self.read(at, BLOCK)? {}
        Ok(())
    }

    /// Writes once. True if there may be more room.
    fn write(&mut self, at: At, count: usize) -> Result<bool, String> {
        let Some(socket) = self.socket(at) else {
            return Ok(false);
        };
        let connection = self.connections.get(&at.0).expect("it has a socket");
        let start = connection.spec.read[1 - at.1] + connection.spec.unread[1 - at.1];
        let from = &pattern(at.0, at.1, start)[..count];
        let outcome = match self.kernel.write(socket, from) {
            Ok(count) => Outcome::Bytes(count),
            Err(error) => Outcome::Error(errno(&error)),
        };
        self.hold(at, Verb::Write, count, outcome)?;
        Ok(outcome == Outcome::Bytes(count))
    }

    /// Only what is known to stand is finished: `shutdown(2)` on a pending connect cancels it,
    /// which no caller wants.
    fn finish(&mut self, at: At) -> Verdict {
        let Some(socket) = self.socket(at) else {
            return Ok(());
        };
        let place = self.connections.get(&at.0).expect("it has a socket").ends[at.1];
        if !place.seen.has(Marks::STOOD) {
            return Ok(());
        }
        let outcome = match self.kernel.finish(socket) {
            Ok(()) => Outcome::Done,
            Err(error) => Outcome::Error(errno(&error)),
        };
        self.hold(at, Verb::Finish, 0, outcome)
    }

    fn leave(&mut self, at: At, verb: Verb) -> Verdict {
        let Some(socket) = self.socket(at) else {
            return Ok(());
        };
        if verb == Verb::Close {
            self.kernel.close(socket);
        } else {
            self.kernel.abort(socket);
        }
        self.hold(at, verb, 0, Outcome::Done)?;
        let connection = self.connections.get_mut(&at.0).expect("it has a socket");
        connection.ends[at.1].socket = None;
        Ok(())
    }

    /// Holds an outcome against the specification.
    fn hold(&mut self, at: At, verb: Verb, asked: usize, outcome: Outcome) -> Verdict {
        let _ = writeln!(self.log, "{verb:?} {asked} at {at:?}: {outcome:?}");
        let connection = self.connections.get_mut(&at.0).expect("it has a socket");
        let before = connection.known(at.1);
        let truths = connection.spec.truths().to_vec();
        if !connection.spec.see(verb, at.1, asked, outcome) {
            return Err(format!(
                "{verb:?} {asked} at {at:?} cannot give {outcome:?}; known {before:?}, \
                 may be {truths:?}"
            ));
        }
        connection.note(at.1, verb, asked, outcome);
        self.triples.push(Triple {
            before,
            verb: Some(verb),
            got: got(asked, outcome),
        });
        Ok(())
    }

    /// Waits for `span`, and takes note of what is said.
    fn look(&mut self, span: Span) -> Verdict {
        let mut ready = Vec::new();
        let until = self.kernel.now() + span;
        self.kernel.wait(Some(until), &mut ready);
        for event in ready {
            let _ = writeln!(self.log, "event: {event:?}");
            self.event(event)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Ready) -> Verdict {
        if self.listener == Some(event.socket) {
            self.heard |= event.readable;
            return Ok(());
        }
        for connection in self.connections.values_mut() {
            for end in 0..2 {
                if connection.ends[end].socket != Some(event.socket) {
                    continue;
                }
                if event.ended && !connection.spec.see_end(end) {
                    return Err(format!(
                        "an end is announced where there is none: {event:?}"
                    ));
                }
                let marks = Marks::NONE
                    .when(event.readable, Marks::READABLE)
                    .when(event.writable, Marks::WRITABLE)
                    .when(event.ended, Marks::ENDED);
                let before = connection.known(end);
                let got = Got::Event(marks);
                let verb = None;
                self.triples.push(Triple { before, verb, got });
                let place = &mut connection.ends[end];
                place.seen = place.seen.and(marks);
                return Ok(());
            }
        }
        Err(format!("an event for a socket that is closed: {event:?}"))
    }

    /// Waits until everything that must be announced has been.
    fn settle(&mut self) -> Verdict {
        let patience = self.kernel.now() + PATIENCE;
        self.look(self.glance)?;
        while let Some(missing) = self.missing() {
            if self.kernel.now() >= patience {
                return Err(format!("lost: {missing}"));
            }
            self.look(Span::millis(200))?;
        }
        if self.sky == Sky::Clear {
            let _ = writeln!(self.log, "settled");
        }
        Ok(())
    }

    /// What has not been announced yet, and must be.
    fn missing(&mut self) -> Option<String> {
        let mut waiting = false;
        for (number, connection) in &mut self.connections {
            waiting |= connection.is_queued() && connection.spec.due_at_listener();
            for end in 0..2 {
                let place = connection.ends[end];
                if place.socket.is_none() {
                    continue;
                }
                let mut missing = connection.spec.due(end).without(place.seen);
                if place.seen.has(Marks::ENDED) {
                    // The reader was told to go on until the end.
                    missing = missing.without(Marks::READABLE);
                }
                if place.seen.has(Marks::FINISHED) {
                    missing = missing.without(Marks::WRITABLE);
                }
                if missing != Marks::NONE {
                    return Some(format!("{missing:?} at {:?}", At(*number, end)));
                }
            }
        }
        let deaf = waiting && self.listener.is_some() && !self.heard;
        deaf.then(|| "readable at the listener".to_owned())
    }

    fn clear(&mut self) {
        for connection in self.connections.values() {
            for place in connection.ends {
                if let Some(socket) = place.socket {
                    self.kernel.abort(socket);
                }
            }
        }
        if let Some(listener) = self.listener {
            self.kernel.close(listener);
        }
    }

    fn socket(&self, at: At) -> Option<Socket> {
        self.connections.get(&at.0)?.ends[at.1].socket
    }

    fn places(&self) -> Vec<At> {
        let numbers = self.connections.keys();
        numbers
            .flat_map(|number| [At(*number, 0), At(*number, 1)])
            .collect()
    }

    /// Bytes that somebody can still read and that cannot have been lost.
    fn left(&self) -> usize {
        let mut left = 0;
        for connection in self.connections.values() {
            for (end, place) in connection.ends.iter().enumerate() {
                let truths = connection.spec.truths();
                let lost = Marks::DOWN.and(Marks::GONE);
                let safe = !truths.iter().any(|truth| truth.ends[end].marks.any(lost));
                if place.socket.is_some() && safe {
                    left += connection.spec.unread[end];
                }
            }
        }
        left
    }
}

impl Connection {
    /// Connected, and not accepted, as far as anybody knows.
    fn is_queued(&self) -> bool {
        let seen = self.ends[0].seen;
        let never = Marks::DESERT.and(Marks::PEER_ABORTED);
        seen.has(Marks::PEER_UNBORN) && !seen.any(never)
    }

    fn admit(&mut self, socket: Socket) {
        let client = &mut self.ends[0];
        client.seen = client.seen.without(Marks::PEER_UNBORN).and(Marks::STOOD);
        // What the client did while it waited in the queue has been kept for its peer.
        self.ends[1].socket = Some(socket);
        self.ends[1].seen = self.ends[1].seen.and(Marks::STOOD);
    }

    fn forget(&mut self) {
        self.ends[0].seen = self.ends[0].seen.and(Marks::PEER_ABORTED);
    }

    /// What is known of an end, for a triple.
    fn known(&self, end: usize) -> Marks {
        self.ends[end]
            .seen
            .when(self.spec.unread[end] > 0, Marks::UNREAD)
    }

    /// Updates what is known after a verb.
    fn note(&mut self, end: usize, verb: Verb, asked: usize, outcome: Outcome) {
        let left_bytes = self.spec.unread[end] > 0;
        let [mine, peer] = if end == 0 { [0, 1] } else { [1, 0] };
        let mut seen = self.ends[mine].seen;
        let mut other = self.ends[peer].seen;
        match (verb, outcome) {
            (Verb::Read | Verb::Established, Outcome::Error(EAGAIN)) => {
                let cleared = if verb == Verb::Read {
                    Marks::READABLE
                } else {
                    Marks::NONE
                };
                seen = seen.without(cleared);
            }
            (Verb::Write, Outcome::Error(EAGAIN)) => {
                seen = seen.without(Marks::WRITABLE).and(Marks::BLOCKED);
            }
            (Verb::Finish, Outcome::Error(_)) => {}
            (_, Outcome::Error(_)) => seen = seen.and(Marks::TOLD),
            (Verb::Read, Outcome::Bytes(count)) => {
                seen = seen.when(count > 0, Marks::STOOD);
                if count < asked {
                    seen = seen.without(Marks::READABLE);
                }
            }
            (Verb::Write, Outcome::Bytes(count)) => {
                seen = seen.without(Marks::BLOCKED).and(Marks::STOOD);
                if count < asked {
                    seen = seen.without(Marks::WRITABLE).and(Marks::BLOCKED);
                }
            }
            (Verb::Established, _) => seen = seen.and(Marks::STOOD),
            (Verb::Finish, _) => {
                seen = seen.and(Marks::FINISHED);
                other = other.and(Marks::PEER_FINISHED);
            }
            (Verb::Close, _) => {
                other = other
                    .and(Marks::PEER_CLOSED)
                    .when(left_bytes, Marks::PEER_LEFT_BYTES);
            }
            (Verb::Abort, _) => other = other.and(Marks::PEER_ABORTED),
            (Verb::Read | Verb::Write, Outcome::Done) => {}
        }
        self.ends[mine].seen = seen;
        // Nobody is surprised twice by what an unaccepted peer cannot have done.
        self.ends[peer].seen = other;
    }
}

fn got(asked: usize, outcome: Outcome) -> Got {
    match outcome {
        Outcome::Done => Got::Done,
        Outcome::Bytes(0) => Got::End,
        Outcome::Bytes(count) if count < asked => Got::Part,
        Outcome::Bytes(_) => Got::Whole,
        Outcome::Error(number) => Got::Error(number),
    }
}

fn errno(error: &io::Error) -> i32 {
    let blocked = error.kind() == io::ErrorKind::WouldBlock;
    let number = error.raw_os_error();
    number.unwrap_or(if blocked { EAGAIN } else { ENOENT })
}

/// What an end writes: a function of who writes and where in the stream.
fn pattern(number: usize, end: usize, start: usize) -> &'static [u8] {
    static BYTES: [u8; BLOCK + PERIOD] = {
        let mut bytes = [0_u8; BLOCK + PERIOD];
        let mut at = 1;
        while at < bytes.len() {
            bytes[at] = if at % PERIOD == 0 {
                0
            } else {
                bytes[at - 1].wrapping_add(97)
            };
            at += 1;
        }
        bytes
    };
    &BYTES[(start + 40 * number + 20 * end) % PERIOD..]
}

/// How long something that must come may take: a real machine has other worries,
/// and a fake connect may be asked for seven times.
const PATIENCE: Span = Span::seconds(200);

/// Bytes in one go at most.
const BLOCK: usize = 64 * 1024;

/// A prime below 256.
const PERIOD: usize = 251;

const ENOENT: i32 = 2;
