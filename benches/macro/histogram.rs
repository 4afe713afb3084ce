//! How often what took how long: 128 steps to every doubling, so that a percentile is off by less
//! than 1 %, in a few kilobytes however long the run.

/// Counts of times by size.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts one, in nanoseconds.
    pub(crate) fn record(&mut self, nanoseconds: u64) {
        let step = step_of(nanoseconds);
        if step >= self.counts.len() {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.total += 1;
    }

    /// What `share` (0 to 1) of the recorded ones do not exceed, in nanoseconds, rounded down to
    /// its step; 0 if none was recorded.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a count of requests"
    )]
    pub(crate) fn percentile(&self, share: f64) -> u64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return least_of(step);
            }
        }
        0
    }
}

fn step_of(value: u64) -> usize {
    let cut = (u64::BITS - value.leading_zeros()).saturating_sub(8);
    usize::try_from(u64::from(cut) * 128 + (value >> cut)).expect("at most 56 * 128 + 255")
}

const fn least_of(step: usize) -> u64 {
    let step = step as u64;
    if step < 256 {
        return step;
    }
    let cut = step / 128 - 1;
    (step - cut * 128) << cut
}
