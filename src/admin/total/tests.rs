//! Two loops' reports, added up.

use super::*;
use crate::admin::report::State;
use crate::config::LogLevel;
use crate::tally::End;
use crate::tally::Histogram;

/// A report in which everything that is counted is `count`.
fn report(count: u64) -> Report {
    let mut times = Histogram::default();
    for _ in 0..count {
        times.observe(Span::millis(2));
    }
    let backend = |id: &str| Backend {
        id: id.to_owned(),
        url: String::new(),
        state: State::Up,
        since: count,
        reason: String::new(),
        weight: 3,
        max_conns: None,
        in_flight: count,
        idle: count,
        requests: count,
        failures: count,
        retries: count,
        bytes_in: count,
        bytes_out: count,
        codes: [count; 5],
        connects: count,
        reuses: count,
        latency: times.clone(),
        probes: [count; 2],
        probe: None,
        probes_took: Span(count),
    };
    Report {
        process: Process {
            workers: 2,
            started: 7,
            uptime: Span(count),
            unready: "",
            log_level: LogLevel::Info,
            reload_good: true,
            reloaded: 7,
            connections_max: count,
            bytes: [count; 4],
            spliced: count,
            handshakes: [count; 2],
            events: count,
            lag: times.clone(),
            longest: Span(count),
            paused: Span(count),
            unlogged: count,
            resident: count,
            descriptors: count,
        },
        listeners: vec![Listener {
            name: "web".to_owned(),
            address: String::new(),
            open: count,
            accepted: count,
        }],
        pools: vec![Pool {
            name: "app".to_owned(),
            mode: "http",
            balance: "round-robin",
            backends: vec![backend("app-1"), backend("app-2")],
            ends: [count; End::ALL.len()],
        }],
        rows: vec![Row {
            listener: "web".to_owned(),
            pool: "app".to_owned(),
            codes: vec![("GET", 200, count)],
            latency: times,
        }],
    }
}

#[test]
fn what_is_counted_is_added_and_what_is_agreed_on_stays() {
    let mut sum = report(2);
    sum.add(&report(3));
    let mut wanted = report(5);
    // These are the first loop's, or those of the whole process.
    wanted.process.uptime = Span(2);
    // The longest of all is that of one of them.
    wanted.process.longest = Span(3);
    wanted.process.unlogged = 2;
    wanted.process.resident = 2;
    wanted.process.descriptors = 2;
    for backend in &mut wanted.pools[0].backends {
        backend.since = 2;
    }
    assert_eq!(sum, wanted);
}

#[test]
fn things_go_by_their_names_and_what_is_gone_is_left_out() {
    let mut other = report(3);
    other.pools[0].backends.remove(0);
    other.pools[0].backends[0].id = "app-9".to_owned();
    other.listeners[0].name = "gone".to_owned();
    other.rows[0].codes = vec![("POST", 200, 1), ("GET", 200, 3)];
    let another = Row {
        listener: "other".to_owned(),
        ..other.rows[0].clone()
    };
    other.rows.push(another.clone());
    let mut sum = report(2);
    sum.add(&other);
    assert_eq!(sum.backend("app", "app-1").unwrap().requests, 2);
    assert_eq!(sum.backend("app", "app-9"), None);
    assert_eq!(sum.backend("other", "app-1"), None);
    assert_eq!((sum.listeners.len(), sum.listeners[0].open), (1, 2));
    assert_eq!(sum.rows[0].codes, [("GET", 200, 5), ("POST", 200, 1)]);
    assert_eq!(sum.rows[1], another);
}
