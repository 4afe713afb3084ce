//! Reports in the text format of Prometheus, version 0.0.4.

mod text;

use std::fmt::Display;

use super::report::Report;
use super::report::State;
use crate::base::time::Span;
use crate::tally::End;
use text::Page;
use text::all;
use text::seconds;

/// The media type of [`render`].
pub const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    program(report, &mut page);
    process(report, &mut page);
    page.single(
        "tidegate_access_log_dropped_total",
        "counter",
        "Lines of the access log that were lost, as they came faster than they were written.",
        &report.process.unlogged,
    );
    traffic(report, &mut page);
    states(report, &mut page);
    backends(report, &mut page);
    more_of_backends(report, &mut page);
    latencies(report, &mut page);
    page.text
}

fn program(report: &Report, page: &mut Page) {
    let process = &report.process;
    page.family(
        "tidegate_build_info",
        "gauge",
        "The version that runs, and the compiler that made it.",
    );
    let labels: [(&str, &dyn Display); 2] = [
        ("version", &env!("CARGO_PKG_VERSION")),
        ("rust", &option_env!("TIDEGATE_RUSTC").unwrap_or("unknown")),
    ];
    page.line(&labels, &1);
    page.single(
        "tidegate_config_last_reload_success",
        "gauge",
        "Whether the configuration was good when it was read last.",
        &u8::from(process.reload_good),
    );
    page.single(
        "tidegate_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration came into effect, in seconds since 1970.",
        &seconds(Span(process.reloaded)),
    );
}

fn process(report: &Report, page: &mut Page) {
    let process = &report.process;
    page.single(
        "tidegate_start_time_seconds",
        "gauge",
        "When the process started, in seconds since 1970.",
        &seconds(Span(process.started)),
    );
    page.single(
        "tidegate_ready",
        "gauge",
        "Whether requests would be served.",
        &u8::from(process.unready.is_empty()),
    );
    page.single(
        "tidegate_accept_paused_seconds_total",
        "counter",
        "For how long accepting had to rest for want of descriptors or memory.",
        &seconds(process.paused),
    );
    page.single(
        "tidegate_splice_bytes_total",
        "counter",
        "Bytes that went from socket to socket through a pipe.",
        &process.spliced,
    );
    page.single(
        "tidegate_loop_events_total",
        "counter",
        "Events that the kernel has reported.",
        &process.events,
    );
    page.family(
        "tidegate_loop_lag_seconds",
        "histogram",
        "How long turns of the event loops took: for so long others wait.",
    );
    page.histogram(&[], &process.lag);
    page.single(
        "tidegate_loop_longest_turn_seconds",
        "gauge",
        "The longest turn of an event loop since the start.",
        &seconds(process.longest),
    );
    page.single(
        "process_resident_memory_bytes",
        "gauge",
        "Resident memory size in bytes.",
        &process.resident,
    );
    page.single(
        "process_open_fds",
        "gauge",
        "Number of open file descriptors.",
        &process.descriptors,
    );
}

fn traffic(report: &Report, page: &mut Page) {
    page.family("tidegate_connections", "gauge", "Open client connections.");
    for one in &report.listeners {
        page.line(&[("listener", &one.name)], &one.open);
    }
    page.family(
        "tidegate_connections_total",
        "counter",
        "Client connections accepted.",
    );
    for one in &report.listeners {
        page.line(&[("listener", &one.name)], &one.accepted);
    }
    page.family(
        "tidegate_requests_total",
        "counter",
        "Requests by what the client was answered; 499: it was gone before.",
    );
    for row in &report.rows {
        for (method, code, count) in &row.codes {
            let labels: [(&str, &dyn Display); 4] = [
                ("listener", &row.listener),
                ("pool", &row.pool),
                ("method", method),
                ("code", code),
            ];
            page.line(&labels, count);
        }
    }
    page.family(
        "tidegate_requests_ended_total",
        "counter",
        "Requests and tunnels by how they ended.",
    );
    for pool in &report.pools {
        for (end, count) in End::ALL.into_iter().zip(pool.ends) {
            page.line(&[("pool", &pool.name), ("end", &end.name())], &count);
        }
    }
    page.family(
        "tidegate_tls_handshakes_total",
        "counter",
        "TLS handshakes with backends for requests.",
    );
    for (result, count) in ["ok", "failed"].iter().zip(report.process.handshakes) {
        page.line(&[("side", &"server"), ("result", result)], &count);
    }
    page.family("tidegate_bytes_total", "counter", "Bytes moved.");
    let kinds = [
        ("in", "client"),
        ("out", "client"),
        ("in", "server"),
        ("out", "server"),
    ];
    for ((direction, side), count) in kinds.into_iter().zip(report.process.bytes) {
        page.line(&[("direction", &direction), ("side", &side)], &count);
    }
}

