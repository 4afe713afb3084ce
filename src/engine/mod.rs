//! The engine: owns every table and turns steps into verbs of the kernel.
//!
//! One turn of the loop waits, marks what became ready, runs what has something to do, accepts,
//! probes, and tidies. Events only mark; work is done in one place, each session for its share.
//! Nothing here knows what bytes mean (`session` does) or what a socket is (`os` does).

mod admission;
mod chronicle;
pub mod kernel;
pub mod link;
mod names;
mod probes;
mod pump;
mod slot;
mod turn;
mod upstream;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use crate::base::Side;
use crate::base::Socket;
use crate::base::arena::Arena;
use crate::base::arena::Key;
use crate::base::buffer::Pool;
use crate::base::buffer::Window;
use crate::base::random::Random;
use crate::base::time::Moment;
use crate::base::timers::Timers;
use crate::config::Config;
use crate::config::Health;
use crate::config::Mode;
use crate::config::Probe as ProbeKind;
use crate::config::Retry;
use crate::config::Reuse;
use crate::peers::PeerId;
use crate::peers::Peers;
use crate::peers::health::Thresholds;
use crate::peers::idle::Idle;
use crate::session::Policy;
use crate::tally::Tally;
use crate::tls::ClientTls;
use admission::Listener;
use kernel::Kernel;
use kernel::Ready;
use link::Link;
use probes::Probe;
use slot::Slot;

/// Whose a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The listener at this position.
    Listener(usize),
    /// The session or probe under this key, on that side.
    Session(Key, Side),
    /// The parked connection under this key.
    Parked(Key),
}

/// What the run queue and the timers speak of.
#[derive(Debug)]
enum Tenant {
    Session(Box<Slot>),
    Probe(Probe),
}

/// A server connection that waits for its next request.
#[derive(Debug)]
struct Parked {
    link: Link,
    peer: PeerId,
}

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

/// Why the engine could not start.
#[derive(Debug)]
pub struct StartError {
    /// The address that could not be listened on.
    pub address: SocketAddr,
    /// What the system said.
    pub error: io::Error,
}

/// What the outside may know of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendReport {
    /// Its URL.
    pub url: String,
    /// Whether it gets traffic.
    pub up: bool,
    /// Requests, or tunnels, given to it so far.
    pub requests: u64,
    /// Requests, or tunnels, on it now.
    pub in_flight: u64,
    /// Why it is down; empty if it is up.
    pub reason: String,
}

/// Everything that is open, for the simulator's law of conservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Client connections.
    pub sessions: usize,
    /// Probes that run.
    pub probes: usize,
    /// Kept server connections.
    pub parked: usize,
    /// Windows lent.
    pub windows: usize,
    /// Deadlines armed.
    pub timers: usize,
    /// Requests on servers, by the servers' own counts.
    pub in_flight: u64,
    /// Sessions waiting for their share of a turn.
    pub queued: usize,
}

/// The balancer.
pub struct Engine {
    tenants: Arena<Tenant>,
    hub: Hub,
    ready: Vec<Ready>,
}

/// Everything but the sessions, so that one session and the rest can be changed at once.
struct Hub {
    mode: Mode,
    policy: Rc<Policy>,
    health: Health,
    reuse: Reuse,
    retry: Retry,
    listeners: Vec<Listener>,
    /// By index of the socket's key: its generation and owner.
    owners: Vec<Option<(u32, Owner)>>,
    timers: Timers,
    windows: Pool,
    /// Sessions that wait for a window.
    starved: Vec<Key>,
    queue: VecDeque<Key>,
    peers: Peers,
    probe_due: Moment,
    idle: Idle,
    parked: Arena<Parked>,
    /// Parked connections on which something has happened.
    suspects: Vec<Key>,
    client_tls: Option<ClientTls>,
    names: names::Names,
    scratch: Vec<u8>,
    random: Random,
    tally: Tally,
    gate: chronicle::Gate,
    now: Moment,
    turn: u64,
    /// The last wait may not have reported everything that has happened.
    unseen_events: bool,
    sessions: usize,
    sessions_max: usize,
    accept_retry: Option<Moment>,
    drain: admission::Drain,
}

