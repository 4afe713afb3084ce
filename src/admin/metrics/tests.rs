//! Pages that are written in pieces.

use super::*;
use crate::admin::report::Backend;
use crate::admin::report::Pool;
use crate::admin::report::Process;
use crate::admin::report::State;
use crate::config::LogLevel;
use crate::tally::Histogram;

/// So many servers in each pool.
fn report(pools: &[usize]) -> Report {
    let backend = |at: usize| Backend {
        id: format!("b-{at}"),
        url: String::new(),
        state: State::Up,
        since: 0,
        reason: String::new(),
        weight: 1,
        max_conns: None,
        in_flight: at as u64,
        idle: 0,
        requests: 0,
        failures: 0,
        retries: 0,
        bytes_in: 0,
        bytes_out: 0,
        codes: [at as u64; 5],
        connects: 0,
        reuses: 0,
        latency: Histogram::default(),
        probes: [0; 2],
        probe: None,
        probes_took: Span::ZERO,
    };
    let pool = |(at, count): (usize, &usize)| Pool {
        name: format!("p{at}"),
        mode: "http",
        balance: "round-robin",
        backends: (0..*count).map(backend).collect(),
        ends: [0; End::ALL.len()],
    };
    Report {
        process: Process {
            workers: 1,
            started: 0,
            uptime: Span::ZERO,
            unready: "",
            log_level: LogLevel::Info,
            connections_max: 1,
            bytes: [0; 4],
            spliced: 0,
            events: 0,
            lag: Histogram::default(),
            longest: Span::ZERO,
            paused: Span::ZERO,
            unlogged: 0,
            resident: 0,
            descriptors: 0,
            handshakes: [0; 2],
            reload_good: true,
            reloaded: 0,
        },
        listeners: Vec::new(),
        pools: pools.iter().enumerate().map(pool).collect(),
        rows: Vec::new(),
    }
}

#[test]
fn a_page_is_the_same_however_small_its_pieces_are() {
    for pools in [&[][..], &[0], &[3], &[2, 0, 3], &[0, 0], &[1, 1]] {
        let report = report(pools);
        let mut whole = Draft::new(report.clone());
        assert!(whole.write(usize::MAX));
        let whole = whole.into_text();
        for family in PER_BACKEND {
            let (name, kind, _) = family.0;
            let mark = format!("# TYPE {name} {kind}\n");
            assert_eq!(whole.matches(&mark).count(), 1, "{mark}");
        }
        let servers: usize = pools.iter().sum();
        assert_eq!(whole.matches("tidegate_backend_up{").count(), servers);
        for most in [1, 100, 10_000] {
            let mut draft = Draft::new(report.clone());
            let mut pieces = 1;
            while !draft.write(most) {
                pieces += 1;
            }
            assert!(most > 1 || pieces >= servers * PER_BACKEND.len());
            assert_eq!(draft.into_text(), whole);
        }
    }
}
