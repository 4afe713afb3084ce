//! Reports in the text format of Prometheus, version 0.0.4.

mod families;
mod text;

use std::fmt::Display;

use super::report::Report;
use crate::base::time::Span;
use crate::tally::End;
use families::PER_BACKEND;
use text::Page;
use text::seconds;

/// The media type of a page.
pub const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page that is being written, a piece at a time: with thousands of servers it is megabytes long,
/// for whose writing nobody is to wait.
#[derive(Debug)]
pub struct Draft {
    report: Report,
    page: Page,
    /// The family, the pool and the server that are next.
    next: (usize, usize, usize),
}

impl Draft {
    /// A page of that report. What does not grow with the number of servers is written already.
    #[must_use]
    pub fn new(report: Report) -> Self {
        let mut page = Page::default();
        program(&report, &mut page);
        process(&report, &mut page);
        page.single(
            "tidegate_access_log_dropped_total",
            "counter",
            "Lines of the access log that were lost, as they came faster than they were written.",
            &report.process.unlogged,
        );
        traffic(&report, &mut page);
        latencies(&report, &mut page);
        Self {
            report,
            page,
            next: (0, 0, 0),
        }
    }

    /// Writes `most` bytes more, or a few lines more than that. True when the page is whole.
    pub fn write(&mut self, most: usize) -> bool {
        let enough = self.page.text.len().saturating_add(most);
        let (mut family, mut pool, mut server) = self.next;
        while let Some(((name, kind, help), tell)) = PER_BACKEND.get(family) {
            // Whoever goes on here has told of one at least.
            if (pool, server) == (0, 0) {
                self.page.family(name, kind, help);
            }
            while let Some(whole) = self.report.pools.get(pool) {
                for one in whole.backends.iter().skip(server) {
                    self.page
                        .about(&[("pool", &whole.name), ("backend", &one.id)]);
                    tell(&mut self.page, one);
                    server += 1;
                    if self.page.text.len() >= enough {
                        self.next = (family, pool, server);
                        return false;
                    }
                }
                (pool, server) = (pool + 1, 0);
            }
            (family, pool) = (family + 1, 0);
        }
        self.next = (family, 0, 0);
        true
    }

    /// What is written.
    #[must_use]
    pub fn into_text(self) -> String {
        self.page.text
    }
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
    page.histogram(&process.lag);
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

fn latencies(report: &Report, page: &mut Page) {
    page.family(
        "tidegate_request_duration_seconds",
        "histogram",
        "From the request to the last byte of its answer with the client.",
    );
    for row in &report.rows {
        page.about(&[("listener", &row.listener), ("pool", &row.pool)]);
        page.histogram(&row.latency);
    }
}

#[cfg(test)]
mod tests;
