//! Reports as JSON.

use serde_json::Value;
use serde_json::json;

use super::clock;
use super::report::Backend;
use super::report::Connection;
use super::report::Pool;
use super::report::Report;
use super::report::StateChange;
use crate::base::time::Span;
use crate::tally::BOUNDS;
use crate::tally::End;
use crate::tally::Histogram;

/// One server.
#[must_use]
pub fn backend(backend: &Backend) -> Value {
    let quantile = |percent| backend.latency.quantile(percent).map(millis);
    let probe = backend.probe.map_or_else(
        || json!({"last": null, "took_ms": null}),
        |(code, took)| json!({"last": code, "took_ms": millis(took)}),
    );
    let mut value = json!({
        "id": backend.id,
        "url": backend.url,
        "state": backend.state.name(),
        "since": clock::rfc3339(backend.since),
        "reason": backend.reason,
        "weight": backend.weight,
        "max_conns": backend.max_conns,
        "in_flight": backend.in_flight,
        "idle": backend.idle,
        "requests": backend.requests,
        "failures": backend.failures,
        "retries": backend.retries,
        "bytes_in": backend.bytes_in,
        "bytes_out": backend.bytes_out,
        "latency_ms": {
            "p50": quantile(50),
            "p90": quantile(90),
            "p99": quantile(99),
            "max": backend.latency.longest().map(millis),
        },
        "responses": {
            "1xx": backend.codes[0],
            "2xx": backend.codes[1],
            "3xx": backend.codes[2],
            "4xx": backend.codes[3],
            "5xx": backend.codes[4],
        },
    });
    value["probe"] = probe;
    value["probe"]["ok"] = backend.probes[0].into();
    value["probe"]["failed"] = backend.probes[1].into();
    value
}

/// All servers of a pool.
#[must_use]
pub fn backends(pool: &Pool) -> Value {
    pool.backends.iter().map(backend).collect()
}

/// One pool with its servers.
#[must_use]
pub fn pool(pool: &Pool) -> Value {
    json!({
        "name": pool.name,
        "mode": pool.mode,
        "balance": pool.balance,
        "backends": backends(pool),
    })
}

/// All pools with their servers.
#[must_use]
pub fn pools(report: &Report) -> Value {
    report.pools.iter().map(pool).collect()
}

/// The process.
#[must_use]
pub fn status(report: &Report) -> Value {
    let process = &report.process;
    let listener = |listener: &super::report::Listener| {
        json!({
            "name": listener.name,
            "address": listener.address,
            "connections": listener.open,
            "connections_total": listener.accepted,
        })
    };
    let open: u64 = report.listeners.iter().map(|one| one.open).sum();
    let total: u64 = report.listeners.iter().map(|one| one.accepted).sum();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started": clock::rfc3339(process.started),
        "uptime_seconds": seconds(process.uptime),
        "workers": process.workers,
        "ready": process.unready.is_empty(),
        "unready": process.unready,
        "log_level": process.log_level.name(),
        "connections": open,
        "connections_total": total,
        "max_connections": process.connections_max,
        "requests": requests_total(report),
        "bytes": {
            "client_in": process.bytes[0],
            "client_out": process.bytes[1],
            "server_in": process.bytes[2],
            "server_out": process.bytes[3],
            "spliced": process.spliced,
        },
        "turns": {
            "count": process.lag.count(),
            "p99_ms": process.lag.quantile(99).map(millis),
            "longest_ms": millis(process.longest),
        },
        "listeners": report.listeners.iter().map(listener).collect::<Value>(),
        "pools": report.pools.iter().map(|pool| pool.name.as_str()).collect::<Value>(),
    })
}

/// Requests that were answered, by servers or without them.
pub(super) fn requests_total(report: &Report) -> u64 {
    let codes = report.rows.iter().flat_map(|row| &row.codes);
    codes.map(|(_, _, count)| count).sum()
}

/// What an event stream says once a second: the status, and the pools with how requests ended and
/// how long they took, as counts, from which a reader makes those of its own second.
#[must_use]
pub fn tick(report: &Report) -> Value {
    let mut value = status(report);
    let mut all = Histogram::default();
    report.rows.iter().for_each(|row| all.add(&row.latency));
    value["latency_bounds_ms"] = BOUNDS.into_iter().map(millis).collect();
    value["latency_counts"] = counts(&all);
    value["latency_max_ms"] = all.longest().map(millis).into();
    value["pools"] = report.pools.iter().map(live).collect();
    value
}

fn live(one: &Pool) -> Value {
    let ends = End::ALL.iter().zip(one.ends);
    let mut value = pool(one);
    value["ends"] = Value::Object(
        ends.map(|(end, count)| (end.name().to_owned(), count.into()))
            .collect(),
    );
    for (at, one) in one.backends.iter().enumerate() {
        value["backends"][at]["latency_counts"] = counts(&one.latency);
    }
    value
}

/// How many took no longer than each of [`BOUNDS`], and behind those how many there are.
fn counts(histogram: &Histogram) -> Value {
    let counts = histogram.cumulated().map(|(_, count)| count);
    counts.chain([histogram.count()]).collect()
}

/// The last changes of states, oldest first.
#[must_use]
pub fn history(changes: &[StateChange]) -> Value {
    let one = |change: &StateChange| {
        json!({
            "pool": change.pool,
            "id": change.id,
            "url": change.url,
            "state": change.state.name(),
            "reason": change.reason,
            "since": clock::rfc3339(change.since),
        })
    };
    changes.iter().map(one).collect()
}

/// That a server is something else from here on.
#[must_use]
pub fn state(pool: &str, one: &Backend) -> Value {
    json!({
        "pool": pool,
        "id": one.id,
        "url": one.url,
        "state": one.state.name(),
        "reason": one.reason,
        "since": clock::rfc3339(one.since),
        "weight": one.weight,
    })
}

/// Changes of state, each with its time in nanoseconds since 1970.
pub fn changes<'a>(changes: impl Iterator<Item = (u64, &'a str)>) -> Value {
    changes
        .map(|(unix, text)| json!({"ts": clock::rfc3339(unix), "text": text}))
        .collect()
}

/// Client connections.
#[must_use]
pub fn connections(connections: &[Connection]) -> Value {
    let one = |connection: &Connection| {
        let backend = Some(&connection.backend).filter(|id| !id.is_empty());
        json!({
            "id": connection.id,
            "client": connection.client,
            "listener": connection.listener,
            "pool": connection.pool,
            "backend": backend,
            "age_seconds": seconds(connection.age),
        })
    };
    connections.iter().map(one).collect()
}

/// Milliseconds, to the microsecond.
fn millis(span: Span) -> f64 {
    (span.0 / 1_000) as f64 / 1_000.0
}

/// Seconds, to the millisecond.
fn seconds(span: Span) -> f64 {
    (span.0 / 1_000_000) as f64 / 1_000.0
}
