//! The fake behind [`Kernel`]: the program under test is party 0 of a [`Net`].
//!
//! `wait` is where the world turns: what was planned happens, actors are called, and the edges
//! that this leaves on the program's sockets become events, bent by whatever faults are on.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use tidegate::base::Pipe;
use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::engine::kernel::Ready;
use tidegate::limits;

use crate::faults::Fault;
use crate::faults::Faults;
use crate::net::Actor;
use crate::net::Bounds;
use crate::net::GUEST;
use crate::net::Net;
use crate::net::PROXY;
use crate::net::Signs;
use crate::pipes::Paper;
use crate::pipes::Pipes;
use crate::trace::Trace;
use crate::trace::Verb;
use crate::verbs::NOBODY;

/// A world, its inhabitants, and the program under test in the middle.
pub(crate) struct SimKernel {
    net: Net,
    pipes: Pipes,
    paper: Paper,
    actors: Vec<Box<dyn Actor>>,
    /// How far the program's clock is ahead of the world's.
    ahead: Span,
    /// How long the program has not had the processor although it was its turn.
    absent: Span,
}

impl SimKernel {
    /// A calm world: no faults, nobody in it.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            net: Net::new(seed),
            pipes: Pipes::default(),
            paper: Paper::new(seed),
            actors: Vec::new(),
            ahead: Span::ZERO,
            absent: Span::ZERO,
        }
    }

    /// Lets somebody in, on a host of their own (10.0.0.1, 10.0.0.2, …), and says as which number.
    pub(crate) fn add(&mut self, actor: Box<dyn Actor>) -> usize {
        let number = self.actors.len();
        let host = 0x0a00_0001 + u32::try_from(number).expect("few actors");
        let party = self.net.join(IpAddr::V4(Ipv4Addr::from(host)));
        self.actors.push(actor);
        // At once, and not by an alarm: whoever listens shall do so before anybody connects.
        self.net.parties[party as usize].queued = true;
        self.net.woken.push_back(party);
        number
    }

    /// An actor, to look at.
    pub(crate) fn actor<T: Actor>(&self, number: usize) -> &T {
        let actor: &dyn Any = self.actors[number].as_ref();
        actor.downcast_ref().expect("the actor that was added")
    }

    /// An actor, to change. It is called in the next `wait`.
    pub(crate) fn actor_mut<T: Actor>(&mut self, number: usize) -> &mut T {
        let party = u32::try_from(number).expect("few actors") + GUEST + 1;
        if !std::mem::replace(&mut self.net.parties[party as usize].queued, true) {
            self.net.woken.push_back(party);
        }
        let actor: &mut dyn Any = self.actors[number].as_mut();
        actor.downcast_mut().expect("the actor that was added")
    }

    /// The network, in the name of the test itself.
    pub(crate) const fn guest(&mut self) -> &mut Net {
        self.net.current = GUEST;
        &mut self.net
    }

    pub(crate) const fn net(&self) -> &Net {
        &self.net
    }

    pub(crate) const fn faults(&mut self) -> &mut Faults {
        &mut self.net.faults
    }

    pub(crate) const fn bounds(&mut self) -> &mut Bounds {
        &mut self.net.bounds
    }

    pub(crate) const fn trace(&self) -> &Trace {
        &self.net.trace
    }

    /// How many sockets the program under test has open.
    pub(crate) fn census(&self) -> usize {
        self.net.parties[PROXY as usize].census
    }

    /// Where its access log goes.
    pub(crate) const fn paper(&mut self) -> &mut Paper {
        &mut self.paper
    }

    /// How many bytes it moved through pipes.
    pub(crate) const fn spliced(&self) -> u64 {
        self.pipes.moved()
    }

    /// How long it was kept from acting ([`Fault::Raced`], [`Fault::Stopped`], [`Fault::Gap`]).
    pub(crate) const fn absent(&self) -> Span {
        self.absent
    }

    /// How often it used a number that it had closed, or an empty buffer.
    pub(crate) fn misuses(&self) -> u64 {
        self.net.parties[PROXY as usize].misuses
    }

    /// Everything that is due happens, and those whom it concerns act on it.
    fn turn(&mut self) {
        self.call();
        while let Some((at, plan)) = self.net.queue.due(self.net.now) {
            self.net.happen(at, plan);
            self.call();
        }
    }

    /// Calls the actors that were woken.
    fn call(&mut self) {
        while let Some(party) = self.net.woken.pop_front() {
            self.net.parties[party as usize].queued = false;
            let number = (party - GUEST - 1) as usize;
            self.net.current = party;
            let now = self.net.now;
            let next = self.actors[number].act(&mut self.net, now);
            self.net.current = PROXY;
            self.net.wake(party, next);
        }
    }

    /// Lets the world go on until there is something to report or `until` has come.
    fn advance(&mut self, until: Option<Moment>) {
        let mut late = Span::ZERO;
        loop {
            self.turn();
            let now = self.net.now;
            let proxy = &self.net.parties[PROXY as usize];
            if !proxy.changed.is_empty() || !self.net.news.is_empty() {
                self.crowd();
                return;
            }
            if let Some(until) = until {
                if until + late <= now {
                    return;
                }
                if late == Span::ZERO && self.net.faults.strikes(Fault::Overslept) {
                    late = Span(1 + self.net.faults.below(20_000_000));
                }
            }
            let end = until.map(|until| until + late);
            self.net.now = match (self.net.queue.next(), end) {
                (Some(next), Some(end)) => next.min(end),
                (Some(next), None) => next,
                (None, Some(end)) => end,
                (None, None) => panic!(
                    "deadlock: nothing will ever happen again; last verbs:\n{}",
                    self.net.trace.tail()
                ),
            }
            .max(now);
        }
    }

    /// Lets a little more happen before what is ready is reported.
    fn crowd(&mut self) {
        if !self.net.faults.strikes(Fault::Crowded) {
            return;
        }
        let span = Span(self.net.faults.below(2_000_000));
        self.pass(span);
    }

    /// Gives the program under test the word, for a verb. Nothing stands still meanwhile: what
    /// was on its way may arrive before the verb looks, and before any event tells of it.
    fn race(&mut self) -> &mut Net {
        if self.net.faults.strikes(Fault::Raced) {
            let span = Span(self.net.faults.below(300_000));
            self.absent = Span(self.absent.0 + span.0);
            self.pass(span);
        }
        self.net.current = PROXY;
        &mut self.net
    }

    /// What may happen to a process that waits, beside what it waits for.
    fn sleep(&mut self) {
        if self.net.faults.strikes(Fault::Stopped) {
            let span = Span(1_000_000_000 + self.net.faults.below(9_000_000_000));
            self.absent = Span(self.absent.0 + span.0);
            self.pass(span);
        }
        if self.net.faults.strikes(Fault::Gap) {
            let seconds = [1, 10, 60, 600, 3_600];
            let most = seconds[self.net.faults.index(seconds.len())];
            let ahead = Span::seconds(1 + self.net.faults.below(most));
            self.ahead = Span(self.ahead.0 + ahead.0);
            self.absent = Span(self.absent.0 + ahead.0);
        }
    }

    /// Lets the world go on for `span`.
    fn pass(&mut self, span: Span) {
        let end = self.net.now + span;
        while let Some(next) = self.net.queue.next()
            && next <= end
        {
            self.net.now = next.max(self.net.now);
            self.turn();
        }
        self.net.now = end;
    }

    /// Turns edges into events. True if none were kept back.
    fn report(&mut self, ready: &mut Vec<Ready>) -> bool {
        let mut most = limits::EVENTS_PER_WAIT;
        if self.net.faults.strikes(Fault::SmallBatch) {
            most = self.net.faults.size(4);
        }
        let start = ready.len();
        let mut seen = self.net.parties[PROXY as usize].changed.len();
        while seen > 0 && ready.len() - start < most {
            seen -= 1;
            let Some(socket) = self.net.parties[PROXY as usize].changed.pop_front() else {
                break;
            };
            let graves = self.net.graves.len();
            if graves > 0 && self.net.faults.strikes(Fault::Stale) {
                let gone = self.net.graves[self.net.faults.index(graves)];
                ready.push(Signs::ALL.ready(gone));
            }
            let Some(entry) = self.net.sockets.get_mut(socket.0) else {
                continue;
            };
            // One event at least is not postponed, so that time does not stand still.
            if ready.len() > start && self.net.faults.strikes(Fault::Postponed) {
                self.net.parties[PROXY as usize].changed.push_back(socket);
                continue;
            }
            entry.listed = false;
            let mut signs = std::mem::take(&mut entry.signs);
            // Linux looks again when it reports: what has passed is not told, what is true by
            // then is, asked for or not. Others tell what they have noted.
            if self.net.faults.below(2) == 0 {
                signs = self.net.level(socket);
                if signs == Signs::NONE {
                    continue;
                }
            }
            if self.net.faults.strikes(Fault::Spurious) {
                signs = signs.and(Signs::READABLE).and(Signs::WRITABLE);
            }
            self.emit(socket, signs, ready);
        }
        if self.net.faults.strikes(Fault::Shuffled) {
            for last in (start + 1..ready.len()).rev() {
                let other = start + self.net.faults.index(last - start + 1);
                ready.swap(last, other);
            }
        }
        self.net.parties[PROXY as usize].changed.is_empty()
    }

    /// Appends the event or events for one socket.
    fn emit(&mut self, socket: Socket, signs: Signs, ready: &mut Vec<Ready>) {
        if self.net.faults.strikes(Fault::Duplicated) {
            ready.push(signs.ready(socket));
        }
        let both = signs.has(Signs::READABLE) && signs.has(Signs::WRITABLE);
        if !both || !self.net.faults.strikes(Fault::Split) {
            ready.push(signs.ready(socket));
            return;
        }
        let reading = signs.without(Signs::WRITABLE);
        match self.net.faults.below(4) {
            0 => ready.extend([reading.ready(socket), Signs::WRITABLE.ready(socket)]),
            1 => ready.extend([Signs::WRITABLE.ready(socket), reading.ready(socket)]),
            2 => {
                ready.push(reading.ready(socket));
                self.net.touch(socket, Signs::WRITABLE);
            }
            _ => {
                ready.push(Signs::WRITABLE.ready(socket));
                self.net.touch(socket, reading);
            }
        }
    }
}

