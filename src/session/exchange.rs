//! The HTTP/1.1 session: one request in flight, answers in order.
//!
//! Two small automata run side by side, the request's ([`Sending`]) and the answer's
//! ([`Receiving`]); what their pair allows is decided in [`Exchange::running`] and nowhere else.
//! This file only sequences. What bytes mean is in `http`; facts from the client are handled in
//! `request`, facts from the server in `response`, own answers in `reply`.

use std::net::IpAddr;
use std::rc::Rc;

use super::aside::Aside;
use super::deadline;
use super::deadline::Waiting;
use super::half::Half;
use super::step::Asked;
use super::step::Can;
use super::step::Incident;
use super::step::Outcome;
use super::step::Policy;
use super::step::Record;
use super::step::Step;
use super::step::Wish;
use super::tunnel::Tunnel;
use crate::base::Fault;
use crate::base::Side;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::http::chunked::Chunked;
use crate::http::head::HeadScan;
use crate::http::head::RequestHead;

/// An HTTP/1.1 client connection and, while a request runs, its server connection.
#[derive(Debug)]
pub struct Exchange {
    pub(super) policy: Rc<Policy>,
    pub(super) client: IpAddr,
    /// Whether the client is believed what it says of others.
    pub(super) trusted: bool,
    /// Client to server.
    pub(super) up: Half,
    /// Server to client.
    pub(super) down: Half,
    pub(super) phase: Phase,
    pub(super) server: Server,
    /// What the server's answer says of its connection.
    pub(super) server_keep: Keep,
    /// What is remembered of the request that runs.
    pub(super) request: Option<Box<Running>>,
    /// Memory for it, between two requests of one run: see [`super::Session::reclaim`].
    pub(super) vacant: Option<Box<Running>>,
    /// When the phase began, or a byte last moved.
    pub(super) mark: Moment,
    /// Bytes of our own that go to the client before any of `down`.
    pub(super) aside: Option<Box<Aside>>,
    pub(super) incident: Option<Incident>,
    /// What is known so far of the request that runs.
    pub(super) account: Option<Record>,
    /// The request that has just ended.
    pub(super) record: Option<Record>,
    pub(super) life: Life,
    /// Requests so far.
    pub(super) requests: u32,
}

/// Where the connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// No request was answered yet.
    New,
    /// Kept alive after an answer.
    Kept,
    /// What runs is the last: the client, the server or the operator wants the end.
    Last,
}

/// The phases of a client connection.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Between requests: not a byte of the next one is here.
    Idle,
    /// Some bytes of a head are here.
    Head(HeadScan),
    /// A server is wanted for the request; its head, not yet rewritten, is this long.
    Wanting(Wish),
    /// The engine is looking for a server.
    Dialling,
    /// The attempt took too long.
    Redialling,
    /// Bytes move.
    Running,
    /// The server speaks another protocol now: [`super::Session`] makes a tunnel of this.
    Switched,
    /// Our own answer goes out; then the connection ends or the next request begins.
    Replying,
    /// The last answer is out: tell the client that nothing more comes.
    Finishing,
    /// Reading and throwing away until the client has closed too: so many bytes yet.
    Lingering(usize),
    /// For ever.
    Over(Outcome),
}

/// The server's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// No connection.
    None,
    /// A connection, and whether it has carried a request before this one. A deaf one takes no
    /// more bytes, but an answer may still come from it.
    Attached { reused: bool, deaf: bool },
    /// The request is served: to be parked if clean, else to be closed.
    Leaving { clean: bool },
}

/// The request that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) head: RequestHead,
    /// Bytes of the head at the start of what is unjudged in `up`; 0 once it is rewritten.
    pub(super) head_bytes: usize,
    /// What the rewritten head names as `Host`.
    pub(super) host: Named,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    pub(super) tries: u32,
    /// Whether the client keeps its connection after this answer.
    pub(super) persistent: bool,
    /// Whether all bytes sent are still here to be sent again.
    pub(super) replayable: bool,
}

/// What a rewritten head names as `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// What the client named.
    Kept,
    /// The server, where the client named this.
    Replaced(Box<str>),
    /// The server, as the client named nothing (HTTP/1.0).
    Supplied,
}

/// How far the request is.
#[derive(Clone, Debug)]
pub(super) enum Sending {
    /// So many body bytes have yet to come from the client.
    Length(u64),
    /// The body comes in chunks.
    Chunked(Chunked),
    /// The client has sent all of it.
    Whole,
}

