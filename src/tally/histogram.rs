//! How long something took, as counts in fixed buckets: an increment is a few comparisons and no
//! memory, and a reader can add up those of several loops.

use crate::base::time::Span;

/// Upper bounds of the buckets; what is longer than the last one goes beyond all of them.
pub const BOUNDS: [Span; 14] = [
    Span(500_000),
    Span::millis(1),
    Span(2_500_000),
    Span::millis(5),
    Span::millis(10),
    Span::millis(25),
    Span::millis(50),
    Span::millis(100),
    Span::millis(250),
    Span::millis(500),
    Span::seconds(1),
    Span(2_500_000_000),
    Span::seconds(5),
    Span::seconds(10),
];

/// Durations, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
    sum: u64,
}

impl Histogram {
    /// One more, of that length.
    pub fn observe(&mut self, span: Span) {
        let at = BOUNDS.iter().position(|bound| span <= *bound);
        self.counts[at.unwrap_or(BOUNDS.len())] += 1;
        self.sum = self.sum.saturating_add(span.0);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub const fn sum(&self) -> Span {
        Span(self.sum)
    }

    /// How many are no longer than each of [`BOUNDS`].
    pub fn cumulated(&self) -> impl Iterator<Item = (Span, u64)> {
        let mut sum = 0;
        BOUNDS.iter().zip(&self.counts).map(move |(bound, count)| {
            sum += count;
            (*bound, sum)
        })
    }

    /// The length that this share, in per cent, does not exceed, as far as the buckets tell: a
    /// straight line inside of one. `None` if there are none.
    #[must_use]
    pub fn quantile(&self, percent: u64) -> Option<Span> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = count.saturating_mul(percent.min(100)).div_ceil(100).max(1);
        let (mut below, mut lower) = (0, Span::ZERO);
        for (bound, inside) in BOUNDS.iter().zip(self.counts) {
            if below + inside >= rank {
                let width = Span(bound.0 - lower.0);
                return Some(Span(lower.0 + width.scaled(rank - below, inside.max(1)).0));
            }
            below += inside;
            lower = *bound;
        }
        Some(lower)
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_belong_to_their_bucket_and_the_rest_is_beyond() {
        let mut histogram = Histogram::default();
        for span in [Span(0), Span(500_000), Span(500_001), Span::seconds(11)] {
            histogram.observe(span);
        }
        let cumulated: Vec<u64> = histogram.cumulated().map(|(_, count)| count).collect();
        assert_eq!(cumulated[..3], [2, 3, 3]);
        assert_eq!(cumulated.last(), Some(&3));
        assert_eq!(histogram.count(), 4);
        assert_eq!(histogram.sum(), Span(11_001_000_001));
    }

    #[test]
    fn quantiles_lie_in_the_bucket_that_holds_them() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(50), None);
        for _ in 0..99 {
            histogram.observe(Span::millis(2));
        }
        histogram.observe(Span::seconds(4));
        let median = histogram.quantile(50).unwrap();
        assert!(
            median > Span::millis(1) && median < Span(2_500_000),
            "{median}"
        );
        let last = histogram.quantile(100).unwrap();
        assert_eq!(last, Span::seconds(5));
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.quantile(50), Some(median));
        assert_eq!(twice.count(), 200);
    }
}
