//! One turn of the loop, in its fixed order. The clock is read once; everything that a turn
//! decides, it decides at one moment. When it is over the clock is read again, to say how long it
//! took and for nothing else.

use super::books;
use super::chronicle;
use super::chronicle::How;
use super::hub::Hub;
use super::hub::Owner;
use super::journal;
use super::kernel::Kernel;
use super::kernel::News;
use super::kernel::Ready;
use super::kernel::Word;
use super::names;
use super::probes;
use super::pump;
use super::pump::Ran;
use super::slot::Tenant;
use crate::base::arena::Arena;
use crate::base::arena::Key;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::tally::Event;

/// What a turn of the loop came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Call again.
    Goes,
    /// The program was asked to end, and has: so many clients were cut off.
    Stopped {
        /// Connections with something under way.
        cut: usize,
    },
    /// No backend has an address: there is nothing to balance.
    Unresolvable,
}

/// The balancer.
pub struct Engine {
    pub(super) tenants: Arena<Tenant>,
    pub(super) hub: Hub,
    pub(super) ready: Vec<Ready>,
}

impl Engine {
    /// Waits for something to happen and sees to it. Call again while it says [`Turn::Goes`].
    pub fn turn(&mut self, kernel: &mut dyn Kernel) -> Turn {
        let turn = self.once(kernel);
        journal::hand_over(&mut self.hub, kernel);
        self.hub.herald.speak(turn != Turn::Goes);
        let took = kernel.now().since(self.hub.now);
        if self.hub.pace.end(took) {
            log::debug!("a turn took {took}: {}", self.hub.pace.story());
        }
        turn
    }

    fn once(&mut self, kernel: &mut dyn Kernel) -> Turn {
        let until = self.until();
        self.ready.clear();
        self.hub.unseen_events = !kernel.wait(until, &mut self.ready);
        self.hub.now = kernel.now();
        self.hub.turn += 1;
        self.hub.journal.begin_turn(kernel);
        books::woke(&mut self.hub, self.ready.len());
        for at in 0..self.ready.len() {
            let ready = self.ready[at];
            self.mark(&ready);
        }
        self.check_suspects(kernel);
        while let Some(news) = kernel.news() {
            if let Some(end) = self.hear(news, kernel) {
                return end;
            }
        }
        while let Some(key) = self.hub.timers.expired(self.hub.now) {
            self.hub.queue.push(key);
        }
        let runs = self.hub.queue.len();
        self.hub.pace.runs(runs);
        for _ in 0..runs {
            let Some(key) = self.hub.queue.pop() else {
                break;
            };
            self.run(key, kernel);
        }
        self.part(kernel);
        self.accept(kernel);
        probes::start_due(&mut self.tenants, &mut self.hub, kernel);
        names::turn(&mut self.hub, kernel);
        self.close_aged(kernel);
        self.hub.tidy();
        self.mind_office(kernel);
        self.drained(kernel).unwrap_or(Turn::Goes)
    }