/// How far the answer is.
#[derive(Clone, Debug)]
pub(super) enum Receiving {
    /// Its head is awaited, after this many interim ones; whether these allow for the connection
    /// to be used again.
    Head {
        scan: HeadScan,
        interims: u8,
        keeps: bool,
    },
    /// So many body bytes have yet to come.
    Length(u64),
    /// The body comes in chunks.
    Chunked(Chunked),
    /// The body ends with the connection; it goes out in chunks of our own, or as it is.
    UntilClose { chunks: bool },
    /// All of it is here.
    Whole,
}

/// What the server's answer says of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It may be used again, for as long as it said, if it said.
    For(Option<Span>),
    /// It ends.
    Not,
}

impl Exchange {
    /// For a client that has just connected from that address.
    #[must_use]
    pub fn new(policy: Rc<Policy>, client: IpAddr, now: Moment) -> Self {
        Self {
            trusted: policy.trusts(client),
            policy,
            client,
            up: Half::default(),
            down: Half::default(),
            phase: Phase::Idle,
            server: Server::None,
            server_keep: Keep::Not,
            request: None,
            vacant: None,
            mark: now,
            aside: None,
            incident: None,
            account: None,
            record: None,
            life: Life::New,
            requests: 0,
        }
    }

    pub(super) fn next(&mut self, can: Can) -> Step {
        // A server connection that is done with goes first: others may want it.
        if let Server::Leaving { clean } = self.server {
            self.server = Server::None;
            return if clean { Step::Park } else { Step::Drop };
        }
        match &self.phase {
            Phase::Idle | Phase::Head(_) if self.up.source_ended => self.leave(can),
            Phase::Idle | Phase::Head(_) if can.read(Side::Client) => Step::Read(Side::Client),
            // The program wants to end, and nobody has asked for anything.
            Phase::Idle if self.life == Life::Last => self.leave(can),
            Phase::Wanting(wish) => {
                let wish = *wish;
                self.phase = Phase::Dialling;
                Step::Dial(wish)
            }
            Phase::Redialling => {
                self.phase = Phase::Dialling;
                Step::Redial(Fault::TimedOut)
            }
            Phase::Idle | Phase::Head(_) | Phase::Dialling | Phase::Switched => Step::Wait,
            Phase::Running => self.running(can),
            Phase::Replying => self.replying(can),
            Phase::Finishing if can.finish(Side::Client) => Step::Finish(Side::Client),
            Phase::Finishing => Step::Wait,
            Phase::Lingering(_) if self.up.source_ended || planted(Bug::LingerSkipped) => {
                self.phase = Phase::Over(Outcome::Done);
                Step::End(Outcome::Done)
            }
            Phase::Lingering(_) if can.read(Side::Client) => Step::Read(Side::Client),
            Phase::Lingering(_) => Step::Wait,
            Phase::Over(Outcome::Idle) if can.held(Side::Client) => self.leave(can),
            Phase::Over(outcome) => Step::End(*outcome),
        }
    }

    /// The pair of automata: what can move, in the order that frees memory soonest.
    fn running(&mut self, can: Can) -> Step {
        let Some(request) = &self.request else {
            return Step::Wait;
        };
        let to_client = self.waits_for_client();
        if to_client && can.write(Side::Client) {
            return self.write_client();
        }
        if matches!(request.receiving, Receiving::Whole) {
            return if to_client {
                Step::Wait
            } else {
                self.answered(can)
            };
        }
        let deaf = matches!(self.server, Server::Attached { deaf: true, .. });
        if !deaf && can.write(Side::Server) {
            if !self.up.pending().is_empty() {
                return Step::Write(Side::Server);
            }
            if self.up.piped() > 0 {
                return Step::Pour(Side::Server);
            }
        }
        if self.takes_response() && can.read(Side::Server) {
            return if can.pipe() && self.splices(Side::Server) {
                Step::Fill(Side::Server)
            } else {
                Step::Read(Side::Server)
            };
        }
        if can.read(Side::Client) && self.takes_request() {
            return if can.pipe() && !deaf && self.splices(Side::Client) {
                Step::Fill(Side::Client)
            } else {
                Step::Read(Side::Client)
            };
        }
        Step::Wait
    }

