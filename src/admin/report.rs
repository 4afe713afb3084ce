//! What the engine tells of itself, as plain data for [`super::json`] and [`super::metrics`].

use crate::base::time::Span;
use crate::config::LogLevel;
use crate::tally::End;
use crate::tally::Histogram;

#[cfg(test)]
pub(super) mod fixture;

/// Everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The process.
    pub process: Process,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Who serves.
    pub pools: Vec<Pool>,
    /// What was answered.
    pub rows: Vec<Row>,
}

/// The process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Event loops.
    pub workers: usize,
    /// Nanoseconds from 1970 to its start; 0 if nobody knows.
    pub started: u64,
    /// How long it has been running.
    pub uptime: Span,
    /// Why it is not ready for traffic; empty if it is.
    pub unready: &'static str,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Whether the configuration was good when it was read last.
    pub reload_good: bool,
    /// Nanoseconds from 1970 to the last time the configuration came into effect.
    pub reloaded: u64,
    /// Client connections that may be open at a time.
    pub connections_max: u64,
    /// Bytes read from clients, written to clients, read from servers, written to servers.
    pub bytes: [u64; 4],
    /// Bytes that went through pipes.
    pub spliced: u64,
    /// TLS handshakes with servers, for requests: those that came about, and the others.
    pub handshakes: [u64; 2],
    /// Events that the kernel has reported.
    pub events: u64,
    /// How long turns of the loops took.
    pub lag: Histogram,
    /// The longest one.
    pub longest: Span,
    /// For how long accepting had to rest.
    pub paused: Span,
    /// Lines of the access log that were lost.
    pub unlogged: u64,
    /// Bytes of memory; 0 if nobody knows.
    pub resident: u64,
    /// Open descriptors; 0 if nobody knows.
    pub descriptors: u64,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Its address; empty once it is closed.
    pub address: String,
    /// Connections open.
    pub open: u64,
    /// Connections so far.
    pub accepted: u64,
}

/// Servers that stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// http or tcp.
    pub mode: &'static str,
    /// How requests are given to its servers.
    pub balance: &'static str,
    /// Its servers.
    pub backends: Vec<Backend>,
    /// How requests and tunnels ended, in the order of [`End::ALL`].
    pub ends: [u64; End::ALL.len()],
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Like `app-1`.
    pub id: String,
    /// Its URL.
    pub url: String,
    /// What it is.
    pub state: State,
    /// Nanoseconds from 1970 to when it became that.
    pub since: u64,
    /// Why it is that; may be empty.
    pub reason: String,
    /// Its share of the requests.
    pub weight: u16,
    /// Requests it is to be given at a time; `None` for no bound.
    pub max_conns: Option<u32>,
    /// Requests or tunnels on it.
    pub in_flight: u64,
    /// Connections kept to it.
    pub idle: u64,
    /// Requests or tunnels given to it.
    pub requests: u64,
    /// Attempts to connect to it that failed.
    pub failures: u64,
    /// Requests that were sent again after it had broken off.
    pub retries: u64,
    /// Bytes sent to it.
    pub bytes_in: u64,
    /// Bytes that came from it.
    pub bytes_out: u64,
    /// Its answers by the first digit of their status, less one.
    pub codes: [u64; 5],
    /// Connections that came about for requests.
    pub connects: u64,
    /// Requests over kept connections.
    pub reuses: u64,
    /// From the request to the last byte of its answer with the client.
    pub latency: Histogram,
    /// Probes passed and failed.
    pub probes: [u64; 2],
    /// What the last probe said, and how long it took.
    pub probe: Option<(&'static str, Span)>,
    /// Lengths of all probes together.
    pub probes_took: Span,
}

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes part.
    Up,
    /// It fails its probes, or requests.
    Down,
    /// It ends what it has.
    Drain,
    /// An operator has taken it out.
    Disabled,
    /// Live traffic has shown that it fails.
    Ejected,
}

impl State {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Up,
        Self::Down,
        Self::Drain,
        Self::Disabled,
        Self::Ejected,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drain => "drain",
            Self::Disabled => "disabled",
            Self::Ejected => "ejected",
        }
    }
}

/// What came in at a listener for a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The name of the listener.
    pub listener: String,
    /// The name of the pool.
    pub pool: String,
    /// Method, status and how many.
    pub codes: Vec<(&'static str, u16, u64)>,
    /// From the request to the last byte of its answer with the client.
    pub latency: Histogram,
}

/// A server became something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Nanoseconds from 1970 to when it did.
    pub since: u64,
    /// The name of its pool.
    pub pool: String,
    /// Like `app-1`.
    pub id: String,
    /// Its URL.
    pub url: String,
    /// What it became.
    pub state: State,
    /// Why; may be empty.
    pub reason: String,
}

/// A client connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its number.
    pub id: u64,
    /// Where the client is.
    pub client: String,
    /// The name of the listener.
    pub listener: String,
    /// The name of the pool.
    pub pool: String,
    /// The server it is joined to; empty if there is none.
    pub backend: String,
    /// How long it has been open.
    pub age: Span,
}
