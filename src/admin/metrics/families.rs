//! What is told of every server: one family each, in the order of the page.
//!
//! Called by [`super`] alone, which goes through it a server at a time: pools may have thousands.

use super::text::Family;
use super::text::Page;
use crate::admin::report::Backend;
use crate::admin::report::State;

/// A family, and what it says of one server.
pub(super) type PerBackend = (Family, fn(&mut Page, &Backend));

/// All of them.
pub(super) const PER_BACKEND: &[PerBackend] = &[
    (
        ("tidegate_backend_up", "gauge", "Whether it gets traffic."),
        |page, one| page.plain(&u8::from(one.state == State::Up)),
    ),
    (
        (
            "tidegate_backend_state",
            "gauge",
            "1 for the state that it is in.",
        ),
        |page, one| {
            for state in State::ALL {
                page.split("state", state.name(), &u8::from(one.state == state));
            }
        },
    ),
    (
        (
            "tidegate_backend_weight",
            "gauge",
            "Its share of the requests.",
        ),
        |page, one| page.plain(&one.weight),
    ),
    (
        ("tidegate_backend_in_flight", "gauge", "Requests on it."),
        |page, one| page.plain(&one.in_flight),
    ),
    (
        (
            "tidegate_backend_max_conns",
            "gauge",
            "Most requests on it at a time; 0: no bound.",
        ),
        |page, one| page.plain(&one.max_conns.unwrap_or(0)),
    ),
    (
        (
            "tidegate_backend_idle_connections",
            "gauge",
            "Connections kept to it.",
        ),
        |page, one| page.plain(&one.idle),
    ),
    (
        (
            "tidegate_backend_requests_total",
            "counter",
            "Its answers, by class.",
        ),
        |page, one| {
            for (name, count) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(one.codes) {
                page.split("code_class", name, &count);
            }
        },
    ),
    (
        (
            "tidegate_backend_connects_total",
            "counter",
            "Attempts to connect to it for requests.",
        ),
        |page, one| results(page, one.connects, one.failures),
    ),
    (
        (
            "tidegate_backend_reuses_total",
            "counter",
            "Requests given to it over kept connections.",
        ),
        |page, one| page.plain(&one.reuses),
    ),
    (
        (
            "tidegate_backend_retries_total",
            "counter",
            "Requests that were sent again after it had broken off.",
        ),
        |page, one| page.split("reason", "reset", &one.retries),
    ),
    (
        (
            "tidegate_backend_ejections_total",
            "counter",
            "How often live traffic has taken it out.",
        ),
        |page, _| page.plain(&0),
    ),
    (
        ("tidegate_backend_probe_total", "counter", "Probes of it."),
        |page, one| results(page, one.probes[0], one.probes[1]),
    ),
    (
        (
            "tidegate_backend_bytes_total",
            "counter",
            "Bytes sent to it (in) and come from it (out).",
        ),
        |page, one| {
            page.split("direction", "in", &one.bytes_in);
            page.split("direction", "out", &one.bytes_out);
        },
    ),
    (
        (
            "tidegate_backend_duration_seconds",
            "histogram",
            "From the request to the last byte of its answer with the client, of its answers.",
        ),
        |page, one| page.histogram(&one.latency),
    ),
    (
        (
            "tidegate_backend_probe_duration_seconds",
            "summary",
            "How long probes took.",
        ),
        |page, one| page.sum_and_count(one.probes_took, one.probes.iter().sum()),
    ),
];

fn results(page: &mut Page, ok: u64, failed: u64) {
    page.split("result", "ok", &ok);
    page.split("result", "failed", &failed);
}