    /// Whether there is room for more of the answer. What is wrapped in chunks of our own is
    /// read when everything before it is written.
    fn takes_response(&self) -> bool {
        if self.down.piped() > 0 {
            return false;
        }
        match self.request.as_ref().map(|request| &request.receiving) {
            Some(Receiving::UntilClose { chunks: true }) => self.down.is_empty(),
            Some(Receiving::Whole) | None => false,
            Some(_) => self.down.room() > 0,
        }
    }

    /// Whether to read from the client: its body, or ahead of it, which also shows whether the
    /// client is still there. A body that needs the memory of what is kept for a retry gets it.
    fn takes_request(&mut self) -> bool {
        let ended = self.up.source_ended && !planted(Bug::HalfCloseSpins);
        if ended || self.up.piped() > 0 {
            return false;
        }
        if self.up.room() > 0 {
            return true;
        }
        match &mut self.request {
            Some(request)
                if request.replayable
                    && matches!(request.sending, Sending::Length(_) | Sending::Chunked(_)) =>
            {
                request.replayable = false;
                self.up.release();
                self.up.room() > 0
            }
            _ => false,
        }
    }

    /// The whole answer is with the client. The next request, or the end.
    fn answered(&mut self, can: Can) -> Step {
        let Some(request) = self.request.take() else {
            return Step::Wait;
        };
        self.record = self.account.take();
        let request = self.vacant.insert(request);
        if request.persistent && self.life != Life::Last {
            self.next_request();
            return self.next(can);
        }
        // Closing with unread bytes would reset the answer away (RFC 9112 section 9.6), and a
        // client that does not know yet that this was the last answer may be sending more.
        let whole = matches!(request.sending, Sending::Whole) && !request.head.persistent;
        // Under TLS the end of the connection is a message of its own, which may have to wait for
        // room; without it an answer that ends with the connection is not whole.
        let whole = whole && !self.policy.client_is_tls;
        if whole && self.up.is_empty() && !can.read(Side::Client) {
            return self.leave(can);
        }
        self.phase = Phase::Finishing;
        self.next(can)
    }

    /// Nothing is left to do for the client, unless some of what it was answered is held back:
    /// that has to leave first.
    fn leave(&mut self, can: Can) -> Step {
        if can.held(Side::Client) {
            self.phase = Phase::Finishing;
            return self.next(can);
        }
        self.phase = Phase::Over(Outcome::Done);
        Step::End(Outcome::Done)
    }

    fn replying(&mut self, can: Can) -> Step {
        if !self.pending(Side::Client).is_empty() {
            return if can.write(Side::Client) {
                Step::Write(Side::Client)
            } else {
                Step::Wait
            };
        }
        self.record = self.account.take();
        if self.life == Life::Last {
            self.phase = Phase::Finishing;
        } else {
            self.vacant = self.request.take();
            self.next_request();
        }
        self.next(can)
    }

