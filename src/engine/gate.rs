//! Keeps a flood of the same trouble from flooding the log: one line per kind and second.

use crate::base::time::Moment;
use crate::base::time::Span;

/// How long one kind of trouble is quiet after a line about it.
const QUIET: Span = Span::seconds(1);

/// Keeps a flood of the same trouble from flooding the log.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Per kind: silent until then, and how many were swallowed since.
    kinds: [(Moment, u64); KINDS],
}

/// Kinds of trouble: answers by status class, cuts, accept trouble, TLS with backends and clients.
const KINDS: usize = 7;

impl Gate {
    /// How many of this kind were swallowed before this one, if it may be said.
    pub(super) fn admit(&mut self, kind: usize, now: Moment) -> Option<u64> {
        let (until, swallowed) = &mut self.kinds[kind];
        if now < *until {
            *swallowed += 1;
            return None;
        }
        *until = now + QUIET;
        Some(std::mem::take(swallowed))
    }
}
