//! Who comes in and how everybody goes out: listeners, accepting, and the end of the program.
//!
//! A listener is edge-triggered like every socket, so an accept that fails for want of
//! descriptors would never be announced again. It stays marked as ready instead, and is tried
//! again as soon as a descriptor is given back, and every 10 ms in case another part of the
//! process gave one back.

use std::net::SocketAddr;
use std::rc::Rc;

use super::books;
use super::chronicle;
use super::hub::Owner;
use super::kernel::Kernel;
use super::link::Link;
use super::slot::Door;
use super::slot::Slot;
use super::slot::Tenant;
use super::splice;
use super::turn::Engine;
use super::turn::Turn;
use super::upstream;
use crate::base::Fault;
use crate::base::Side;
use crate::base::Socket;
use crate::base::arena::Key;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Span;
use crate::limits;
use crate::session::Outcome;
use crate::session::Session;
use crate::tally::Event;
use crate::tls::ServerTls;

/// How often accepting is tried again without a sign that it could work.
const ACCEPT_RETRY: Span = Span::millis(10);

impl Engine {
    /// True if a client could be accepted at once.
    pub(super) fn may_accept(&self) -> bool {
        let hub = &self.hub;
        let waits = hub.accept_retry.is_some_and(|at| at > hub.now);
        !waits
            && (hub.sessions < hub.sessions_max || planted(Bug::FullHouseSpins))
            && hub.names.is_started(hub.now)
            && hub.listeners.iter().any(|listener| listener.ready)
    }

    /// Accepts from every listener, each up to its share of the turn.
    pub(super) fn accept(&mut self, kernel: &mut dyn Kernel) {
        if !self.may_accept() {
            // The listener that could not accept may have gone since.
            let waits = self.hub.listeners.iter().any(|one| one.ready);
            if self.hub.accept_retry.is_some() && !waits {
                self.end_pause();
            }
            return;
        }
        self.end_pause();
        let count = self.hub.listeners.len();
        for place in 0..count {
            // Another one is first in every turn: a flood at one shall not take every place that
            // becomes free.
            let at = (place + usize::try_from(self.hub.turn).unwrap_or(0)) % count;
            for _ in 0..limits::ACCEPTS_PER_TURN {
                if !self.hub.listeners[at].ready {
                    break;
                }
                if self.hub.sessions >= self.hub.sessions_max {
                    self.hub.tally.count(Event::AcceptFull);
                    return;
                }
                if !self.accept_one(at, kernel) {
                    return;
                }
            }
        }
    }

    fn end_pause(&mut self) {
        self.hub.accept_retry = None;
        if let Some(since) = self.hub.books.paused_since.take() {
            let rested = self.hub.now.since(since);
            self.hub.books.paused = Span(self.hub.books.paused.0 + rested.0);
        }
    }

