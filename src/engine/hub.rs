//! Everything of the engine but its sessions, so that one session and the rest can be changed at
//! once: who owns which socket, the servers, the pools, the queues.

use std::net::SocketAddr;
use std::rc::Rc;

use super::counters::Books;
use super::gate::Gate;
use super::herald::Herald;
use super::journal::ledger::Journal;
use super::kernel::Kernel;
use super::link::Link;
use super::office::Office;
use super::office::Reading;
use super::pace::Pace;
use super::pipes::Stock;
use super::recent::Recent;
use super::tombs::Tombs;
use crate::base::Fault;
use crate::base::Side;
use crate::base::Socket;
use crate::base::arena::Arena;
use crate::base::arena::Key;
use crate::base::buffer::Pool;
use crate::base::buffer::Window;
use crate::base::queue::Queue;
use crate::base::random::Random;
use crate::base::spare::Spare;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::base::timers::Timers;
use crate::config::Address;
use crate::config::Config;
use crate::config::Health;
use crate::config::HostPolicy;
use crate::config::Mode;
use crate::config::Probe as ProbeKind;
use crate::config::Retry;
use crate::config::Reuse;
use crate::peers::PeerId;
use crate::peers::Peers;
use crate::peers::PoolId;
use crate::peers::idle::Idle;
use crate::session::Memory;
use crate::session::Policy;
use crate::tally::Tally;
use crate::tls::ClientTls;
use crate::tls::ServerTls;

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The listener at this position.
    Listener(usize),
    /// The session or probe under this key, on that side.
    Session(Key, Side),
    /// The parked connection under this key.
    Parked(Key),
    /// The listener of the admin interface.
    Admin,
}

/// A server connection that waits for its next request.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) link: Link,
    pub(super) peer: PeerId,
}

/// Where clients connect.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) name: String,
    /// `None` once it was taken out of the configuration: its clients may still be there.
    pub(super) socket: Option<Socket>,
    /// Where it was asked to be, and where it is.
    pub(super) asked: Address,
    pub(super) address: Address,
    pub(super) ready: bool,
    /// How often it came to be elsewhere: clients of before are not those of now.
    pub(super) moves: u32,
    pub(super) mode: Mode,
    pub(super) pool: PoolId,
    pub(super) policy: Rc<Policy>,
    /// `None` for clients that come in the clear.
    pub(super) tls: Option<ServerTls>,
}

/// What holds for the servers of one pool.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) name: String,
    /// Whether the pool was taken out of the configuration: its servers may still end something.
    pub(super) gone: bool,
    pub(super) mode: Mode,
    pub(super) host: HostPolicy,
    /// The name that certificates must have, unless it is that of the URL.
    pub(super) sni: Option<String>,
    pub(super) health: Health,
    pub(super) reuse: Reuse,
    pub(super) retry: Retry,
    pub(super) client_tls: Option<ClientTls>,
}

impl Rules {
    pub(super) fn probes(&self) -> bool {
        self.health.probe != ProbeKind::Off
    }
}

/// The end of the program, once somebody has asked for it.
#[derive(Debug)]
pub(super) struct Drain {
    pub(super) span: Span,
    pub(super) deadline: Option<Moment>,
}

impl Drain {
    pub(super) const fn new(span: Span) -> Self {
        Self {
            span,
            deadline: None,
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.deadline.is_some()
    }

    pub(super) const fn deadline(&self) -> Option<Moment> {
        self.deadline
    }
}

/// The schedule of lookups.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) interval: Span,
    /// When all names are looked up next; `None` without names.
    pub(super) due: Option<Moment>,
    /// Lookups that have not been answered yet.
    pub(super) open: usize,
    /// Whether every name was answered for once, or one backend has an address.
    pub(super) started: bool,
    /// Whether every name was answered for once.
    pub(super) settled: bool,
    /// Until then clients wait for the slowest name, from then on for the fastest only.
    pub(super) patience: Moment,
}

impl Names {
    pub(super) const fn new(interval: Span) -> Self {
        Self {
            interval,
            due: None,
            open: 0,
            started: false,
            settled: false,
            patience: Moment(0),
        }
    }

    /// False while it is not known whether there is anybody to give requests to, and for a moment
    /// longer while some are known and others may be: whoever is let in too early meets fewer
    /// backends than there are.
    pub(super) fn is_started(&self, now: Moment) -> bool {
        self.settled || (self.started && self.patience <= now)
    }

    /// When that may become true without news.
    pub(super) fn start_due(&self, now: Moment) -> Option<Moment> {
        (self.started && !self.is_started(now)).then_some(self.patience)
    }

    pub(super) const fn due(&self) -> Option<Moment> {
        self.due
    }
}

