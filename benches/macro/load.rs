//! The clients: prebuilt requests, answers that are measured and thrown away.
//!
//! An answer counts if its status is 200 and its body has the length that was asked for; anything
//! else, and a connection that breaks, is an error. Latency is from the moment at which a request
//! was due, so at a fixed rate a stall is felt by all requests that should have been sent in it.

use std::collections::VecDeque;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::Interest;
use mio::Registry;
use mio::Token;
use mio::event::Event;
use mio::net::TcpStream;
use rustls::ClientConfig;

use crate::field::Clock;
use crate::histogram::Histogram;
use crate::message::Memory;
use crate::process;
use crate::scenario::Kind;
use crate::scenario::Scenario;
use crate::wire::Wire;

/// What shall be run.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) scenario: Scenario,
    pub(crate) target: SocketAddr,
    /// What clients speak under TLS; `None` in the clear.
    pub(crate) tls: Option<Arc<ClientConfig>>,
    /// The proxy's processes.
    pub(crate) processes: Vec<u32>,
    /// Nanoseconds of running before counting, and of counting.
    pub(crate) warm_up: u64,
    pub(crate) length: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) errors: u64,
    /// What was wrong first.
    pub(crate) complaint: Option<String>,
    /// Nanoseconds that were counted.
    pub(crate) elapsed: u64,
    /// Nanoseconds of processor time of the proxy in them.
    pub(crate) processor: u64,
    pub(crate) latency: Histogram,
}

/// Clients at work.
pub(crate) struct Load {
    order: Order,
    clients: Vec<Client>,
    request: Vec<u8>,
    memory: Memory,
    room: Vec<u8>,
    clock: Clock,
    phase: Phase,
    /// Clients that were started, and those that wait for their connection.
    started: usize,
    connecting: usize,
    /// When the next request is due, those that are and have no connection, and those connections
    /// that have no request: at a fixed rate only.
    due: u64,
    late: VecDeque<u64>,
    free: Vec<usize>,
    outcome: Outcome,
    processor_before: u64,
    /// Requests that were answered in all, the warm-up included.
    answered: u64,
}

/// Where a run stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting(u64),
    WarmingUp(u64),
    Counting(u64),
    Done,
}

#[derive(Debug, Default)]
struct Client {
    stream: Option<Wire>,
    is_connecting: bool,
    /// A request runs, due at `since`, of which `sent` bytes have gone.
    is_asking: bool,
    since: u64,
    sent: usize,
    /// The beginning of a head.
    begun: Vec<u8>,
    /// Bytes of the body that are still to come, once the head is there.
    left: Option<usize>,
    closes: bool,
}

impl Load {
    pub(crate) fn new(order: Order, clock: Clock) -> Self {
        let now = clock.now();
        let request = order.scenario.request();
        Self {
            clients: Vec::new(),
            request,
            memory: Memory::default(),
            room: vec![0; 256 * 1024],
            phase: Phase::Connecting(now),
            started: 0,
            connecting: 0,
            due: now,
            late: VecDeque::new(),
            free: Vec::new(),
            outcome: Outcome::default(),
            processor_before: 0,
            answered: 0,
            clock,
            order,
        }
    }