fn states(report: &Report, page: &mut Page) {
    page.per_backend(
        report,
        ("tidegate_backend_up", "gauge", "Whether it gets traffic."),
        |one| u64::from(one.state == State::Up),
    );
    page.family(
        "tidegate_backend_state",
        "gauge",
        "1 for the state that it is in.",
    );
    for (pool, one) in all(report) {
        for state in State::ALL {
            let labels: [(&str, &dyn Display); 3] = [
                ("pool", &pool.name),
                ("backend", &one.id),
                ("state", &state.name()),
            ];
            page.line(&labels, &u8::from(one.state == state));
        }
    }
    page.per_backend(
        report,
        (
            "tidegate_backend_weight",
            "gauge",
            "Its share of the requests.",
        ),
        |one| u64::from(one.weight),
    );
    page.per_backend(
        report,
        ("tidegate_backend_in_flight", "gauge", "Requests on it."),
        |one| one.in_flight,
    );
    page.per_backend(
        report,
        (
            "tidegate_backend_max_conns",
            "gauge",
            "Most requests on it at a time; 0: no bound.",
        ),
        |one| u64::from(one.max_conns.unwrap_or(0)),
    );
    page.per_backend(
        report,
        (
            "tidegate_backend_idle_connections",
            "gauge",
            "Connections kept to it.",
        ),
        |one| one.idle,
    );
}

fn backends(report: &Report, page: &mut Page) {
    page.split(
        report,
        (
            "tidegate_backend_requests_total",
            "counter",
            "Its answers, by class.",
        ),
        "code_class",
        |one| {
            let names = ["1xx", "2xx", "3xx", "4xx", "5xx"];
            names.into_iter().zip(one.codes).collect()
        },
    );
    page.split(
        report,
        (
            "tidegate_backend_connects_total",
            "counter",
            "Attempts to connect to it for requests.",
        ),
        "result",
        |one| vec![("ok", one.connects), ("failed", one.failures)],
    );
    page.per_backend(
        report,
        (
            "tidegate_backend_reuses_total",
            "counter",
            "Requests given to it over kept connections.",
        ),
        |one| one.reuses,
    );
    page.split(
        report,
        (
            "tidegate_backend_retries_total",
            "counter",
            "Requests that were sent again after it had broken off.",
        ),
        "reason",
        |one| vec![("reset", one.retries)],
    );
    page.per_backend(
        report,
        (
            "tidegate_backend_ejections_total",
            "counter",
            "How often live traffic has taken it out.",
        ),
        |_| 0,
    );
}

fn more_of_backends(report: &Report, page: &mut Page) {
    page.split(
        report,
        ("tidegate_backend_probe_total", "counter", "Probes of it."),
        "result",
        |one| vec![("ok", one.probes[0]), ("failed", one.probes[1])],
    );
    page.split(
        report,
        (
            "tidegate_backend_bytes_total",
            "counter",
            "Bytes sent to it (in) and come from it (out).",
        ),
        "direction",
        |one| vec![("in", one.bytes_in), ("out", one.bytes_out)],
    );
}

fn latencies(report: &Report, page: &mut Page) {
    page.family(
        "tidegate_request_duration_seconds",
        "histogram",
        "From the request to the last byte of its answer with the client.",
    );
    for row in &report.rows {
        let labels: [(&str, &dyn Display); 2] = [("listener", &row.listener), ("pool", &row.pool)];
        page.histogram(&labels, &row.latency);
    }
    page.family(
        "tidegate_backend_duration_seconds",
        "histogram",
        "The same, of the answers of a backend.",
    );
    for (pool, one) in all(report) {
        let labels: [(&str, &dyn Display); 2] = [("pool", &pool.name), ("backend", &one.id)];
        page.histogram(&labels, &one.latency);
    }
    page.family(
        "tidegate_backend_probe_duration_seconds",
        "summary",
        "How long probes took.",
    );
    for (pool, one) in all(report) {
        let labels: [(&str, &dyn Display); 2] = [("pool", &pool.name), ("backend", &one.id)];
        page.sum_and_count(&labels, one.probes_took, one.probes.iter().sum());
    }
}