    /// Until when the loop may sleep; a moment in the past if there is work left.
    fn until(&mut self) -> Option<Moment> {
        if !self.hub.queue.is_empty() || self.may_accept() || !self.hub.herald.is_done() {
            return Some(self.hub.now);
        }
        let hub = &mut self.hub;
        let probe = (hub.probes_on() && !hub.draining()).then_some(hub.probe_due);
        let accept = hub.accept_retry.filter(|_| hub.sessions < hub.sessions_max);
        [
            hub.timers.earliest(),
            probe.filter(|due| due.0 < u64::MAX),
            hub.idle.due(),
            hub.names.due().filter(|_| !hub.draining()),
            hub.names.start_due(hub.now).filter(|_| !hub.draining()),
            accept,
            hub.drain.deadline(),
            hub.leaving_due(),
            hub.office.as_ref().and_then(|office| office.due(hub.now)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Takes down what the kernel says of a socket. Nothing is done yet.
    fn mark(&mut self, ready: &Ready) {
        let hub = &mut self.hub;
        match hub.owner(ready.socket) {
            Some(Owner::Listener(at)) => {
                if let Some(listener) = hub.listeners.get_mut(at) {
                    listener.ready = true;
                }
            }
            Some(Owner::Session(key, side)) => {
                let link = match self.tenants.get_mut(key) {
                    Some(Tenant::Session(slot)) => slot.link_mut(side),
                    Some(Tenant::Probe(probe)) => Some(&mut probe.link),
                    Some(Tenant::Admin(desk)) => Some(&mut desk.link),
                    None => None,
                };
                if let Some(link) = link {
                    link.note(ready);
                    if ready.readable || !planted(Bug::WriteWakeupLost) {
                        hub.queue.push(key);
                    }
                }
            }
            Some(Owner::Parked(key)) => {
                if let Some(parked) = hub.parked.get_mut(key) {
                    parked.link.note(ready);
                    if ready.readable || ready.ended {
                        hub.suspects.push(key);
                    }
                }
            }
            Some(Owner::Admin) => {
                if let Some(office) = &mut hub.office {
                    office.ready = true;
                }
            }
            None => hub.tally.count(Event::StaleEvent),
        }
    }

    /// A byte or an end on a parked connection makes it useless (RFC 9112 section 9.2: it would
    /// be taken for the answer to somebody's next request).
    fn check_suspects(&mut self, kernel: &mut dyn Kernel) {
        let hub = &mut self.hub;
        while let Some(key) = hub.suspects.pop() {
            let Some(parked) = hub.parked.get_mut(key) else {
                continue;
            };
            if parked.link.idle_check(kernel) {
                continue;
            }
            if let Some(parked) = hub.parked.remove(key) {
                hub.tally.count(Event::ParkedBroken);
                hub.idle.forget(parked.peer, key);
                hub.close(parked.link, kernel);
            }
        }
    }

    fn hear(&mut self, news: News, kernel: &mut dyn Kernel) -> Option<Turn> {
        match news {
            News::Resolved { ticket, addresses } => {
                names::resolved(ticket, addresses, &mut self.hub, kernel)
                    .then_some(Turn::Unresolvable)
            }
            News::Told(Word::Changed(change)) => {
                // What was accepted there is accepted here; a server that is still leaving there
                // may be gone here.
                self.hub.pace.did("a change made elsewhere");
                let _ = self.apply(change, kernel);
                None
            }
            News::Told(Word::Tried { peer, fault }) => {
                let peer = self.hub.peers.twin(peer);
                match fault {
                    Some(fault) => {
                        chronicle::failed(peer, fault, How::Told, &mut self.hub, kernel);
                    }
                    None => chronicle::passed(peer, How::Told, &mut self.hub, kernel),
                }
                None
            }
            News::Told(Word::Noted(line)) => {
                self.hub.write_down(line);
                None
            }
            News::Told(Word::Asked(question)) => {
                self.hub.pace.did("figures for the first loop");
                self.answer(question, kernel);
                None
            }
            News::Told(Word::Counted(figures)) => {
                self.hear_figures(*figures);
                None
            }
            News::Told(Word::Left {
                worker,
                pool,
                backend,
            }) => {
                self.hear_left(worker, pool, *backend);
                None
            }
            News::Told(Word::Reloaded(plan)) => {
                self.follow(&plan, kernel);
                None
            }
            News::HungUp => {
                self.hung_up(kernel);
                None
            }
            News::Reread(read) => {
                self.reread(read, kernel);
                None
            }
            News::Stop => self.stop(false, kernel),
            News::Quit => self.stop(true, kernel),
        }
    }

    fn run(&mut self, key: Key, kernel: &mut dyn Kernel) {
        let hub = &mut self.hub;
        let slot = match self.tenants.get_mut(key) {
            Some(Tenant::Session(slot)) => slot,
            Some(Tenant::Probe(_)) => {
                return probes::run(key, &mut self.tenants, hub, kernel);
            }
            Some(Tenant::Admin(_)) => return self.attend(key, kernel),
            None => return,
        };
        let ran = pump::run(key, slot, hub, kernel);
        chronicle::incident(slot, hub);
        match ran {
            Ran::Waits => {}
            Ran::Again if planted(Bug::LeftoversForgotten) => {}
            Ran::Again => hub.queue.push(key),
            Ran::Starves => {
                hub.tally.count(Event::WindowMissing);
                hub.starved.push(key);
            }
            Ran::Over(outcome) => self.dismiss(key, outcome, kernel),
        }
        if self.hub.journal.is_heavy() {
            journal::hand_over(&mut self.hub, kernel);
        }
    }

    fn close_aged(&mut self, kernel: &mut dyn Kernel) {
        for key in self.hub.idle.expired(self.hub.now) {
            if let Some(parked) = self.hub.parked.remove(key) {
                self.hub.tally.count(Event::ParkedAged);
                self.hub.close(parked.link, kernel);
            }
        }
    }

    /// Asserts that the loop may sleep: no session could do anything with what is ready.
    ///
    /// # Panics
    /// If a wakeup was lost.
    pub fn assert_settled(&mut self) {
        let (now, starved) = (self.hub.now, &self.hub.starved);
        if !self.hub.queue.is_empty() {
            return;
        }
        for key in self.tenants.keys() {
            if let Some(Tenant::Session(slot)) = self.tenants.get_mut(key) {
                assert!(
                    starved.contains(&key) || slot.is_settled(now),
                    "a session could go on but is not in the queue: {slot:?}"
                );
            }
        }
    }
}
