//! How often what took how long, in a few kilobytes however long the run: 64 steps to every
//! doubling, so that a percentile is off by less than 2 %.

use crate::base::time::Span;

/// Counts of spans by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::app) struct Histogram {
    /// By [`step_of`].
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one.
    pub(super) fn record(&mut self, span: Span) {
        let step = step_of(span.0 / 1_000);
        if step >= self.counts.len() {
            self.counts.resize(step + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(step) {
            *count += 1;
        }
        self.total += 1;
    }

    /// The span that `share` per cent of the recorded ones do not exceed, rounded down to its
    /// step; zero if none was recorded.
    pub(in crate::app) fn percentile(&self, share: u64) -> Span {
        let wanted = self
            .total
            .saturating_mul(share.min(100))
            .div_ceil(100)
            .max(1);
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Span(least_of(step).saturating_mul(1_000));
            }
        }
        Span::ZERO
    }
}

/// The step of a number of microseconds: the number itself below 128, then its seven highest bits
/// and how many were cut off.
fn step_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let cut = bits.saturating_sub(7);
    // At most 57 * 64 + 127.
    usize::try_from(u64::from(cut) * 64 + (value >> cut)).unwrap_or(0)
}

/// The least number of a step.
const fn least_of(step: usize) -> u64 {
    let step = step as u64;
    if step < 128 {
        return step;
    }
    let cut = step / 64 - 1;
    (step - cut * 64) << cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_dense_monotonic_and_fine() {
        for step in 0..3_776 {
            assert_eq!(step_of(least_of(step)), step);
        }
        assert_eq!(step_of(u64::MAX), 57 * 64 + 127);
        for value in [129, 1_000, 123_456, 10_000_000] {
            let least = least_of(step_of(value));
            assert!(least <= value && value - least < value / 50, "{value}");
        }
    }

    #[test]
    fn percentiles_of_a_known_crowd() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), Span::ZERO);
        for count in 1..=100 {
            histogram.record(Span(count * 1_000));
        }
        assert_eq!(histogram.percentile(50), Span(50_000));
        assert_eq!(histogram.percentile(99), Span(99_000));
        assert_eq!(histogram.percentile(100), Span(100_000));
        assert_eq!(histogram.percentile(0), Span(1_000));
    }
}
