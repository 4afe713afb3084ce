//! The beginning: from a configuration to an engine with open listeners; and what may be asked of
//! an engine from outside.

use std::io;
use std::rc::Rc;

use super::counters::Books;
use super::gate::Gate;
use super::herald::Herald;
use super::hub::Drain;
use super::hub::Hub;
use super::hub::Listener;
use super::hub::Names;
use super::hub::Owner;
use super::hub::Rules;
use super::journal::ledger::Journal;
use super::kernel::Kernel;
use super::kernel::Reach;
use super::names;
use super::office::Reading;
use super::pace::Pace;
use super::pipes::Stock;
use super::recent::Recent;
use super::recent::Trouble;
use super::tombs::Tombs;
use super::turn::Engine;
use crate::base::Socket;
use crate::base::arena::Arena;
use crate::base::buffer::Pool;
use crate::base::queue::Queue;
use crate::base::random::Random;
use crate::base::spare::Spare;
use crate::base::timers::Timers;
use crate::config;
use crate::config::Address;
use crate::config::Config;
use crate::config::Mode;
use crate::config::Scheme;
use crate::limits;
use crate::peers::Peers;
use crate::peers::PoolId;
use crate::peers::idle::Idle;
use crate::session::Policy;
use crate::session::Timeouts;
use crate::tally::Tally;
use crate::tls::ClientTls;
use crate::tls::ServerTls;

/// Why the engine could not start.
#[derive(Debug)]
pub struct StartError {
    /// The address that could not be listened on.
    pub address: Address,
    /// What the system said.
    pub error: io::Error,
}

/// What the outside may know of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendReport {
    /// The name of its pool.
    pub pool: String,
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
    /// Connections of the admin interface.
    pub desks: usize,
    /// Kept server connections.
    pub parked: usize,
    /// Windows lent.
    pub windows: usize,
    /// Pipes in use.
    pub pipes: usize,
    /// Deadlines armed.
    pub timers: usize,
    /// Requests on servers, by the servers' own counts.
    pub in_flight: u64,
    /// Sessions waiting for their share of a turn.
    pub queued: usize,
}

impl Engine {
    /// Opens the listeners and gets everything ready. `client_tls`, by the position of the pool,
    /// is needed for pools with https backends; `seed` feeds the jitter of probes.
    ///
    /// # Errors
    /// If a listener cannot be opened.
    pub fn new(
        config: &Config,
        client_tls: &[Option<ClientTls>],
        seed: u64,
        kernel: &mut dyn Kernel,
    ) -> Result<Self, StartError> {
        let now = kernel.now();
        let listeners = open(config, kernel)?;
        let rules = |at| rules(config, at, client_tls.get(at).cloned().flatten());
        let mut hub = Hub {
            config: Box::new(config.clone()),
            reading: Reading::new(now),
            rules: (0..config.pools.len()).map(rules).collect(),
            owners: Vec::new(),
            timers: Timers::default(),
            windows: Pool::new(config.clients().saturating_mul(2)),
            memories: Spare::new(limits::WINDOWS_SPARE_MAX),
            pipes: Stock::new(config.clients()),
            starved: Vec::new(),
            queue: Queue::default(),
            peers: Peers::default(),
            probe_due: now,
            idle: Idle::default(),
            parked: Arena::default(),
            suspects: Vec::new(),
            names: Names::new(config.resolve_interval),
            leads: true,
            worker: 0,
            loops: 1,
            scratch: Vec::with_capacity(limits::WINDOW_BYTES),
            random: Random::new(seed),
            tally: Tally::default(),
            books: Books::new(config),
            pace: Pace::default(),
            gate: Gate::default(),
            recent: Recent::default(),
            journal: Journal::new(&config.access_log, seed),
            herald: Herald::default(),
            now,
            turn: 0,
            unseen_events: false,
            sessions: 0,
            sessions_max: config.clients(),
            accept_retry: None,
            drain: Drain::new(config.drain_timeout),
            leaving: Vec::new(),
            changes: Vec::new(),
            gone: false,
            resting: false,
            office: None,
            listeners,
            listeners_gone: Tombs::default(),
            pools_gone: Tombs::default(),
        };
        for at in 0..hub.listeners.len() {
            if let Some(socket) = hub.listeners[at].socket {
                hub.own(socket, Owner::Listener(at));
            }
        }
        names::add_all(&config.pools, &mut hub, kernel);
        Ok(Self {
            tenants: Arena::default(),
            hub,
            ready: Vec::new(),
        })
    }

    /// Makes this one of several loops of the program, before its first turn: the first of them
    /// probes for all, and each begins its round robin elsewhere, so that a few clients of each
    /// do not all meet the same server.
    pub fn join(&mut self, worker: usize, of: usize) {
        self.hub.leads = worker == 0;
        self.hub.worker = worker;
        self.hub.loops = of;
        self.hub.peers.rotate(worker, of);
    }

    /// From here on clients that connect to the listener at that position are spoken TLS to. To be
    /// called before the first turn.
    pub fn terminate(&mut self, listener: usize, tls: ServerTls) {
        if let Some(listener) = self.hub.listeners.get_mut(listener) {
            listener.tls = Some(tls);
            Rc::make_mut(&mut listener.policy).client_is_tls = true;
        }
    }

