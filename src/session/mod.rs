//! The pure machine that joins a client and a server.
//!
//! A session is told facts and answers with one step at a time. It has no socket, no clock, no
//! log, no type parameter and no callback, so byte strings in a test, a fuzzer, a simulator and
//! the engine all drive the same code.
//!
//! The grammar: facts are past tense ([`Session::filled`], [`Session::wrote`],
//! [`Session::ended`], [`Session::broke`], [`Session::dialled`], [`Session::undialled`],
//! [`Session::expired`]); after any fact, and whenever readiness changes, call [`Session::next`]
//! and carry out its [`Step`], until it says [`Step::Wait`] or [`Step::End`]. `next` decides by
//! what the session wants and by what the sockets [`Can`] do, and asking twice gives the same
//! answer: a session that says `Wait` has nothing to do, which is how a lost wakeup is found.

pub mod deadline;
pub mod exchange;
pub mod half;
mod reply;
mod request;
mod response;
pub mod tunnel;

use std::net::IpAddr;
use std::rc::Rc;

use crate::base::Fault;
use crate::base::Side;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config;
use exchange::Exchange;
use half::Half;
use tunnel::Tunnel;

/// What the sockets of a session allow at this moment, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can(u8);

impl Can {
    /// Nothing is possible.
    pub const NOTHING: Self = Self(0);

    /// With reading from `side` possible or not.
    #[must_use]
    pub const fn with_read(self, side: Side, possible: bool) -> Self {
        Self(self.0 | (possible as u8) << side.index())
    }

    /// With writing to `side` possible or not.
    #[must_use]
    pub const fn with_write(self, side: Side, possible: bool) -> Self {
        Self(self.0 | (possible as u8) << (2 + side.index()))
    }

    /// A read from `side` may give something.
    #[must_use]
    pub const fn read(self, side: Side) -> bool {
        self.0 >> side.index() & 1 == 1
    }

    /// A write to `side` may take something.
    #[must_use]
    pub const fn write(self, side: Side) -> bool {
        self.0 >> (2 + side.index()) & 1 == 1
    }
}

/// What the engine does next for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read into [`Session::space`] of the half that comes from this side, after lending it a
    /// window if it has none; then say `filled`, `ended` or `broke`.
    Read(Side),
    /// Write [`Session::pending`] to this side; then say `wrote` or `broke`.
    Write(Side),
    /// Tell this side that no more bytes come; then say `finished`.
    Finish(Side),
    /// Get a connection to a server; then say `dialled` or `undialled`.
    Dial(Wish),
    /// Give the attempt that is under way up for this reason, and dial another server.
    Redial(Fault),
    /// The server connection is clean: keep it for others.
    Park,
    /// Close the server connection; the session goes on.
    Drop,
    /// Nothing to do before readiness changes or the deadline comes.
    Wait,
    /// The session is over: close everything it has.
    End(Outcome),
}

/// What a session needs of the connection it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Any, a kept one too.
    Any,
    /// A kept one only if it was used so lately that its server can hardly have closed it: the
    /// request cannot be repeated (RFC 9112 section 9.3.1).
    Young,
    /// A new one: a kept one has just died under this request. The same server may be asked.
    Fresh,
    /// A new one to another server, if there is one.
    Elsewhere,
}

/// The connection that a session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialled<'a> {
    /// What the server is to be called in `Host`; `None` keeps the client's word.
    pub host: Option<&'a str>,
    /// It had carried a request before.
    pub reused: bool,
}

/// Why there is no server for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undialled {
    /// No backend is up, or every one was tried and had been down already.
    NobodyUp,
    /// The last attempt failed for this reason.
    Failed(Fault),
    /// The proxy itself is out of something.
    Exhausted,
}

/// How a session ended. The last word on it: log word and counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was begun was brought to its end.
    Done,
    /// A client kept its connection idle for too long, or never sent a byte.
    Idle,
    /// The client went away in the middle.
    ClientGone,
    /// The client was too slow in sending or taking bytes.
    ClientSlow,
    /// The server broke off or was silent in the middle of an answer: the client's connection is
    /// reset, so that it cannot take the part for the whole.
    Cut(Fault),
    /// There was no server for a tunnel.
    NoServer(Undialled),
    /// Both ways were silent for too long.
    TunnelIdle,
}

impl Outcome {
    /// True if the client must see that its stream is not whole.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        matches!(self, Self::Cut(_) | Self::NoServer(_))
    }
}

/// Something a person should be told of a session that goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// tidegate answered itself, with this status and for this reason.
    Answered(u16, Cause),
    /// An answer was cut.
    Cut(Fault),
}

/// Why tidegate answered itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The request was refused.
    Refused(crate::http::Reason),
    /// The head or body of the request came too slowly.
    RequestSlow,
    /// There is no server.
    Undialled(Undialled),
    /// The server closed or reset the connection before its answer.
    ServerBroke(Fault),
    /// The server's answer cannot be read.
    ResponseBroken(crate::http::Reason),
    /// The server gave no answer in time.
    ResponseSlow,
}

/// What a session may do and for how long. Taken at accept; a session never sees two policies.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// All spans of time.
    pub timeouts: config::Timeouts,
    /// Bytes of a request head.
    pub request_head: usize,
    /// How many servers one request may be sent to, at most.
    pub tries: u32,
    /// True if clients come over TLS.
    pub client_is_tls: bool,
}

/// One client connection, joined to a server when it needs one.
#[derive(Debug)]
pub enum Session {
    /// HTTP/1.1: requests and answers.
    Exchange(Exchange),
    /// TCP: bytes.
    Tunnel(Tunnel),
}

