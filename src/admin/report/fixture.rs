//! Reports to test with: a process and servers that have done nothing yet.

use super::Backend;
use super::Pool;
use super::Process;
use super::Report;
use super::State;
use crate::base::time::Span;
use crate::config::LogLevel;
use crate::tally::End;
use crate::tally::Histogram;

/// Of a process that has just begun, with these pools.
pub(in crate::admin) fn report(pools: Vec<Pool>) -> Report {
    Report {
        process: Process {
            workers: 1,
            started: 0,
            uptime: Span::ZERO,
            unready: "",
            log_level: LogLevel::Info,
            reload_good: true,
            reloaded: 0,
            connections_max: 1,
            bytes: [0; 4],
            spliced: 0,
            handshakes: [0; 2],
            events: 0,
            lag: Histogram::default(),
            longest: Span::ZERO,
            paused: Span::ZERO,
            unlogged: 0,
            resident: 0,
            descriptors: 0,
        },
        listeners: Vec::new(),
        pools,
        rows: Vec::new(),
    }
}

/// A pool of these servers.
pub(in crate::admin) fn pool(name: &str, backends: Vec<Backend>) -> Pool {
    Pool {
        name: name.to_owned(),
        mode: "http",
        balance: "round-robin",
        backends,
        ends: [0; End::ALL.len()],
    }
}

/// A server that is up.
pub(in crate::admin) fn backend(id: &str, url: &str) -> Backend {
    Backend {
        id: id.to_owned(),
        url: url.to_owned(),
        state: State::Up,
        since: 0,
        reason: String::new(),
        weight: 1,
        max_conns: None,
        in_flight: 0,
        idle: 0,
        requests: 0,
        failures: 0,
        retries: 0,
        bytes_in: 0,
        bytes_out: 0,
        codes: [0; 5],
        connects: 0,
        reuses: 0,
        latency: Histogram::default(),
        probes: [0; 2],
        probe: None,
        probes_took: Span::ZERO,
    }
}