    /// Where the listeners really are, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let listeners = &self.hub.listeners;
        let wanted = self.hub.config.listeners.iter();
        let place = |wanted: &config::Listener| {
            let found = listeners.iter().find(|one| one.name == wanted.name);
            Some(found?.address.clone())
        };
        wanted.filter_map(place).collect()
    }

    /// The state of every backend, in order.
    #[must_use]
    pub fn report(&self) -> Vec<BackendReport> {
        let peers = &self.hub.peers;
        let known = peers.order().iter().filter_map(|id| peers.get(*id));
        known
            .map(|peer| BackendReport {
                pool: self.hub.rules(peer.pool).name.clone(),
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

    /// The last troubles that clients met, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Trouble> {
        self.hub.recent.iter()
    }

    /// What is open.
    #[must_use]
    pub fn census(&self) -> Census {
        let peers = &self.hub.peers;
        let known = peers.order().iter().filter_map(|id| peers.get(*id));
        let desks = self
            .hub
            .office
            .as_ref()
            .map_or(0, |office| office.desks.len());
        Census {
            sessions: self.hub.sessions,
            probes: self.tenants.len() - self.hub.sessions - desks,
            desks,
            parked: self.hub.parked.len(),
            windows: self.hub.windows.lent(),
            pipes: self.hub.pipes.lent(),
            timers: self.hub.timers.len(),
            in_flight: known.map(|peer| peer.in_flight).sum(),
            queued: self.hub.queue.len(),
        }
    }
}

/// Opens the listeners, all or none.
fn open(config: &Config, kernel: &mut dyn Kernel) -> Result<Vec<Listener>, StartError> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(config.listeners.len());
    for wanted in &config.listeners {
        let address = wanted.listen.clone();
        match open_one(&address, kernel) {
            Ok((socket, really)) => listeners.push(Listener {
                name: wanted.name.clone(),
                socket: Some(socket),
                asked: address,
                address: really,
                ready: false,
                moves: 0,
                mode: wanted.mode,
                pool: PoolId(wanted.pool),
                policy: Rc::new(policy(wanted, &config.pools[wanted.pool])),
                tls: None,
            }),
            Err(error) => {
                for socket in listeners.iter().filter_map(|listener| listener.socket) {
                    kernel.close(socket);
                }
                return Err(StartError { address, error });
            }
        }
    }
    Ok(listeners)
}

/// Opens a listener, and says where it really is.
pub(super) fn open_one(at: &Address, kernel: &mut dyn Kernel) -> io::Result<(Socket, Address)> {
    match at {
        Address::Tcp(address) => {
            let socket = kernel.listen(*address)?;
            let really = kernel.local_address(socket).unwrap_or(*address);
            Ok((socket, Address::Tcp(really)))
        }
        Address::Unix(path) => Ok((kernel.listen_unix(path, Reach::Everybody)?, at.clone())),
    }
}

/// What holds for the servers of the pool at that position.
pub(super) fn rules(config: &Config, at: usize, client_tls: Option<ClientTls>) -> Rules {
    let pool = &config.pools[at];
    Rules {
        name: pool.name.clone(),
        gone: false,
        mode: mode(config, at),
        host: pool.host.clone(),
        sni: pool.tls.sni.clone(),
        health: pool.health,
        reuse: pool.reuse,
        retry: pool.retry,
        client_tls,
    }
}

/// What the pool at that position balances: what its listeners say, or else its backends.
pub(super) fn mode(config: &Config, pool: usize) -> Mode {
    let listener = config.listeners.iter().find(|one| one.pool == pool);
    let mut backends = config.pools[pool].backends.iter();
    let usual = match backends.any(|backend| backend.scheme == Scheme::Tcp) {
        true => Mode::Tcp,
        false => Mode::Http,
    };
    listener.map_or(usual, |listener| listener.mode)
}

pub(super) fn policy(listener: &config::Listener, pool: &config::Pool) -> Policy {
    Policy {
        timeouts: Timeouts {
            client: listener.timeouts,
            server: pool.timeouts,
        },
        request_head: listener.limits.request_head,
        headers: listener.limits.headers,
        body: listener.limits.body.unwrap_or(u64::MAX),
        requests: listener.limits.requests_per_connection,
        tries: pool.retry.tries,
        client_is_tls: false,
        trusted_proxies: listener.trusted_proxies.clone(),
        forwarded: listener.forwarded,
        request_id: listener.request_id.clone(),
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, error } = self;
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is open-ended")]
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse if matches!(address, Address::Unix(_)) => {
                "stop what listens there, or remove what is no socket, or choose another path"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
                if matches!(address, Address::Unix(_)) =>
            {
                "choose a directory that is there and may be written to"
            }
            io::ErrorKind::AddrInUse => "stop what listens there, or choose another address",
            io::ErrorKind::PermissionDenied => "choose a port above 1023, or run with the right",
            io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
            _ => "choose another address",
        };
        write!(f, "cannot listen on {address}: {error}; {advice}")
    }
}
