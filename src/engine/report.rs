//! What the engine tells of itself to the admin interface: a walk over its tables.

use super::counters::Door;
use super::counters::METHODS as METHOD_COUNT;
use super::counters::Row;
use super::history::Entry;
use super::hub::Hub;
use super::kernel::Kernel;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::Filter;
use crate::admin::Sight;
use crate::admin::report;
use crate::admin::report::Report;
use crate::admin::report::State;
use crate::base::Caller;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::LogLevel;
use crate::config::Probe;
use crate::peers::Peer;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::Standing;
use crate::tally::End;
use crate::tally::Event;

impl Engine {
    /// Everything that is counted and known.
    #[must_use]
    pub fn full_report(&self, kernel: &dyn Kernel) -> Report {
        let hub = &self.hub;
        let mut report = self.own_report(kernel);
        let mut pools = (0..).map(PoolId);
        report.pools.retain(|_| {
            let pool = pools.next().unwrap_or_default();
            !hub.rules(pool).gone || hub.peers.len(pool) > 0
        });
        let vitals = kernel.vitals();
        report.process.unlogged = kernel.unlogged();
        report.process.resident = vitals.resident;
        report.process.descriptors = vitals.descriptors;
        if let Some(office) = &hub.office {
            office.others.add_to(&mut report);
        }
        report
    }

    /// What this loop has counted, with all pools that there have been, and nothing of the process
    /// that the kernel would have to look for.
    pub(super) fn own_report(&self, kernel: &dyn Kernel) -> Report {
        let hub = &self.hub;
        let clock = Clock::new(kernel);
        let books = &hub.books;
        let door = |(at, door): (usize, &Door)| report::Listener {
            name: door.name.clone(),
            address: hub
                .listeners
                .get(at)
                .filter(|listener| listener.socket.is_some())
                .map_or_else(String::new, |listener| listener.address.to_string()),
            open: door.open,
            accepted: door.accepted,
        };
        let doors = books.doors.iter().enumerate();
        let told = doors.filter(|(_, door)| !door.forgotten);
        let rows = books.doors.iter().flat_map(|door| {
            let rows = door.rows.iter().enumerate();
            rows.filter_map(|(pool, row)| {
                let row = row.as_ref()?;
                Some(traffic(&door.name, PoolId(pool), row, hub))
            })
        });
        Report {
            process: process(hub, &clock),
            listeners: told.map(door).collect(),
            pools: (0..hub.rules.len())
                .map(|at| pool(PoolId(at), hub, &clock))
                .collect(),
            rows: rows.collect(),
        }
    }

    /// One pool.
    pub(super) fn pool_report(&self, id: PoolId, kernel: &dyn Kernel) -> report::Pool {
        let mut pool = pool(id, &self.hub, &Clock::new(kernel));
        if let Some(office) = &self.hub.office {
            office.others.add_to_pool(&mut pool);
        }
        pool
    }

    /// One server, if it is there.
    pub(super) fn backend_report(
        &self,
        id: PeerId,
        kernel: &dyn Kernel,
    ) -> Option<report::Backend> {
        let mut report = backend(id, &self.hub, &Clock::new(kernel))?;
        let pool = self.hub.peers.get(id)?.pool;
        if let Some(office) = &self.hub.office {
            let pool = &self.hub.rules(pool).name;
            office.others.add_to_backend(pool, &mut report);
        }
        Some(report)
    }

    /// The last changes of states, oldest first.
    pub(super) fn state_changes(&self, kernel: &dyn Kernel) -> Vec<report::StateChange> {
        let clock = Clock::new(kernel);
        let office = self.hub.office.iter();
        let entries = office.flat_map(|office| office.history.iter());
        let change = |entry: &Entry| report::StateChange {
            since: clock.at(entry.since),
            pool: entry.pool.clone(),
            id: entry.id.clone(),
            url: entry.url.clone(),
            state: entry.state,
            reason: entry.reason.clone(),
        };
        entries.map(change).collect()
    }

    /// The client connections that `filter` admits, the first ones.
    pub(super) fn connections(&self, filter: &Filter) -> Vec<report::Connection> {
        let hub = &self.hub;
        let sessions = self
            .tenants
            .iter()
            .filter_map(|(key, tenant)| match tenant {
                Tenant::Session(slot) => Some((key, slot)),
                Tenant::Probe(_) | Tenant::Admin(_) => None,
            });
        let one = |(key, slot): (crate::base::arena::Key, &super::slot::Slot)| {
            let door = hub.books.doors.get(slot.listener);
            report::Connection {
                // No loop has so many connections that this were another one's number.
                id: key.pack() | (hub.worker as u64) << 24,
                client: Caller(slot.from).to_string(),
                listener: door.map_or_else(String::new, |door| door.name.clone()),
                pool: hub.rules(slot.pool).name.clone(),
                backend: slot
                    .attempt
                    .peer
                    .filter(|_| slot.server.is_some())
                    .map_or_else(String::new, |id| hub.peer_name(id)),
                age: hub.now.since(slot.since),
            }
        };
        let admitted = sessions.filter(|(_, slot)| {
            let peer = slot.attempt.peer.filter(|_| slot.server.is_some());
            filter.admits(&Sight {
                pool: &hub.rules(slot.pool).name,
                backend: peer
                    .and_then(|id| hub.peers.get(id))
                    .map_or(0, |peer| peer.number),
                status: 0,
                end: End::Ok,
                letters: *b"--",
                client: slot.from,
            })
        });
        admitted.take(filter.limit).map(one).collect()
    }
}

