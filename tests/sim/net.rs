//! A network of sockets and nothing else, in one thread, in virtual time, from one seed.
//!
//! Everybody in it is a party: the program under test is party 0 (through `SimKernel`), the test
//! itself is party 1, the actors follow. All use the same verbs, non-blocking, and are told which
//! of their sockets changed. Bytes that are written arrive later, in order; every verb is traced.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::any::Any;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::arena::Arena;
use tidegate::base::arena::Key;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;

use crate::faults::Fault;
use crate::faults::Faults;
use crate::link::Link;
use crate::link::Presence;
use crate::link::Thirst;
use crate::queue::Plan;
use crate::queue::Queue;
use crate::trace::Trace;

/// Somebody outside: a client, an origin.
pub(crate) trait Actor: Any {
    /// Called at first, whenever one of its sockets changed (see [`Net::changed`]), and at the
    /// moment that it returned last. Verbs on `net` are done in its name.
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment>;
}

/// The world.
#[derive(Debug)]
pub(crate) struct Net {
    pub(crate) now: Moment,
    pub(crate) faults: Faults,
    pub(crate) trace: Trace,
    pub(crate) queue: Queue,
    pub(crate) links: Arena<Link>,
    pub(crate) sockets: Arena<Entry>,
    pub(crate) listeners: Vec<(SocketAddr, Socket)>,
    pub(crate) parties: Vec<Party>,
    /// In whose name verbs are done.
    pub(crate) current: u32,
    /// Actors that have to be called.
    pub(crate) woken: VecDeque<u32>,
    pub(crate) spare: Vec<VecDeque<u8>>,
    pub(crate) news: VecDeque<News>,
    pub(crate) bounds: Bounds,
    /// What the program under test closed last, latest first.
    pub(crate) graves: VecDeque<Socket>,
    names: Vec<Name>,
    /// Where nobody even refuses.
    pub(crate) holes: Vec<SocketAddr>,
    last_port: u16,
}

/// What the program under test may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Sockets at a time; above, `EMFILE`.
    pub(crate) descriptors: usize,
    /// Outgoing connections at a time; above, `EADDRNOTAVAIL`.
    pub(crate) ports: usize,
    /// Connections that wait in a listener's queue; above, requests are dropped and repeated.
    pub(crate) backlog: usize,
    /// Bytes that a direction of a connection holds, unless [`Fault::SmallBuffers`] strikes.
    pub(crate) buffer: usize,
    /// Panics on verbs for closed sockets and on empty buffers, instead of only counting them.
    pub(crate) strict: bool,
}

/// Somebody who has sockets.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) host: IpAddr,
    /// Sockets with something to report, each once.
    pub(crate) changed: VecDeque<Socket>,
    pub(crate) queued: bool,
    pub(crate) census: usize,
    pub(crate) outgoing: usize,
    /// Verbs on numbers that were closed.
    pub(crate) misuses: u64,
    alarm: Option<Moment>,
}

/// What a number stands for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) party: u32,
    pub(crate) listed: bool,
    pub(crate) signs: Signs,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Listener {
        at: SocketAddr,
        queue: VecDeque<Key>,
    },
    Stream {
        link: Key,
        end: u8,
    },
}

/// What is to be reported of a socket: a set of the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs(u8);

#[derive(Debug)]
struct Name {
    name: String,
    addresses: Vec<IpAddr>,
    delay: Span,
}