impl Session {
    /// A session for a client that has just connected, in the given mode.
    #[must_use]
    pub fn new(mode: config::Mode, policy: Rc<Policy>, client: IpAddr, now: Moment) -> Self {
        match mode {
            config::Mode::Http => Self::Exchange(Exchange::new(policy, client, now)),
            config::Mode::Tcp => Self::Tunnel(Tunnel::new(policy, now)),
        }
    }

    /// What to do next, given what the sockets can do.
    pub fn next(&mut self, can: Can) -> Step {
        match self {
            Self::Exchange(exchange) => exchange.next(can),
            Self::Tunnel(tunnel) => tunnel.next(can),
        }
    }

    /// When [`Session::expired`] has to be said, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self {
            Self::Exchange(exchange) => exchange.deadline(),
            Self::Tunnel(tunnel) => tunnel.deadline(),
        }
    }

    /// The half whose bytes come from `side`.
    #[must_use]
    pub const fn half(&self, side: Side) -> &Half {
        match (self, side) {
            (Self::Exchange(exchange), Side::Client) => &exchange.up,
            (Self::Exchange(exchange), Side::Server) => &exchange.down,
            (Self::Tunnel(tunnel), Side::Client) => &tunnel.up,
            (Self::Tunnel(tunnel), Side::Server) => &tunnel.down,
        }
    }

    /// The half whose bytes come from `side`, to lend it memory or take it back.
    pub const fn half_mut(&mut self, side: Side) -> &mut Half {
        match (self, side) {
            (Self::Exchange(exchange), Side::Client) => &mut exchange.up,
            (Self::Exchange(exchange), Side::Server) => &mut exchange.down,
            (Self::Tunnel(tunnel), Side::Client) => &mut tunnel.up,
            (Self::Tunnel(tunnel), Side::Server) => &mut tunnel.down,
        }
    }

    /// The bytes for [`Step::Write`].
    #[must_use]
    pub fn pending(&self, side: Side) -> &[u8] {
        match self {
            Self::Exchange(exchange) => exchange.pending(side),
            Self::Tunnel(tunnel) => tunnel.half(side.other()).pending(),
        }
    }

    /// `count` bytes, at least one, were read from `side`. `scratch` is memory for a head.
    pub fn filled(&mut self, side: Side, count: usize, scratch: &mut Vec<u8>, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.filled(side, count, scratch, now),
            Self::Tunnel(tunnel) => tunnel.filled(side, count, now),
        }
    }

    /// `count` bytes of [`Session::pending`] were taken by `side`.
    pub fn wrote(&mut self, side: Side, count: usize, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.wrote(side, count, now),
            Self::Tunnel(tunnel) => tunnel.wrote(side, count, now),
        }
    }

    /// `side` has said that nothing more comes.
    pub fn ended(&mut self, side: Side, scratch: &mut Vec<u8>, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.ended(side, scratch, now),
            Self::Tunnel(tunnel) => tunnel.ended(side, now),
        }
    }

    /// A read from or a write to `side` failed for good.
    pub fn broke(
        &mut self,
        side: Side,
        way: Way,
        fault: Fault,
        scratch: &mut Vec<u8>,
        now: Moment,
    ) {
        match self {
            Self::Exchange(exchange) => exchange.broke(side, way, fault, scratch, now),
            Self::Tunnel(tunnel) => tunnel.broke(side, fault),
        }
    }

    /// [`Step::Finish`] was carried out.
    pub const fn finished(&mut self, side: Side, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.finished(now),
            Self::Tunnel(tunnel) => tunnel.finished(side, now),
        }
    }

    /// A server connection stands.
    pub fn dialled(&mut self, got: Dialled<'_>, scratch: &mut Vec<u8>, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.dialled(got, scratch, now),
            Self::Tunnel(tunnel) => tunnel.dialled(now),
        }
    }

    /// There is no server connection to be had.
    pub fn undialled(&mut self, why: Undialled, scratch: &mut Vec<u8>, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.undialled(why, scratch, now),
            Self::Tunnel(tunnel) => tunnel.undialled(why),
        }
    }

    /// Another attempt to connect begins; its time starts to run.
    pub const fn redialled(&mut self, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.touch(now),
            Self::Tunnel(tunnel) => tunnel.touch(now),
        }
    }

    /// The deadline has passed.
    pub fn expired(&mut self, scratch: &mut Vec<u8>, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.expired(scratch, now),
            Self::Tunnel(tunnel) => tunnel.expired(now),
        }
    }

    /// The program wants to end: what is running is the last.
    pub fn drain(&mut self) {
        match self {
            Self::Exchange(exchange) => exchange.drain(),
            Self::Tunnel(_) => {}
        }
    }

    /// What a person should be told, once.
    pub const fn incident(&mut self) -> Option<Incident> {
        match self {
            Self::Exchange(exchange) => exchange.incident.take(),
            Self::Tunnel(tunnel) => tunnel.incident.take(),
        }
    }

    /// The `Keep-Alive: timeout=` of the last answer, when the server named one.
    #[must_use]
    pub const fn server_keep_alive(&self) -> Option<Span> {
        match self {
            Self::Exchange(exchange) => exchange.server_keep_alive(),
            Self::Tunnel(_) => None,
        }
    }
}

/// Which half of a connection an error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A read failed: nothing more will come.
    Reading,
    /// A write failed: nothing more is taken, but an answer may already be here.
    Writing,
}