impl Kernel for SimKernel {
    fn log(&mut self, lines: &[u8]) {
        self.paper.take(lines);
    }

    fn unlogged(&self) -> u64 {
        self.paper.lost
    }

    fn unix_time(&self) -> u64 {
        NEW_YEAR + self.net.now.0
    }

    fn now(&self) -> Moment {
        self.net.now + self.ahead
    }

    fn wait(&mut self, until: Option<Moment>, ready: &mut Vec<Ready>) -> bool {
        self.net.current = PROXY;
        // A turn takes time too; else one that never ends would end the world's clock.
        self.net.now = self.net.now + Span(1_000);
        self.sleep();
        let until = until.map(|until| Moment(until.0.saturating_sub(self.ahead.0)));
        let before = ready.len();
        let whole = loop {
            self.advance(until);
            let whole = self.report(ready);
            let reached = until.is_some_and(|until| until <= self.net.now);
            if ready.len() > before || !whole || reached || !self.net.news.is_empty() {
                break whole;
            }
        };
        let count = i64::try_from(ready.len() - before).unwrap_or(i64::MAX);
        self.net.note(Verb::Wait, NOBODY, count);
        whole
    }

    fn news(&mut self) -> Option<News> {
        self.net.news.pop_front()
    }

    fn resolve(&mut self, ticket: u64, name: &str) {
        self.net.current = PROXY;
        self.net.note(Verb::Resolve, NOBODY, ticket.cast_signed());
        if let Ok(address) = name.parse() {
            let addresses = vec![address];
            self.net
                .news
                .push_back(News::Resolved { ticket, addresses });
            return;
        }
        self.net.resolve(ticket, name);
    }