impl Signs {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const READABLE: Self = Self(1);
    pub(crate) const WRITABLE: Self = Self(2);
    pub(crate) const ENDED: Self = Self(4 | 1);
    pub(crate) const ALL: Self = Self(7);

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn ready(self, socket: Socket) -> Ready {
        Ready {
            socket,
            readable: self.has(Self::READABLE),
            writable: self.has(Self::WRITABLE),
            ended: self.0 & 4 != 0,
        }
    }
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let mut net = Self {
            now: Moment(0),
            faults: Faults::new(seed),
            trace: Trace::new(),
            queue: Queue::default(),
            links: Arena::default(),
            sockets: Arena::default(),
            listeners: Vec::new(),
            parties: Vec::new(),
            current: PROXY,
            woken: VecDeque::new(),
            spare: Vec::new(),
            news: VecDeque::new(),
            bounds: Bounds {
                descriptors: usize::MAX,
                ports: 28_000,
                backlog: 4_096,
                buffer: 64 * 1024,
                strict: true,
            },
            graves: VecDeque::new(),
            names: Vec::new(),
            holes: Vec::new(),
            last_port: 32_767,
        };
        net.join(IpAddr::V4(Ipv4Addr::LOCALHOST));
        net.join(IpAddr::V4(Ipv4Addr::LOCALHOST));
        net
    }

    /// A new party that lives on `host`.
    pub(crate) fn join(&mut self, host: IpAddr) -> u32 {
        self.parties.push(Party {
            host,
            changed: VecDeque::new(),
            queued: false,
            census: 0,
            outgoing: 0,
            misuses: 0,
            alarm: None,
        });
        u32::try_from(self.parties.len() - 1).expect("few parties")
    }

    pub(crate) fn party(&mut self) -> &mut Party {
        &mut self.parties[self.current as usize]
    }

    /// The moment that everybody sees.
    pub(crate) const fn now(&self) -> Moment {
        self.now
    }

    /// A number in `0..bound` from the world's own seed.
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        self.faults.below(bound)
    }

    /// The next of the caller's sockets that changed, and how. Empty it, or be called again only
    /// for new changes.
    pub(crate) fn changed(&mut self) -> Option<Ready> {
        loop {
            let socket = self.party().changed.pop_front()?;
            if let Some(entry) = self.sockets.get_mut(socket.0) {
                entry.listed = false;
                return Some(std::mem::take(&mut entry.signs).ready(socket));
            }
        }
    }

    /// Notes an edge, and calls the owner of the socket.
    pub(crate) fn touch(&mut self, socket: Socket, signs: Signs) {
        let Some(entry) = self.sockets.get_mut(socket.0) else {
            return;
        };
        entry.signs = entry.signs.and(signs);
        let party = &mut self.parties[entry.party as usize];
        if !entry.listed {
            entry.listed = true;
            party.changed.push_back(socket);
        }
        if entry.party > GUEST && !party.queued {
            party.queued = true;
            self.woken.push_back(entry.party);
        }
    }

    /// What is true of a socket now.
    pub(crate) fn level(&self, socket: Socket) -> Signs {
        match self.sockets.get(socket.0).map(|entry| &entry.kind) {
            Some(Kind::Listener { queue, .. }) if queue.is_empty() => Signs::NONE,
            Some(Kind::Listener { .. }) => Signs::READABLE,
            Some(Kind::Stream { link, end }) => match self.links.get(*link) {
                Some(link) => link.signs(*end),
                None => Signs::NONE,
            },
            None => Signs::NONE,
        }
    }

    /// How long something takes to get through the network.
    pub(crate) const fn latency(&mut self) -> Span {
        Span(20_000 + self.faults.below(80_000))
    }

    /// Plans a call of `party` at `at`, unless that is planned already.
    pub(crate) fn wake(&mut self, party: u32, at: Option<Moment>) {
        // Never now: an actor that always wants to be called at once would stop the clock.
        let at = at.map(|at| at.max(self.now + Span(1_000)));
        let alarm = &mut self.parties[party as usize].alarm;
        if *alarm == at {
            return;
        }
        *alarm = at;
        if let Some(at) = at {
            self.queue.push(at, Plan::Wake { party });
        }
    }

    pub(crate) fn alarm(&mut self, number: u32, at: Moment) {
        let party = &mut self.parties[number as usize];
        if party.alarm != Some(at) {
            return;
        }
        party.alarm = None;
        if !party.queued {
            party.queued = true;
            self.woken.push_back(number);
        }
    }

    /// From here on `name` has these addresses, and looking it up takes `delay`.
    pub(crate) fn name(&mut self, name: &str, addresses: &[IpAddr], delay: Span) {
        let name = Name {
            name: name.to_owned(),
            addresses: addresses.to_vec(),
            delay,
        };
        // In place: questions on their way remember the position.
        match self.names.iter_mut().find(|known| known.name == name.name) {
            Some(known) => *known = name,
            None => self.names.push(name),
        }
    }

    /// From here on connects to `at` get no verdict, or one like everybody.
    pub(crate) fn swallow(&mut self, at: SocketAddr, swallows: bool) {
        self.holes.retain(|hole| *hole != at);
        if swallows {
            self.holes.push(at);
        }
    }

    pub(crate) fn resolve(&mut self, ticket: u64, name: &str) {
        let position = self.names.iter().position(|known| known.name == name);
        let (delay, name) = match position {
            Some(position) => (
                self.names[position].delay,
                u32::try_from(position).expect("few names"),
            ),
            None => (Span::millis(1), u32::MAX),
        };
        let at = self.now + delay;
        self.queue.push(at, Plan::Resolve { ticket, name });
    }

    pub(crate) fn answer(&mut self, ticket: u64, name: u32) {
        let mut addresses = Vec::new();
        if let Some(known) = self.names.get(name as usize)
            && !self.faults.strikes(Fault::ResolveFailed)
        {
            addresses.clone_from(&known.addresses);
        }
        self.news.push_back(News::Resolved { ticket, addresses });
    }

    /// Plans a signal for the program under test.
    pub(crate) fn signal(&mut self, at: Moment, quit: bool) {
        self.queue.push(at, Plan::Signal { quit });
    }

    pub(crate) fn signalled(&mut self, quit: bool) {
        self.news
            .push_back(if quit { News::Quit } else { News::Stop });
    }

    /// Who listens where a connect to `to` would arrive.
    pub(crate) fn listener(&self, to: SocketAddr) -> Option<Socket> {
        let matches = |at: &SocketAddr| {
            at.port() == to.port()
                && at.is_ipv4() == to.is_ipv4()
                && (at.ip() == to.ip() || at.ip().is_unspecified())
        };
        let found = self.listeners.iter().find(|(at, _)| matches(at));
        found.map(|(_, socket)| *socket)
    }

    pub(crate) fn backlog_full(&self, to: SocketAddr) -> bool {
        let entry = self
            .listener(to)
            .and_then(|socket| self.sockets.get(socket.0));
        match entry.map(|entry| &entry.kind) {
            Some(Kind::Listener { queue, .. }) => queue.len() >= self.bounds.backlog,
            Some(Kind::Stream { .. }) | None => false,
        }
    }

    /// Puts a connection into the queue of whoever listens at `to`.
    pub(crate) fn enqueue(&mut self, to: SocketAddr, link: Key) -> bool {
        let Some(listener) = self.listener(to) else {
            return false;
        };
        let entry = self.sockets.get_mut(listener.0);
        if let Some(Kind::Listener { queue, .. }) = entry.map(|entry| &mut entry.kind) {
            queue.push_back(link);
        }
        self.touch(listener, Signs::READABLE);
        true
    }

    /// A port that nobody is likely to have: they go round, for all hosts together.
    pub(crate) const fn port(&mut self) -> u16 {
        self.last_port = if self.last_port == 60_999 {
            32_768
        } else {
            self.last_port + 1
        };
        self.last_port
    }

    /// Tells the writer at `end` later that there is room, if it was told that there is none.
    pub(crate) fn quench(&mut self, key: Key, end: u8) {
        let at = self.now + self.latency();
        let Some(link) = self.links.get_mut(key) else {
            return;
        };
        let end_of = &mut link.ends[usize::from(end)];
        if end_of.thirst == Thirst::Yes && end_of.presence != Presence::Closed {
            end_of.thirst = Thirst::Told;
            let to = end;
            self.queue.push(at, Plan::Room { link: key, to });
        }
    }
}

/// The program under test.
pub(crate) const PROXY: u32 = 0;
/// The test itself.
pub(crate) const GUEST: u32 = 1;

pub(crate) const EAGAIN: i32 = 11;
pub(crate) const ENOMEM: i32 = 12;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENFILE: i32 = 23;
pub(crate) const EMFILE: i32 = 24;
pub(crate) const EPIPE: i32 = 32;
pub(crate) const EPROTO: i32 = 71;
pub(crate) const EADDRINUSE: i32 = 98;
pub(crate) const EADDRNOTAVAIL: i32 = 99;
pub(crate) const ENETDOWN: i32 = 100;
pub(crate) const ENETUNREACH: i32 = 101;
pub(crate) const ECONNABORTED: i32 = 103;
pub(crate) const ECONNRESET: i32 = 104;
pub(crate) const ENOBUFS: i32 = 105;
pub(crate) const ENOTCONN: i32 = 107;
pub(crate) const ETIMEDOUT: i32 = 110;
pub(crate) const ECONNREFUSED: i32 = 111;
pub(crate) const EHOSTUNREACH: i32 = 113;