/// Everything but the sessions, so that one session and the rest can be changed at once.
pub(super) struct Hub {
    /// What is in effect, but for what an operator has changed since.
    pub(super) config: Box<Config>,
    pub(super) reading: Reading,
    /// By the pool's number.
    pub(super) rules: Vec<Rules>,
    pub(super) listeners: Vec<Listener>,
    /// Those of them that are not in the configuration any more.
    pub(super) listeners_gone: Tombs,
    /// The same of pools.
    pub(super) pools_gone: Tombs,
    /// By index of the socket's key: its generation and owner.
    pub(super) owners: Vec<Option<(u32, Owner)>>,
    pub(super) timers: Timers,
    pub(super) windows: Pool,
    /// Memory of requests that are over, for the next ones.
    pub(super) memories: Spare<Memory>,
    /// Pipes of long transfers.
    pub(super) pipes: Stock,
    /// Sessions that wait for a window.
    pub(super) starved: Vec<Key>,
    pub(super) queue: Queue,
    pub(super) peers: Peers,
    pub(super) probe_due: Moment,
    pub(super) idle: Idle,
    pub(super) parked: Arena<Parked>,
    /// Parked connections on which something has happened.
    pub(super) suspects: Vec<Key>,
    pub(super) names: Names,
    /// Whether this loop probes, for all loops of the program.
    pub(super) leads: bool,
    /// Which of the program's loops this is; the one that leads is 0.
    pub(super) worker: usize,
    /// How many loops the program has.
    pub(super) loops: usize,
    pub(super) scratch: Vec<u8>,
    pub(super) random: Random,
    pub(super) tally: Tally,
    pub(super) books: Books,
    pub(super) pace: Pace,
    pub(super) gate: Gate,
    pub(super) recent: Recent,
    pub(super) journal: Journal,
    pub(super) herald: Herald,
    pub(super) now: Moment,
    pub(super) turn: u64,
    /// The last wait may not have reported everything that has happened.
    pub(super) unseen_events: bool,
    pub(super) sessions: usize,
    pub(super) sessions_max: usize,
    pub(super) accept_retry: Option<Moment>,
    pub(super) drain: Drain,
    /// Servers that are being removed.
    pub(super) leaving: Vec<PeerId>,
    /// Servers whose state may look different since the last turn.
    pub(super) changes: Vec<PeerId>,
    /// Something that concerns no server that is there, or all of them, is different.
    pub(super) gone: bool,
    /// An operator has taken the process out of service.
    pub(super) resting: bool,
    pub(super) office: Option<Office>,
}

impl Hub {
    pub(super) fn own(&mut self, socket: Socket, owner: Owner) {
        let index = socket.0.index as usize;
        if index >= self.owners.len() {
            self.owners.resize(index + 1, None);
        }
        self.owners[index] = Some((socket.0.generation, owner));
    }

    pub(super) fn owner(&self, socket: Socket) -> Option<Owner> {
        let (generation, owner) = (*self.owners.get(socket.0.index as usize)?)?;
        (generation == socket.0.generation).then_some(owner)
    }

    pub(super) fn disown(&mut self, socket: Socket) {
        if self.owner(socket).is_some() {
            self.owners[socket.0.index as usize] = None;
        }
        // A descriptor is free: whoever waited for one may try.
        if self.accept_retry.is_some() {
            self.accept_retry = Some(self.now);
        }
    }

    pub(super) fn close(&mut self, link: Link, kernel: &mut dyn Kernel) {
        self.disown(link.socket());
        link.close(kernel);
    }

    pub(super) fn abort(&mut self, link: Link, kernel: &mut dyn Kernel) {
        self.disown(link.socket());
        link.abort(kernel);
    }

    /// A connection to there. For want of descriptors spare pipes go first.
    pub(super) fn connect(
        &mut self,
        address: SocketAddr,
        kernel: &mut dyn Kernel,
    ) -> std::io::Result<Socket> {
        let exhausted = |error: &std::io::Error| Fault::from_io(error) == Fault::Exhausted;
        match kernel.connect(address) {
            Err(error) if exhausted(&error) && self.pipes.has_spare() => {
                self.pipes.clear(kernel);
                kernel.connect(address)
            }
            outcome => outcome,
        }
    }

    /// The same for a request that is there, which needs the descriptor more than one that may
    /// come: for want of any, the connection that has waited longest for its next request goes.
    pub(super) fn connect_in_need(
        &mut self,
        address: SocketAddr,
        kernel: &mut dyn Kernel,
    ) -> std::io::Result<Socket> {
        let outcome = self.connect(address, kernel);
        let exhausted = |error: &std::io::Error| Fault::from_io(error) == Fault::Exhausted;
        if !outcome.as_ref().is_err_and(exhausted) {
            return outcome;
        }
        let oldest = self.idle.evict().and_then(|key| self.parked.remove(key));
        let Some(Parked { link, .. }) = oldest else {
            return outcome;
        };
        self.close(link, kernel);
        self.connect(address, kernel)
    }

    pub(super) fn keep(&mut self, memory: Memory) {
        self.memories.push(memory);
    }

    /// Memory that nobody has needed for a while goes.
    pub(super) fn tidy(&mut self) {
        self.windows.tidy(self.now);
        self.memories.tidy(self.now);
        self.journal.tidy(self.now);
    }

    pub(super) fn take(&mut self) -> Option<Window> {
        self.windows.take()
    }

    pub(super) fn give(&mut self, window: Window) {
        self.windows.give(window);
        // All of them: the first may be gone, or need none any more.
        for key in self.starved.drain(..) {
            self.queue.push(key);
        }
    }

    /// What holds for the servers of a pool.
    pub(super) fn rules(&self, pool: PoolId) -> &Rules {
        &self.rules[pool.0]
    }

    /// Whether anybody is probed, and by this loop.
    pub(super) fn probes_on(&self) -> bool {
        self.leads && self.rules.iter().any(Rules::probes)
    }

    /// Which loop this is, behind what each of them says for itself; nothing if there is one.
    pub(super) fn which(&self) -> String {
        match self.loops {
            0 | 1 => String::new(),
            loops => format!(" (loop {} of {loops})", self.worker + 1),
        }
    }

    pub(super) const fn draining(&self) -> bool {
        self.drain.is_on()
    }

    /// A verdict is in doubt: the next probe comes after a quarter of the interval.
    pub(super) fn hasten_probe(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let interval = self.rules[peer.pool.0].health.interval;
        if peer.health.streak > 0 {
            let due = self.now + peer.health.pause(interval, &mut self.random);
            peer.probe_due = peer.probe_due.min(due);
            self.probe_due = self.probe_due.min(peer.probe_due);
        }
    }
}