    fn listen(&mut self, at: SocketAddr) -> io::Result<Socket> {
        self.race().listen(at)
    }

    fn local_address(&self, socket: Socket) -> io::Result<SocketAddr> {
        self.net.local_address(socket)
    }

    fn accept(&mut self, listener: Socket) -> io::Result<(Socket, SocketAddr)> {
        self.race().accept(listener)
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<Socket> {
        self.race().connect(to)
    }

    fn established(&mut self, socket: Socket) -> io::Result<()> {
        self.race().established(socket)
    }

    fn read(&mut self, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        self.race().read(socket, into)
    }

    fn write(&mut self, socket: Socket, from: &[u8]) -> io::Result<usize> {
        self.race().write(socket, from)
    }

    fn finish(&mut self, socket: Socket) -> io::Result<()> {
        self.race().finish(socket)
    }

    fn close(&mut self, socket: Socket) {
        self.race().close(socket);
    }

    fn abort(&mut self, socket: Socket) {
        self.race().abort(socket);
    }

    fn pipe(&mut self) -> io::Result<Pipe> {
        self.race();
        self.pipes.open(&mut self.net)
    }

    fn fill(&mut self, from: Socket, pipe: Pipe, most: usize) -> io::Result<usize> {
        self.race();
        self.pipes.fill(&mut self.net, from, pipe, most)
    }

    fn pour(&mut self, pipe: Pipe, to: Socket, most: usize) -> io::Result<usize> {
        self.race();
        self.pipes.pour(&mut self.net, pipe, to, most)
    }

    fn burst(&mut self, pipe: Pipe) {
        self.pipes.burst(pipe);
    }
}

/// When worlds begin, in nanoseconds since 1970: with 2026.
const NEW_YEAR: u64 = 1_767_225_600_000_000_000;