    /// The request that has not been given to any server yet.
    pub(super) fn asks(&self) -> Option<Asked<'_>> {
        let request = self.request.as_ref().filter(|one| one.head_bytes > 0)?;
        let bytes = self.up.unjudged().get(..request.head_bytes)?;
        let head = &request.head;
        let id = head.id(bytes).filter(|_| self.trusted);
        Some(Asked { head, bytes, id })
    }

    /// What a request asks for that was refused just now, although its head is sound.
    pub(super) fn refused_head(&self) -> Option<Asked<'_>> {
        let (head, bytes) = &**self.aside.as_ref()?.refused_head.as_ref()?;
        let id = head.id(bytes).filter(|_| self.trusted);
        Some(Asked { head, bytes, id })
    }

    /// True while there is no memory for a request that may come.
    pub(super) const fn lacks_memory(&self) -> bool {
        self.request.is_none() && self.vacant.is_none()
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let waiting = match &self.phase {
            Phase::Idle if self.life == Life::New => Waiting::FirstHead,
            Phase::Idle => Waiting::NextHead,
            Phase::Head(_) => Waiting::Head,
            Phase::Wanting(_) | Phase::Redialling | Phase::Switched | Phase::Over(_) => {
                return None;
            }
            Phase::Dialling => Waiting::Dial,
            Phase::Running => self.running_waits(),
            Phase::Replying | Phase::Finishing => Waiting::ClientTakes,
            Phase::Lingering(_) => Waiting::Linger,
        };
        Some(self.mark + deadline::http(&self.policy.timeouts, waiting))
    }

    /// What the exchange waits for while bytes move.
    pub(super) fn running_waits(&self) -> Waiting {
        let Some(request) = &self.request else {
            return Waiting::Response;
        };
        if self.waits_for_client() {
            return Waiting::ClientTakes;
        }
        if !matches!(request.receiving, Receiving::Head { .. }) {
            return Waiting::ResponseBody;
        }
        let sent = self.up.pending().is_empty() && self.up.piped() == 0;
        if sent && !matches!(request.sending, Sending::Whole) {
            return Waiting::ClientSends;
        }
        Waiting::Response
    }

    pub(super) fn pending(&self, side: Side) -> &[u8] {
        match (side, &self.aside) {
            (Side::Client, Some(aside)) => aside.pending(),
            (Side::Client, None) => self.down.pending(),
            (Side::Server, _) => self.up.pending(),
        }
    }

    pub(super) fn wrote(&mut self, side: Side, count: usize, now: Moment) {
        if !planted(Bug::WritingDoesNotCount) {
            self.mark = now;
        }
        match side {
            Side::Server => {
                let keep = self
                    .request
                    .as_ref()
                    .is_some_and(|request| request.replayable);
                self.up.wrote(count, keep);
            }
            Side::Client => match &mut self.aside {
                Some(aside) => {
                    if aside.wrote(count) {
                        self.aside = None;
                    }
                }
                None => self.down.wrote(count, false),
            },
        }
    }

    /// The tunnel that this has become, once the server has switched protocols.
    pub(super) fn switched(&mut self, now: Moment) -> Option<Tunnel> {
        if !matches!(self.phase, Phase::Switched) {
            return None;
        }
        let (up, down) = (std::mem::take(&mut self.up), std::mem::take(&mut self.down));
        let mut tunnel = Tunnel::joined(Rc::clone(&self.policy), up, down, now);
        tunnel.record = self.account.take();
        Some(tunnel)
    }

    pub(super) fn finished(&mut self, now: Moment) {
        self.mark = now;
        // What was read ahead is thrown away like what still comes, which needs the room.
        self.up.clear();
        self.phase = Phase::Lingering(crate::limits::LINGER_BYTES_MAX);
    }

    pub(super) const fn touch(&mut self, now: Moment) {
        self.mark = now;
    }

    pub(super) fn drain(&mut self) {
        self.life = Life::Last;
        if let Some(request) = &mut self.request {
            request.persistent = false;
        }
    }

    /// Whether the client has yet to send its first request.
    pub(super) fn awaits_first(&self) -> bool {
        self.life == Life::New && matches!(self.phase, Phase::Idle | Phase::Head(_))
    }

    /// Whether a request runs of whose answer the head has not been written yet.
    pub(super) fn is_unanswered(&self) -> bool {
        let runs = matches!(
            self.phase,
            Phase::Wanting(_) | Phase::Dialling | Phase::Redialling | Phase::Running
        );
        runs && self.awaits_head()
    }

    pub(super) const fn server_keep_alive(&self) -> Option<Span> {
        match self.server_keep {
            Keep::For(span) => span,
            Keep::Not => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::buffer::Pool;
    use crate::session::step::Dialled;

    #[test]
    fn every_byte_that_is_taken_is_a_sign_of_life() {
        let policy = Policy {
            request_head: 1_000,
            headers: 10,
            tries: 1,
            ..Policy::default()
        };
        let mut exchange = Exchange::new(Rc::new(policy), IpAddr::from([10, 0, 0, 1]), Moment(0));
        let (mut pool, mut scratch) = (Pool::new(2), Vec::new());
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        exchange.up.lend(pool.take().unwrap());
        exchange.up.space()[..request.len()].copy_from_slice(request);
        exchange.filled(Side::Client, request.len(), &mut scratch, Moment(0));
        assert!(matches!(exchange.next(Can::NOTHING), Step::Dial(_)));
        let got = Dialled {
            authority: "a",
            own_host: false,
            reused: false,
            number: 0,
        };
        exchange.dialled(got, &mut scratch, Moment(0));
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789";
        exchange.down.lend(pool.take().unwrap());
        exchange.down.space()[..answer.len()].copy_from_slice(answer);
        exchange.filled(Side::Server, answer.len(), &mut scratch, Moment(1));
        let before = exchange.deadline().unwrap();
        exchange.wrote(Side::Client, 1, Moment(6));
        assert_eq!(exchange.deadline(), Some(Moment(before.0 + 5)));
    }
}