    /// What came of it, once it is over.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        (self.phase == Phase::Done).then_some(&self.outcome)
    }

    /// True if the loop must not sleep: a millisecond is too coarse for a rate.
    pub(crate) fn is_paced(&self) -> bool {
        matches!(self.order.scenario.kind, Kind::Paced(_)) && self.phase != Phase::Done
    }

    /// Time goes by: connects more clients, sends what is due, goes from phase to phase.
    pub(crate) fn turn(&mut self, registry: &Registry) {
        let now = self.clock.now();
        let wanted = self.order.scenario.connections;
        let idle = self.order.scenario.kind == Kind::Idle;
        // A crowd that asks at once would leave its buffers behind: that is no idle connection's.
        let calm = |started: usize, answered: u64| {
            !idle || started as u64 - answered.min(started as u64) < CALM_MAX
        };
        while self.started < wanted
            && self.connecting < CONNECTING_MAX
            && calm(self.started, self.answered)
        {
            self.clients.push(Client::default());
            self.started += 1;
            self.connect(self.started - 1, registry);
        }
        self.pace(now);
        let order = &self.order;
        match self.phase {
            Phase::Connecting(since) => {
                let is_there = self.started == wanted && self.connecting == 0;
                if is_there && (!idle || self.answered >= wanted as u64) {
                    self.phase = if idle {
                        Phase::Done
                    } else {
                        Phase::WarmingUp(now)
                    };
                    self.outcome.answered = self.answered;
                } else if now - since > PATIENCE || self.outcome.errors > ERRORS_MAX {
                    let why = format!("{} of {wanted} connected", self.started - self.connecting);
                    self.outcome.complaint.get_or_insert(why);
                    self.outcome.errors += 1;
                    self.phase = Phase::Done;
                }
            }
            Phase::WarmingUp(since) => {
                if now - since >= order.warm_up {
                    self.processor_before = process::processor_time(&order.processes);
                    let (errors, complaint) = (self.outcome.errors, self.outcome.complaint.take());
                    self.outcome = Outcome {
                        errors,
                        complaint,
                        ..Outcome::default()
                    };
                    self.phase = Phase::Counting(self.clock.now());
                }
            }
            Phase::Counting(since) => {
                if now - since >= order.length || self.outcome.errors > ERRORS_MAX {
                    let processor = process::processor_time(&order.processes);
                    self.outcome.processor = processor.saturating_sub(self.processor_before);
                    self.outcome.elapsed = now - since;
                    self.phase = Phase::Done;
                    self.judge();
                }
            }
            Phase::Done => {}
        }
    }

    /// A run in which nothing was answered, or what was due was not sent, has measured nothing.
    fn judge(&mut self) {
        let left = self.late.len();
        let why = match self.outcome.answered {
            0 => "not a request was answered".to_owned(),
            _ if left > self.clients.len() => format!("{left} requests were due and not sent"),
            _ => return,
        };
        self.outcome.complaint.get_or_insert(why);
        self.outcome.errors += left.max(1) as u64;
    }

    /// Something happened on the connection of a client.
    pub(crate) fn event(&mut self, registry: &Registry, event: &Event) {
        let at = event.token().0;
        let Some(client) = self.clients.get_mut(at) else {
            return;
        };
        if client.stream.is_none() {
            return;
        }
        if client.is_connecting && (event.is_writable() || event.is_error()) {
            client.is_connecting = false;
            self.connecting -= 1;
            if matches!(self.order.scenario.kind, Kind::Paced(_)) {
                self.free.push(at);
            } else if !client.is_asking {
                client.begin(self.clock.now());
            }
        }
        let ended = event.is_read_closed() || event.is_error();
        if let Err(why) = self.go_on(at, ended) {
            self.fail(at, &why.to_string());
            self.connect(at, registry);
        } else if self.clients[at].stream.is_none() {
            self.connect(at, registry);
        }
    }

    fn connect(&mut self, at: usize, registry: &Registry) {
        let client = &mut self.clients[at];
        *client = Client::default();
        if self.order.scenario.kind == Kind::Fresh {
            client.begin(self.clock.now());
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        let connected = TcpStream::connect(self.order.target).and_then(|mut stream| {
            registry.register(&mut stream, Token(at), both)?;
            stream.set_nodelay(true)?;
            Wire::new(stream, self.order.tls.as_ref())
        });
        match connected {
            Ok(stream) => {
                client.stream = Some(stream);
                client.is_connecting = true;
                self.connecting += 1;
            }
            Err(why) => self.fail(at, &format!("cannot connect: {why}")),
        }
    }

    /// Writes and reads what there is.
    fn go_on(&mut self, at: usize, ended: bool) -> io::Result<()> {
        loop {
            let client = &mut self.clients[at];
            if client.is_connecting || !client.send(&self.request)? {
                return Ok(());
            }
            let Some(stream) = &mut client.stream else {
                return Ok(());
            };
            let count = match stream.read(&mut self.room) {
                Ok(0) if !client.is_asking => {
                    // Between two requests that is the server's good right.
                    self.free.retain(|free| *free != at);
                    client.stream = None;
                    return Ok(());
                }
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let expected = self.order.scenario.answer;
            let is_whole = client.take(&mut self.memory, &self.room[..count], expected)?;
            if is_whole {
                self.answered(at);
            }
            let client = &mut self.clients[at];
            let begins = is_whole && client.is_asking;
            if count < self.room.len() && !ended && !begins {
                return Ok(());
            }
            if begins && count < self.room.len() && !ended {
                // Its answer will be an event of its own.
                client.send(&self.request)?;
                return Ok(());
            }
        }
    }

    fn answered(&mut self, at: usize) {
        let now = self.clock.now();
        let client = &mut self.clients[at];
        self.outcome.answered += 1;
        self.outcome.latency.record(now - client.since);
        self.answered += 1;
        client.is_asking = false;
        client.left = None;
        match self.order.scenario.kind {
            Kind::Closed if !client.closes => client.begin(now),
            Kind::Paced(_) => {
                if let Some(due) = self.late.pop_front() {
                    client.begin(due);
                } else {
                    self.free.push(at);
                }
            }
            // The server closes first, so that the port is free again at once.
            Kind::Closed | Kind::Fresh | Kind::Idle => {}
        }
    }

    /// At a fixed rate: what is due goes to who is free.
    fn pace(&mut self, now: u64) {
        let Kind::Paced(rate) = self.order.scenario.kind else {
            return;
        };
        if matches!(self.phase, Phase::Connecting(_)) {
            self.due = now;
            return;
        }
        while self.due <= now {
            self.late.push_back(self.due);
            self.due += 1_000_000_000 / rate;
        }
        while !self.free.is_empty()
            && let Some(due) = self.late.pop_front()
            && let Some(at) = self.free.pop()
        {
            self.clients[at].begin(due);
            if let Err(why) = self.go_on(at, false) {
                self.fail(at, &why.to_string());
            }
        }
    }

    fn fail(&mut self, at: usize, why: &str) {
        self.outcome.errors += 1;
        self.outcome.complaint.get_or_insert_with(|| why.to_owned());
        let client = &mut self.clients[at];
        if client.is_connecting {
            self.connecting -= 1;
        }
        self.free.retain(|free| *free != at);
        *client = Client::default();
    }
}

impl Client {
    const fn begin(&mut self, due: u64) {
        self.is_asking = true;
        self.since = due;
        self.sent = 0;
    }

    /// Writes what is left of the request; false if it has to go on later.
    fn send(&mut self, request: &[u8]) -> io::Result<bool> {
        let Some(stream) = &mut self.stream else {
            return Ok(false);
        };
        while self.is_asking && self.sent < request.len() {
            match stream.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                // An answer may come before the request has gone as a whole.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Looks at what has come; true if the answer is whole.
    fn take(&mut self, memory: &mut Memory, bytes: &[u8], expected: usize) -> io::Result<bool> {
        if !self.is_asking {
            return Err(io::Error::other("bytes that nobody asked for"));
        }
        let body = if let Some(left) = self.left {
            left.checked_sub(bytes.len())
        } else {
            let whole = if self.begun.is_empty() {
                bytes
            } else {
                self.begun.extend_from_slice(bytes);
                &self.begun
            };
            let Some(head) = memory.head(whole) else {
                if self.begun.is_empty() {
                    self.begun.extend_from_slice(bytes);
                }
                return Ok(false);
            };
            if head.number != 200 || head.body != Some(expected) {
                let text = String::from_utf8_lossy(&whole[..head.length]);
                return Err(io::Error::other(format!("a wrong answer: {text:?}")));
            }
            let body = whole.len() - head.length;
            self.closes = head.closes;
            self.begun.clear();
            expected.checked_sub(body)
        };
        self.left = body;
        match body {
            Some(left) => Ok(left == 0),
            None => Err(io::Error::other("more than one answer")),
        }
    }
}

/// Connections that are being made at a time: fewer than any listener queues.
const CONNECTING_MAX: usize = 128;

/// Requests under way at a time while idle connections are made.
const CALM_MAX: u64 = 64;

/// Nanoseconds in which all have to be connected.
const PATIENCE: u64 = 30_000_000_000;

/// More errors than this end a run.
const ERRORS_MAX: u64 = 10_000;