impl Engine {
    /// Opens the listeners and gets everything ready. `client_tls` is needed if a backend is
    /// https; `seed` feeds the jitter of probes.
    ///
    /// # Errors
    /// If a listener cannot be opened.
    pub fn new(
        config: &Config,
        client_tls: Option<ClientTls>,
        seed: u64,
        kernel: &mut dyn Kernel,
    ) -> Result<Self, StartError> {
        let now = kernel.now();
        let listeners = admission::open(&config.listeners, kernel)?;
        let thresholds = Thresholds {
            rise: config.health.rise,
            fall: config.health.fall,
        };
        let policy = Policy {
            timeouts: config.timeouts,
            request_head: config.limits.request_head,
            tries: config.retry.tries,
            client_is_tls: false,
        };
        let mut hub = Hub {
            mode: config.mode,
            policy: Rc::new(policy),
            health: config.health,
            reuse: config.reuse,
            retry: config.retry,
            owners: Vec::new(),
            timers: Timers::default(),
            windows: Pool::new(config.max_connections.saturating_mul(2)),
            starved: Vec::new(),
            queue: VecDeque::new(),
            peers: Peers::new(thresholds),
            probe_due: now,
            idle: Idle::new(config.reuse.idle),
            parked: Arena::default(),
            suspects: Vec::new(),
            client_tls,
            names: names::Names::new(config.resolve_interval),
            scratch: Vec::with_capacity(crate::limits::WINDOW_BYTES),
            random: Random::new(seed),
            tally: Tally::default(),
            gate: chronicle::Gate::default(),
            now,
            turn: 0,
            unseen_events: false,
            sessions: 0,
            sessions_max: config.max_connections,
            accept_retry: None,
            drain: admission::Drain::new(config.drain_timeout),
            listeners,
        };
        for at in 0..hub.listeners.len() {
            let socket = hub.listeners[at].socket;
            hub.own(socket, Owner::Listener(at));
        }
        names::add_all(&config.backends, &mut hub, kernel);
        Ok(Self {
            tenants: Arena::default(),
            hub,
            ready: Vec::new(),
        })
    }

    /// Where the listeners really are, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.hub
            .listeners
            .iter()
            .map(|listener| listener.address)
            .collect()
    }

    /// The state of every backend, in order.
    #[must_use]
    pub fn report(&self) -> Vec<BackendReport> {
        let peers = &self.hub.peers;
        let known = peers.order().iter().filter_map(|id| peers.get(*id));
        known
            .map(|peer| BackendReport {
                url: peer.name.clone(),
                up: peer.health.up,
                requests: peer.requests,
                in_flight: peer.in_flight,
                reason: peer
                    .health
                    .fault
                    .map_or_else(String::new, |fault| format!("{} {fault}", fault.code())),
            })
            .collect()
    }

    /// What has been counted.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.hub.tally
    }

    /// What is open.
    #[must_use]
    pub fn census(&self) -> Census {
        let peers = &self.hub.peers;
        let known = peers.order().iter().filter_map(|id| peers.get(*id));
        Census {
            sessions: self.hub.sessions,
            probes: self.tenants.len() - self.hub.sessions,
            parked: self.hub.parked.len(),
            windows: self.hub.windows.lent(),
            timers: self.hub.timers.len(),
            in_flight: known.map(|peer| peer.in_flight).sum(),
            queued: self.hub.queue.len(),
        }
    }
}

impl Hub {
    fn own(&mut self, socket: Socket, owner: Owner) {
        let index = socket.0.index as usize;
        if index >= self.owners.len() {
            self.owners.resize(index + 1, None);
        }
        self.owners[index] = Some((socket.0.generation, owner));
    }

    fn owner(&self, socket: Socket) -> Option<Owner> {
        let (generation, owner) = (*self.owners.get(socket.0.index as usize)?)?;
        (generation == socket.0.generation).then_some(owner)
    }

    fn disown(&mut self, socket: Socket) {
        if self.owner(socket).is_some() {
            self.owners[socket.0.index as usize] = None;
        }
        // A descriptor is free: whoever waited for one may try.
        if self.accept_retry.is_some() {
            self.accept_retry = Some(self.now);
        }
    }

    fn close(&mut self, link: Link, kernel: &mut dyn Kernel) {
        self.disown(link.socket());
        link.close(kernel);
    }

    fn abort(&mut self, link: Link, kernel: &mut dyn Kernel) {
        self.disown(link.socket());
        link.abort(kernel);
    }

    fn take(&mut self) -> Option<Window> {
        self.windows.take()
    }

    fn give(&mut self, window: Window) {
        self.windows.give(window);
        self.queue.extend(self.starved.pop());
    }

    fn probes_on(&self) -> bool {
        self.health.probe != ProbeKind::Off
    }

    const fn draining(&self) -> bool {
        self.drain.is_on()
    }

    /// A verdict is in doubt: the next probe comes after a quarter of the interval.
    fn hasten_probe(&mut self, id: PeerId) {
        let interval = self.health.interval;
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.health.streak > 0 {
            let due = self.now + peer.health.pause(interval, &mut self.random);
            peer.probe_due = peer.probe_due.min(due);
            self.probe_due = self.probe_due.min(peer.probe_due);
        }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, error } = self;
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => "stop what listens there, or choose another --listen",
            io::ErrorKind::PermissionDenied => "choose a port above 1023, or run with the right",
            io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
            _ => "choose another --listen",
        };
        write!(f, "cannot listen on {address}: {error}; {advice}")
    }
}
