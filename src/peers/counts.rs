//! What has happened on one server, as plain numbers.

use crate::base::Fault;
use crate::base::time::Span;
use crate::tally::Histogram;

/// What has happened on one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Its answers by the first digit of their status, less one.
    pub codes: [u64; 5],
    /// Bytes sent to it.
    pub bytes_in: u64,
    /// Bytes that came from it.
    pub bytes_out: u64,
    /// Connections that came about for requests.
    pub connects: u64,
    /// Requests given to it over kept connections.
    pub reuses: u64,
    /// Requests that were sent again after it had broken off: to it or to another one.
    pub retries: u64,
    /// Probes that it passed.
    pub probes_passed: u64,
    /// Probes that it failed.
    pub probes_failed: u64,
    /// What the last probe said, and how long it took.
    pub probe: Option<(Result<(), Fault>, Span)>,
    /// Lengths of all probes together.
    pub probes_took: Span,
    /// From the request to the last byte of its answer with the client.
    pub latency: Histogram,
}

impl Counts {
    /// It answered with that status; the client had all of it after `took`.
    pub fn answered(&mut self, status: u16, took: Span) {
        if let Some(count) = self
            .codes
            .get_mut(usize::from(status / 100).wrapping_sub(1))
        {
            *count += 1;
        }
        self.latency.observe(took);
    }

    /// A probe came to that.
    pub const fn probed(&mut self, result: Result<(), Fault>, took: Span) {
        match result {
            Ok(()) => self.probes_passed += 1,
            Err(_) => self.probes_failed += 1,
        }
        self.probe = Some((result, took));
        self.probes_took = Span(self.probes_took.0.saturating_add(took.0));
    }
}
