//! One connection of the fake network: two pipes, two ends, and what reaches them.
//!
//! The rules are Linux's where Linux was looked at (bytes that had arrived survive a reset, a
//! reset is told once, after the end of the stream it is `EPIPE`), and wider where a fault says so.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::collections::VecDeque;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::arena::Key;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::faults::Fault;
use crate::net::ECONNREFUSED;
use crate::net::ECONNRESET;
use crate::net::EHOSTUNREACH;
use crate::net::EPIPE;
use crate::net::ETIMEDOUT;
use crate::net::Net;
use crate::net::Signs;
use crate::queue::Plan;

/// A connection. End 0 connected, end 1 accepted; pipe `n` carries what end `n` writes.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) ends: [End; 2],
    pub(crate) pipes: [Pipe; 2],
    pub(crate) phase: Phase,
    /// Nothing gets through any more.
    pub(crate) silent: bool,
}

/// How far a connect has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    Standing,
    Failed,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) address: SocketAddr,
    pub(crate) presence: Presence,
    /// The error number that the next verb gets; 0 for none.
    pub(crate) error: i32,
    pub(crate) reset: bool,
    pub(crate) thirst: Thirst,
}

/// Who is at an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Nobody yet: the connect is undecided, or the connection waits to be accepted.
    Nobody,
    Open(Socket),
    Closed,
}

/// Whether a writer was told to wait (Linux: `SOCK_NOSPACE`), and whether it will be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thirst {
    No,
    Yes,
    Told,
}

/// Bytes on their way, and bytes that wait to be read.
#[derive(Debug)]
pub(crate) struct Pipe {
    /// First what has arrived, then what is in flight.
    pub(crate) bytes: VecDeque<u8>,
    pub(crate) arrived: usize,
    /// Bytes that the direction holds.
    pub(crate) capacity: usize,
    /// Bytes of these that the reader's side holds; the others wait at the writer's.
    pub(crate) window: usize,
    /// Bytes that have found the window closed, and wait for a read.
    pub(crate) held: usize,
    /// The end of the stream waits behind them.
    pub(crate) fin_held: bool,
    /// Nothing sent later may arrive earlier.
    pub(crate) floor: Moment,
    pub(crate) fin: Fin,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fin {
    Open,
    Sent,
    Arrived,
}

impl Link {
    pub(crate) fn open(&self, end: u8) -> Option<Socket> {
        match self.ends[usize::from(end)].presence {
            Presence::Open(socket) => Some(socket),
            Presence::Nobody | Presence::Closed => None,
        }
    }

    /// Both directions have ended and both ends know: for Linux that is a closed socket.
    pub(crate) fn is_over(&self) -> bool {
        self.pipes.iter().all(|pipe| pipe.fin == Fin::Arrived)
    }

    /// What a socket at `end` would be told if it were new.
    pub(crate) fn signs(&self, end: u8) -> Signs {
        let outbound = &self.pipes[usize::from(end)];
        let pipe = &self.pipes[usize::from(1 - end)];
        let standing = self.phase == Phase::Standing;
        let mut signs = Signs::NONE;
        if outbound.fin != Fin::Open || standing && outbound.is_roomy() {
            signs = Signs::WRITABLE;
        }
        if pipe.arrived > 0 {
            signs = signs.and(Signs::READABLE);
        }
        if pipe.fin == Fin::Arrived {
            signs = signs.and(Signs::ENDED);
        }
        if self.ends[usize::from(end)].reset {
            signs = Signs::ALL;
        }
        signs
    }
}

impl End {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            presence: Presence::Nobody,
            error: 0,
            reset: false,
            thirst: Thirst::No,
        }
    }
}

impl Pipe {
    pub(crate) const fn new(bytes: VecDeque<u8>, capacity: usize) -> Self {
        Self {
            bytes,
            arrived: 0,
            capacity,
            window: capacity.div_ceil(2),
            held: 0,
            fin_held: false,
            floor: Moment(0),
            fin: Fin::Open,
        }
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.bytes.len())
    }

    /// Linux tells a writer when a third of its buffer is free.
    pub(crate) fn is_roomy(&self) -> bool {
        self.room() * 3 >= self.capacity
    }
}

impl Net {
    /// Lets happen what was planned for `at`.
    pub(crate) fn happen(&mut self, at: Moment, plan: Plan) {
        match plan {
            Plan::Arrive { link, to, count } => self.arrive(link, to, count as usize),
            Plan::Fin { link, to } => self.fin(link, to),
            Plan::Reset { link, to } => self.reset(link, to),
            Plan::GiveUp { link, to, error } => self.give_up(link, to, error),
            Plan::Room { link, to } => self.room(link, to),
            Plan::Syn { link, attempt } => self.syn(link, attempt),
            Plan::Verdict { link, error } => self.verdict(link, error),
            Plan::Wake { party } => self.alarm(party, at),
            Plan::Resolve { ticket, name } => self.answer(ticket, name),
            Plan::Signal { quit } => self.signalled(quit),
        }
    }