impl Hub {
    /// Why requests would not be served; empty if they would.
    pub(super) fn unready(&self) -> &'static str {
        if self.draining() || self.resting {
            return "draining";
        }
        let mut pools = (0..self.rules.len()).map(PoolId);
        if pools.any(|pool| self.peers.serves(pool)) {
            ""
        } else {
            "no backends"
        }
    }
}

/// What the world's clock shows at moments of the loop's.
struct Clock {
    now: Moment,
    unix: u64,
}

impl Clock {
    fn new(kernel: &dyn Kernel) -> Self {
        Self {
            now: kernel.now(),
            unix: kernel.unix_time(),
        }
    }

    fn at(&self, moment: Moment) -> u64 {
        self.unix.saturating_sub(self.now.since(moment).0)
    }
}

fn process(hub: &Hub, clock: &Clock) -> report::Process {
    let [came, went] = hub.books.client;
    let [answered, asked] = hub.books.server;
    report::Process {
        workers: hub.loops,
        started: clock.at(Moment(0)),
        uptime: Span(hub.now.0),
        unready: hub.unready(),
        log_level: log_level(),
        reload_good: hub.reading.good,
        reloaded: clock.at(hub.reading.since),
        connections_max: hub.sessions_max as u64,
        bytes: [came, went, answered, asked],
        spliced: hub.tally.of(Event::Spliced),
        handshakes: hub.books.handshakes,
        events: hub.books.events,
        lag: hub.pace.lag.clone(),
        longest: hub.pace.longest,
        paused: hub.books.paused,
        unlogged: 0,
        resident: 0,
        descriptors: 0,
    }
}

fn log_level() -> LogLevel {
    match log::max_level() {
        log::LevelFilter::Off | log::LevelFilter::Error => LogLevel::Error,
        log::LevelFilter::Warn => LogLevel::Warn,
        log::LevelFilter::Info => LogLevel::Info,
        log::LevelFilter::Debug => LogLevel::Debug,
        log::LevelFilter::Trace => LogLevel::Trace,
    }
}

fn traffic(listener: &str, pool: PoolId, row: &Row, hub: &Hub) -> report::Row {
    let mut codes = Vec::new();
    for (method, counts) in METHODS.into_iter().zip(&row.codes) {
        let counts = counts.iter().flat_map(|counts| counts.iter());
        for (code, count) in (0..).zip(counts).filter(|(_, count)| **count > 0) {
            codes.push((method, code, *count));
        }
    }
    report::Row {
        listener: listener.to_owned(),
        pool: hub.rules(pool).name.clone(),
        codes,
        latency: row.latency.clone(),
    }
}

fn pool(id: PoolId, hub: &Hub, clock: &Clock) -> report::Pool {
    let all = hub.peers.of(id).iter();
    report::Pool {
        name: hub.rules(id).name.clone(),
        mode: hub.rules(id).mode.name(),
        balance: "round-robin",
        backends: all.filter_map(|id| backend(*id, hub, clock)).collect(),
        ends: hub.books.ends.get(id.0).copied().unwrap_or_default(),
    }
}

fn backend(id: PeerId, hub: &Hub, clock: &Clock) -> Option<report::Backend> {
    let peer = hub.peers.get(id)?;
    let is_watched = hub.rules(peer.pool).health.probe != Probe::Off;
    let (state, reason) = state(peer, is_watched);
    let counts = &peer.counts;
    Some(report::Backend {
        id: hub.peer_name(id),
        url: peer.name.clone(),
        state,
        since: clock.at(peer.since),
        reason,
        weight: peer.weight,
        max_conns: peer.max_conns,
        in_flight: peer.in_flight,
        idle: hub.idle.of(id) as u64,
        requests: peer.requests,
        failures: peer.failures,
        retries: counts.retries,
        bytes_in: counts.bytes_in,
        bytes_out: counts.bytes_out,
        codes: counts.codes,
        connects: counts.connects,
        reuses: counts.reuses,
        latency: counts.latency.clone(),
        probes: [counts.probes_passed, counts.probes_failed],
        probe: counts.probe.map(|(result, took)| {
            let good = if peer.tls_name.is_some() {
                "L6OK"
            } else {
                "L4OK"
            };
            (result.map_or_else(|fault| fault.code(), |()| good), took)
        }),
        probes_took: counts.probes_took,
    })
}

fn state(peer: &Peer, is_watched: bool) -> (State, String) {
    let (state, reason) = match peer.standing {
        Standing::Leaving(_) => (State::Drain, "being removed"),
        Standing::Draining => (State::Drain, "by an operator"),
        Standing::Disabled => (State::Disabled, "by an operator"),
        Standing::Enabled if peer.health.up && !is_watched => (State::Up, "not probed"),
        Standing::Enabled if peer.health.up => (State::Up, ""),
        Standing::Enabled => {
            let fault = peer.health.fault;
            let reason = fault.map(|fault| format!("{} {fault}", fault.code()));
            return (State::Down, reason.unwrap_or_default());
        }
    };
    (state, reason.to_owned())
}

/// What metrics call methods, in the order of [`crate::http::head::Method`].
const METHODS: [&str; METHOD_COUNT] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "OTHER",
];