    /// False if nothing can be accepted for now.
    fn accept_one(&mut self, at: usize, kernel: &mut dyn Kernel) -> bool {
        let hub = &mut self.hub;
        let Some(listener) = hub.listeners[at].socket else {
            hub.listeners[at].ready = false;
            return true;
        };
        match kernel.accept(listener) {
            Ok((socket, from)) => self.admit(at, socket, from, kernel),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                hub.listeners[at].ready = false;
            }
            // That one connection died in the queue; there may be others behind it.
            Err(error) if Fault::from_io(&error) == Fault::Reset => {
                hub.listeners[at].ready = !planted(Bug::AbortedAcceptStops);
            }
            Err(error) => {
                hub.tally.count(Event::AcceptPaused);
                chronicle::accept_trouble(Fault::from_io(&error), hub, kernel);
                hub.pipes.clear(kernel);
                hub.books.paused_since = Some(hub.now);
                hub.accept_retry = Some(hub.now + ACCEPT_RETRY);
                hub.listeners[at].ready = !planted(Bug::ListenerLostWhenExhausted);
                return false;
            }
        }
        true
    }

    pub(super) fn admit(
        &mut self,
        at: usize,
        socket: Socket,
        from: SocketAddr,
        kernel: &mut dyn Kernel,
    ) {
        let hub = &mut self.hub;
        let listener = &hub.listeners[at];
        let client = match listener.tls.as_ref().map(ServerTls::accept) {
            None => Link::plain(socket),
            Some(Ok(channel)) => Link::secure(socket, channel),
            // The library rejects its own configuration, or is out of randomness.
            Some(Err(_)) => return kernel.abort(socket),
        };
        let policy = Rc::clone(&listener.policy);
        let session = Session::new(listener.mode, policy, from.ip().to_canonical(), hub.now);
        let door = Door {
            listener: at,
            moves: listener.moves,
            pool: listener.pool,
            now: hub.now,
        };
        let slot = Slot::new(session, client, from, door);
        hub.books.entered(at);
        let key = self.tenants.insert(Tenant::Session(slot));
        hub.own(socket, Owner::Session(key, Side::Client));
        hub.tally.count(Event::Accepted);
        hub.sessions += 1;
        hub.queue.push(key);
    }

    /// The session is over: everything it holds goes.
    pub(super) fn dismiss(&mut self, key: Key, outcome: Outcome, kernel: &mut dyn Kernel) {
        let hub = &mut self.hub;
        let Some(Tenant::Session(mut slot)) = self.tenants.remove(key) else {
            return;
        };
        hub.sessions -= 1;
        if !planted(Bug::DeadlineOutlivesSession) {
            hub.timers.disarm(key);
        }
        books::dismissed(&mut slot, outcome, hub);
        chronicle::refused(&slot, hub);
        hub.books.left(slot.listener);
        if outcome.is_broken() {
            upstream::abort_server(&mut slot, hub, kernel);
        } else {
            upstream::drop_server(&mut slot, hub, kernel);
        }
        splice::surrender(&mut slot, hub, kernel);
        let Slot {
            mut session,
            mut client,
            from,
            ..
        } = slot;
        if let Some(memory) = session.reclaim() {
            hub.keep(memory);
        }
        for side in [Side::Client, Side::Server] {
            if let Some(window) = session.half_mut(side).surrender()
                && !planted(Bug::WindowLeaks)
            {
                hub.give(window);
            }
        }
        if outcome.is_broken() && !planted(Bug::CutBodyClosesCleanly) {
            hub.abort(client, kernel);
        } else {
            if matches!(outcome, Outcome::Done | Outcome::Idle) {
                client.farewell(kernel);
            }
            hub.close(client, kernel);
        }
        chronicle::dismissed(from, outcome, hub);
    }

    /// Somebody asked the program to end. The second time, or at once, it does not wait.
    pub(super) fn stop(&mut self, at_once: bool, kernel: &mut dyn Kernel) -> Option<Turn> {
        if at_once || self.hub.draining() {
            return Some(self.cut_all(kernel));
        }
        let hub = &mut self.hub;
        hub.drain.deadline = Some(hub.now + hub.drain.span);
        // Nobody will be accepted any more: there is nothing to come back for.
        hub.accept_retry = None;
        for listener in std::mem::take(&mut hub.listeners) {
            if let Some(socket) = listener.socket {
                hub.disown(socket);
                kernel.close(socket);
            }
        }
        let line = format!(
            "draining: {} to end in {}; ask again to stop at once{}",
            chronicle::connections(hub.sessions),
            hub.drain.span,
            hub.which()
        );
        log::info!("{line}");
        chronicle::note(line, hub, kernel);
        for id in hub.peers.order().to_vec() {
            hub.close_kept(id, kernel);
        }
        for key in self.tenants.keys() {
            match self.tenants.get_mut(key) {
                Some(Tenant::Session(slot)) => {
                    slot.session.drain();
                    self.hub.queue.push(key);
                }
                Some(Tenant::Probe(_)) => self.end_probe(key, kernel),
                // Who watches may watch the end, too.
                Some(Tenant::Admin(_)) | None => {}
            }
        }
        None
    }

    /// True once the drain is over: nobody is left, or the time is.
    pub(super) fn drained(&mut self, kernel: &mut dyn Kernel) -> Option<Turn> {
        let deadline = self.hub.drain.deadline?;
        // Who looks at the process sees it drain until its last loop is done.
        let alone = !self.has_company();
        if (self.hub.sessions == 0 && alone) || planted(Bug::DrainCutsRequests) {
            return Some(self.cut_all(kernel));
        }
        (deadline <= self.hub.now).then(|| self.cut_all(kernel))
    }

    /// Ends everything now.
    fn cut_all(&mut self, kernel: &mut dyn Kernel) -> Turn {
        let cut = self.hub.sessions;
        self.hub.journal.stopping = true;
        self.close_office(kernel);
        for key in self.tenants.keys() {
            if matches!(self.tenants.get(key), Some(Tenant::Probe(_))) {
                self.end_probe(key, kernel);
            } else {
                self.dismiss(key, Outcome::Cut(Fault::TimedOut), kernel);
            }
        }
        for listener in std::mem::take(&mut self.hub.listeners) {
            if let Some(socket) = listener.socket {
                self.hub.disown(socket);
                kernel.close(socket);
            }
        }
        for key in self.hub.parked.keys() {
            if let Some(parked) = self.hub.parked.remove(key) {
                self.hub.idle.forget(parked.peer, key);
                self.hub.close(parked.link, kernel);
            }
        }
        self.hub.queue.clear();
        self.tell_last(kernel);
        match cut {
            0 => log::info!("stopped{}", self.hub.which()),
            _ => {
                let cut = chronicle::connections(cut);
                log::warn!("stopped: {cut} cut off{}", self.hub.which());
            }
        }
        Turn::Stopped { cut }
    }

    pub(super) fn end_probe(&mut self, key: Key, kernel: &mut dyn Kernel) {
        if let Some(Tenant::Probe(probe)) = self.tenants.remove(key) {
            self.hub.timers.disarm(key);
            self.hub.close(probe.link, kernel);
        }
    }
}