    /// Plans the arrival of `count` bytes that `end` has just written.
    pub(crate) fn send(&mut self, key: Key, end: u8, count: usize) {
        let mut at = self.now + self.latency();
        if self.faults.strikes(Fault::Delayed) {
            at = at + Span(self.faults.below(200_000_000));
        }
        let mut pieces = 1;
        if count > 1 && self.faults.strikes(Fault::Segmented) {
            pieces = self.faults.size(6) + 1;
        }
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let pipe = &mut link.pipes[usize::from(end)];
        at = at.max(pipe.floor);
        let mut left = count;
        while left > 0 {
            let piece = match pieces {
                1 => left,
                // Single bytes find more faults than halves do.
                _ if self.faults.below(3) == 0 => 1,
                _ => self.faults.size(left),
            };
            pieces = 1.max(pieces - 1);
            left -= piece;
            self.queue.push(
                at,
                Plan::Arrive {
                    link: key,
                    to: 1 - end,
                    count: u32::try_from(piece).expect("no more than a pipe holds"),
                },
            );
            pipe.floor = at;
            at = at + Span(1 + self.faults.below(1_000_000));
        }
    }

    /// Plans the end of what `end` writes.
    pub(crate) fn send_fin(&mut self, key: Key, end: u8) {
        let at = self.now + self.latency();
        // In the packet of the last bytes, as often as not.
        let rides = self.faults.below(2) == 0;
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let pipe = &mut link.pipes[usize::from(end)];
        if pipe.fin == Fin::Open {
            pipe.fin = Fin::Sent;
            if !rides || pipe.floor <= self.now {
                pipe.floor = at.max(pipe.floor);
            }
            self.queue.push(
                pipe.floor,
                Plan::Fin {
                    link: key,
                    to: 1 - end,
                },
            );
        }
    }

    /// Plans a reset that goes from `end` to the other one.
    pub(crate) fn send_reset(&mut self, key: Key, end: u8) {
        let mut at = self.now + self.latency();
        let overtakes = self.faults.strikes(Fault::ResetOvertakes);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let pipe = &mut link.pipes[usize::from(end)];
        if overtakes {
            pipe.bytes.truncate(pipe.arrived);
            pipe.held = 0;
            // The end was behind these bytes: it is lost with them.
            pipe.fin_held = false;
            if pipe.fin == Fin::Sent {
                pipe.fin = Fin::Open;
            }
        } else {
            at = at.max(pipe.floor);
        }
        pipe.floor = at;
        let to = 1 - end;
        self.queue.push(at, Plan::Reset { link: key, to });
    }

