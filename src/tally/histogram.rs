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
    /// The shortest and the longest.
    extremes: Option<(Span, Span)>,
}

impl Histogram {
    /// One more, of that length.
    pub fn observe(&mut self, span: Span) {
        let at = BOUNDS.iter().position(|bound| span <= *bound);
        self.counts[at.unwrap_or(BOUNDS.len())] += 1;
        self.sum = self.sum.saturating_add(span.0);
        self.reach(span, span);
    }

    fn reach(&mut self, shortest: Span, longest: Span) {
        let (low, high) = self.extremes.unwrap_or((shortest, longest));
        self.extremes = Some((low.min(shortest), high.max(longest)));
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

    /// The longest of them. `None` if there are none.
    #[must_use]
    pub fn longest(&self) -> Option<Span> {
        self.extremes.map(|(_, longest)| longest)
    }

    /// The length that this share, in per cent, does not exceed, as far as the buckets tell: a
    /// straight line inside of one, as Prometheus draws it, but from the shortest to the longest
    /// where the bucket goes beyond those. `None` if there are none.
    #[must_use]
    pub fn quantile(&self, percent: u64) -> Option<Span> {
        let (shortest, longest) = self.extremes?;
        // In hundredths of one.
        let rank = self.count().saturating_mul(percent.min(100));
        let (mut below, mut lower) = (0, Span::ZERO);
        for (at, inside) in self.counts.into_iter().enumerate() {
            let upper = BOUNDS.get(at).copied().unwrap_or(longest);
            if inside > 0 && (below + inside).saturating_mul(100) >= rank {
                let (from, to) = (lower.max(shortest), upper.min(longest));
                let width = Span(to.0.saturating_sub(from.0));
                let part = rank.saturating_sub(below * 100);
                let inside = inside.saturating_mul(100);
                return Some(Span(from.0 + width.scaled(part, inside).0));
            }
            below += inside;
            lower = upper;
        }
        Some(longest)
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
        if let Some((shortest, longest)) = other.extremes {
            self.reach(shortest, longest);
        }
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
    fn years_of_observations_have_a_quantile() {
        let mut histogram = of([Span::millis(5_001), Span::seconds(10)]);
        histogram.counts.fill(u64::MAX / 10_000);
        let half = histogram.quantile(50);
        assert!(
            half.is_some_and(|half| half <= Span::seconds(10)),
            "{half:?}"
        );
        histogram.counts.fill(0);
        histogram.counts[BOUNDS.len() - 1] = u64::MAX / 200;
        let late = histogram.quantile(99);
        assert!(late.is_some_and(|late| late > Span::seconds(9)), "{late:?}");
    }

    fn of(lengths: impl IntoIterator<Item = Span>) -> Histogram {
        let mut histogram = Histogram::default();
        lengths.into_iter().for_each(|span| histogram.observe(span));
        histogram
    }

    #[test]
    fn quantiles_lie_in_the_bucket_that_holds_them() {
        assert_eq!(Histogram::default().quantile(50), None);
        let (short, long) = ([Span::millis(2); 99], Span::seconds(4));
        let histogram = of(short.into_iter().chain([long]));
        let median = histogram.quantile(50).unwrap();
        assert!(
            median > Span::millis(1) && median < Span(2_500_000),
            "{median}"
        );
        assert_eq!(histogram.quantile(100), Some(long));
        assert_eq!(histogram.longest(), Some(long));
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.quantile(50), Some(median));
        assert_eq!(twice.count(), 200);
    }

    #[test]
    fn nothing_is_said_to_take_longer_or_shorter_than_anything_did() {
        for span in [Span(1), Span::seconds(3), Span::seconds(60)] {
            for count in [1, 1_000] {
                let histogram = of(std::iter::repeat_n(span, count));
                assert_eq!(
                    [1, 50, 99].map(|at| histogram.quantile(at)),
                    [Some(span); 3]
                );
            }
        }
        // Beyond all bounds, too.
        let histogram = of([10, 20, 30, 50].map(Span::seconds));
        assert_eq!(histogram.quantile(25), Some(Span::seconds(10)));
        assert_eq!(histogram.quantile(100), Some(Span::seconds(50)));
        let mut sum = of([Span::seconds(3)]);
        sum.add(&Histogram::default());
        sum.add(&of([Span::seconds(4)]));
        assert_eq!(sum.longest(), Some(Span::seconds(4)));
        assert_eq!(sum.quantile(50), Some(Span::millis(3_500)));
    }

    /// As `histogram_quantile` of Prometheus finds it, where the extremes are bounds of buckets.
    #[test]
    fn inside_of_a_bucket_the_line_is_that_of_prometheus() {
        // 1 at 500 us, 10 in (1 s, 2.5 s], 9 in (2.5 s, 5 s], of which one at its end.
        let lengths = std::iter::repeat_n(Span::seconds(2), 10);
        let lengths = lengths.chain(std::iter::repeat_n(Span::seconds(3), 8));
        let histogram = of(lengths.chain([Span(500_000), Span::seconds(5)]));
        // 1 s + 1.5 s * (10 - 1) / 10, 2.5 s + 2.5 s * (18 - 11) / 9, and so on.
        for (percent, expected) in [
            (5, 500_000),
            (50, 2_350_000_000),
            (90, 4_444_444_444),
            (99, 4_944_444_444),
        ] {
            assert_eq!(
                histogram.quantile(percent),
                Some(Span(expected)),
                "{percent}"
            );
        }
    }
}
