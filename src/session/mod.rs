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

mod aside;
pub mod deadline;
pub mod exchange;
pub mod half;
mod reply;
mod request;
mod response;
mod splice;
mod step;
pub mod tunnel;

use std::net::IpAddr;
use std::rc::Rc;

use crate::base::Fault;
use crate::base::Side;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config;
use crate::http::head::Method;
use crate::limits;
use crate::tally::End;
use exchange::Exchange;
use half::Half;
use tunnel::Tunnel;

pub use step::Asked;
pub use step::Can;
pub use step::Cause;
pub use step::Dialled;
pub use step::Incident;
pub use step::Outcome;
pub use step::Policy;
pub use step::Record;
pub use step::Step;
pub use step::Timeouts;
pub use step::Undialled;
pub use step::Way;
pub use step::Wish;

/// What a session remembers of a request, as a piece of memory to be used again.
#[derive(Debug)]
pub struct Memory(Box<exchange::Running>);

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

    /// What it balances: requests, or connections. What has become a tunnel dials no more.
    #[must_use]
    pub const fn mode(&self) -> config::Mode {
        match self {
            Self::Exchange(_) => config::Mode::Http,
            Self::Tunnel(_) => config::Mode::Tcp,
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

    /// True if a request that came now would have to allocate: [`Session::lend`] helps.
    #[must_use]
    pub const fn lacks_memory(&self) -> bool {
        match self {
            Self::Exchange(exchange) => exchange.lacks_memory(),
            Self::Tunnel(_) => false,
        }
    }

    /// Gives the session memory for what it remembers of a request.
    pub fn lend(&mut self, memory: Memory) {
        if let Self::Exchange(exchange) = self {
            exchange.vacant = Some(memory.0);
        }
    }

    /// Takes that memory back while no request runs: a connection that waits for its next one
    /// needs none.
    pub fn reclaim(&mut self) -> Option<Memory> {
        match self {
            Self::Exchange(exchange) => exchange.vacant.take().map(Memory),
            Self::Tunnel(_) => None,
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
            Self::Exchange(exchange) => {
                exchange.filled(side, count, scratch, now);
                if let Some(tunnel) = exchange.switched(now) {
                    *self = Self::Tunnel(tunnel);
                }
            }
            Self::Tunnel(tunnel) => tunnel.filled(side, count, now),
        }
    }

    /// How many bytes [`Step::Fill`] may move at most: no byte behind a message goes with it.
    #[must_use]
    pub fn splice_most(&self, side: Side) -> usize {
        match self {
            Self::Exchange(exchange) => exchange.splice_most(side),
            Self::Tunnel(_) => limits::PIPE_BYTES,
        }
    }

    /// `count` bytes, at least one, went from `side` into its pipe.
    pub fn piped(&mut self, side: Side, count: usize, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.piped(side, count, now),
            Self::Tunnel(tunnel) => tunnel.piped(side, count, now),
        }
    }

    /// `side` took `count` bytes out of the other side's pipe.
    pub fn poured(&mut self, side: Side, count: usize, now: Moment) {
        match self {
            Self::Exchange(exchange) => exchange.poured(side, count, now),
            Self::Tunnel(tunnel) => tunnel.poured(side, count, now),
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
            Self::Tunnel(tunnel) => tunnel.broke(side, way, fault),
        }
    }

    /// [`Step::Finish`] was carried out.
    pub fn finished(&mut self, side: Side, now: Moment) {
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

    /// What runs is the last, and so is what has just begun: who was not answered yet is answered
    /// once.
    pub fn ease(&mut self) {
        match self {
            Self::Exchange(exchange) if exchange.awaits_first() => {}
            Self::Exchange(exchange) => exchange.drain(),
            Self::Tunnel(_) => {}
        }
    }

    /// A request that was not answered yet is the last, and its answer says so. Whoever has asked
    /// for nothing, or hears an answer that has not said so, is left alone.
    pub fn conclude(&mut self) {
        match self {
            Self::Exchange(exchange) if exchange.is_unanswered() => exchange.drain(),
            Self::Exchange(_) | Self::Tunnel(_) => {}
        }
    }

    /// What it may do, as it was when the client came in.
    #[must_use]
    pub const fn policy(&self) -> &Rc<Policy> {
        match self {
            Self::Exchange(exchange) => &exchange.policy,
            Self::Tunnel(tunnel) => &tunnel.policy,
        }
    }

    /// What a person should be told, once.
    pub const fn incident(&mut self) -> Option<Incident> {
        match self {
            Self::Exchange(exchange) => exchange.incident.take(),
            Self::Tunnel(tunnel) => tunnel.incident.take(),
        }
    }

    /// The request that has just been brought to its end, once.
    pub const fn record(&mut self) -> Option<Record> {
        match self {
            Self::Exchange(exchange) => exchange.record.take(),
            Self::Tunnel(tunnel) => tunnel.record.take(),
        }
    }

    /// A request that wants its first server.
    #[must_use]
    pub fn asks(&self) -> Option<Asked<'_>> {
        match self {
            Self::Exchange(exchange) => exchange.asks(),
            Self::Tunnel(_) => None,
        }
    }

    /// How long an answer may take to begin.
    #[must_use]
    pub fn patience(&self) -> Span {
        match self {
            Self::Exchange(exchange) => exchange.policy.timeouts.server.response,
            Self::Tunnel(tunnel) => tunnel.policy.timeouts.server.response,
        }
    }

    /// The beginning of a request whose head was refused just now, up to its first line break.
    #[must_use]
    pub fn refused_line(&self) -> &[u8] {
        match self {
            Self::Exchange(exchange) => exchange.aside.as_ref().map_or(b"", |aside| &aside.refused),
            Self::Tunnel(_) => b"",
        }
    }

    /// The request that was refused just now, if its head is sound: it was too much, not wrong.
    #[must_use]
    pub fn refused_head(&self) -> Option<Asked<'_>> {
        match self {
            Self::Exchange(exchange) => exchange.refused_head(),
            Self::Tunnel(_) => None,
        }
    }

    /// How many bytes were thrown away with a request that was refused just now.
    #[must_use]
    pub fn refused_bytes(&self) -> usize {
        match self {
            Self::Exchange(exchange) => exchange.aside.as_ref().map_or(0, |one| one.refused_bytes),
            Self::Tunnel(_) => 0,
        }
    }

    /// The request that ends in the middle because the session does, or the tunnel.
    pub fn abandoned(&mut self, outcome: Outcome) -> Option<Record> {
        let account = match self {
            Self::Exchange(exchange) => exchange.account.take()?,
            Self::Tunnel(tunnel) if !tunnel.has_begun() => return None,
            Self::Tunnel(_) => Record {
                method: Method::Other,
                status: 0,
                own: true,
                heads: 0,
                end: End::Ok,
            },
        };
        Some(Record {
            end: outcome.end(),
            ..account
        })
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