    fn arrive(&mut self, key: Key, to: u8, count: usize) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if link.silent {
            return;
        }
        if self.faults.strikes(Fault::Silenced) {
            link.silent = true;
            return;
        }
        if self.faults.strikes(Fault::GivenUp) {
            link.silent = true;
            self.plan_give_up(key, 1 - to);
            return;
        }
        let presence = link.ends[usize::from(to)].presence;
        let pipe = &mut link.pipes[usize::from(1 - to)];
        let before = pipe.arrived;
        let fits = count.min(pipe.window.saturating_sub(before));
        pipe.held += count - fits;
        pipe.arrived = pipe.bytes.len().min(before + fits);
        if presence == Presence::Closed {
            // Nobody will read this, and whoever sent it must hear so, RFC 9293 section 3.10.7.1.
            pipe.bytes.clear();
            pipe.arrived = 0;
            pipe.held = 0;
            self.send_reset(key, to);
            return;
        }
        let news = pipe.arrived > before;
        if let (true, Presence::Open(socket)) = (news, presence) {
            self.touch(socket, Signs::READABLE);
        }
        if self.faults.strikes(Fault::Severed) {
            self.reset(key, 0);
            self.reset(key, 1);
        }
    }

    /// The reader at `to` has made room: what the window held back is sent, once that is worth a
    /// packet (RFC 9293 section 3.8.6.2.2).
    pub(crate) fn open_window(&mut self, key: Key, to: u8) {
        let at = self.now + self.latency();
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let pipe = &mut link.pipes[usize::from(1 - to)];
        if pipe.held == 0 || pipe.arrived * 2 > pipe.window {
            return;
        }
        let count = pipe.held.min(pipe.window - pipe.arrived);
        pipe.held -= count;
        pipe.floor = at.max(pipe.floor);
        let count = u32::try_from(count).expect("no more than a pipe holds");
        let link = key;
        self.queue
            .push(pipe.floor, Plan::Arrive { link, to, count });
        if pipe.held == 0 && std::mem::take(&mut pipe.fin_held) {
            self.queue.push(pipe.floor, Plan::Fin { link, to });
        }
    }

    fn fin(&mut self, key: Key, to: u8) {
        let later = self.now + self.latency();
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if link.silent || link.ends[usize::from(to)].reset {
            return;
        }
        let pipe = &mut link.pipes[usize::from(1 - to)];
        if pipe.fin == Fin::Open {
            return;
        }
        if pipe.held > 0 {
            pipe.fin_held = true;
            return;
        }
        if pipe.arrived < pipe.bytes.len() {
            // A short read has put bytes back into flight; the end must not overtake them.
            let at = later.max(pipe.floor);
            self.queue.push(at, Plan::Fin { link: key, to });
            return;
        }
        pipe.fin = Fin::Arrived;
        if let Some(socket) = link.open(to) {
            self.touch(socket, Signs::ENDED.and(Signs::READABLE));
        }
    }

    fn reset(&mut self, key: Key, to: u8) {
        if self.links.get(key).is_some_and(|link| !link.silent) {
            self.give_up(key, to, 0);
        }
    }

    /// The writer, who hears nothing any more, will give up, and the other end will learn of it.
    fn plan_give_up(&mut self, link: Key, writer: u8) {
        let at = self.now + Span::seconds(5) + Span(self.faults.below(10_000_000_000));
        let errors = [ETIMEDOUT, EHOSTUNREACH];
        let error = errors[self.faults.index(errors.len())];
        let to = writer;
        self.queue.push(at, Plan::GiveUp { link, to, error });
        let at = at + Span(self.faults.below(5_000_000_000));
        let (to, error) = (1 - writer, 0);
        self.queue.push(at, Plan::GiveUp { link, to, error });
    }

    /// The connection breaks at one end, with `error` or, if that is 0, with that of a reset.
    fn give_up(&mut self, key: Key, to: u8, error: i32) {
        let purges = self.faults.strikes(Fault::ResetPurges);
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        // With both directions over there is nothing left that could be reset.
        let over = link.is_over();
        let end = &mut link.ends[usize::from(to)];
        if end.reset || over {
            return;
        }
        let inbound = &mut link.pipes[usize::from(1 - to)];
        // Behind an end that has come there is nothing to lose: all before it is here to be read.
        if purges && inbound.fin != Fin::Arrived {
            inbound.arrived = 0;
        }
        inbound.bytes.truncate(inbound.arrived);
        inbound.held = 0;
        end.reset = true;
        let fin = inbound.fin;
        let outbound = &mut link.pipes[usize::from(to)];
        outbound.bytes.truncate(outbound.arrived);
        // Whoever has seen the end and has not ended himself hears that nobody reads him.
        end.error = match (fin, outbound.fin) {
            _ if error != 0 => error,
            (Fin::Arrived, Fin::Open) => EPIPE,
            (Fin::Arrived | Fin::Open | Fin::Sent, _) => ECONNRESET,
        };
        if let Some(socket) = link.open(to) {
            self.touch(socket, Signs::ALL);
        }
    }

    fn room(&mut self, key: Key, to: u8) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        if link.silent {
            return;
        }
        let roomy = link.pipes[usize::from(to)].is_roomy();
        let end = &mut link.ends[usize::from(to)];
        if end.thirst == Thirst::Told {
            end.thirst = if roomy { Thirst::No } else { Thirst::Yes };
        }
        if let (true, Some(socket)) = (roomy, link.open(to)) {
            self.touch(socket, Signs::WRITABLE);
        }
    }

    fn syn(&mut self, key: Key, attempt: u8) {
        let at = self.now + self.latency();
        let Some(link) = self.links.get(key) else {
            return;
        };
        if self.holes.contains(&link.ends[1].address) {
            return;
        }
        let error = match self.listener(link.ends[1].address) {
            Some(_) => 0,
            None => ECONNREFUSED,
        };
        let to = link.ends[1].address;
        let full =
            error == 0 && (self.backlog_full(to) || self.faults.strikes(Fault::QueueOverflown));
        if !full {
            self.queue.push(at, Plan::Verdict { link: key, error });
            return;
        }
        // The queue overflows, so the request is dropped and sent again: 1 s, 2 s, 4 s (tcp(7)).
        if attempt >= 6 {
            let error = ETIMEDOUT;
            self.queue.push(at, Plan::Verdict { link: key, error });
            return;
        }
        let again = self.now + Span::seconds(1 << attempt);
        let attempt = attempt + 1;
        self.queue.push(again, Plan::Syn { link: key, attempt });
    }

    pub(crate) fn verdict(&mut self, key: Key, error: i32) {
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let to = link.ends[1].address;
        let Some(socket) = link.open(0) else {
            return;
        };
        if error != 0 {
            link.phase = Phase::Failed;
            link.ends[0].error = error;
            link.ends[0].reset = true;
            self.touch(socket, Signs::ALL);
            return;
        }
        link.phase = Phase::Standing;
        self.touch(socket, Signs::WRITABLE);
        if !self.enqueue(to, key) {
            // The listener was closed between the request and the answer.
            self.reset(key, 0);
        }
        if self.faults.strikes(Fault::ResetAtOnce) {
            self.reset(key, 0);
            self.reset(key, 1);
        }
    }

    /// Forgets a connection that nobody can reach any more.
    pub(crate) fn bury(&mut self, key: Key) {
        if let Some(link) = self.links.remove(key) {
            for mut pipe in link.pipes.map(|pipe| pipe.bytes) {
                if self.spare.len() < 256 {
                    pipe.clear();
                    self.spare.push(pipe);
                }
            }
        }
    }
}
