//! Things kept for the next borrower, for as long as there are borrowers.
//!
//! A crowd that comes and goes leaves its memory behind. Keeping little of it makes the next crowd
//! pay, keeping all of it holds memory that nobody uses. So what was not needed for a while is let
//! go, and only that.

use super::time::Moment;
use super::time::Span;

/// A stack of things that remembers how many of them were not needed.
#[derive(Debug)]
pub struct Spare<T> {
    kept: Vec<T>,
    kept_max: usize,
    /// The fewest that were here since `tidied`: so many were not needed.
    fewest: usize,
    tidied: Moment,
}

impl<T> Spare<T> {
    /// Keeps at most so many.
    #[must_use]
    pub const fn new(kept_max: usize) -> Self {
        Self {
            kept: Vec::new(),
            kept_max,
            fewest: 0,
            tidied: Moment(0),
        }
    }

    /// Takes the one that came last, whose memory is the warmest.
    pub fn pop(&mut self) -> Option<T> {
        let popped = self.kept.pop();
        self.fewest = self.fewest.min(self.kept.len());
        popped
    }

    /// Keeps one, unless there are enough.
    pub fn push(&mut self, thing: T) {
        if self.kept.len() < self.kept_max {
            self.kept.push(thing);
        }
    }

    /// Lets go of what nobody needed for [`PERIOD`]. To be called whenever time has passed.
    pub fn tidy(&mut self, now: Moment) {
        if now.since(self.tidied) < PERIOD {
            return;
        }
        self.tidied = now;
        // The oldest lie at the bottom.
        self.kept.drain(..self.fewest);
        self.fewest = self.kept.len();
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// For how long a thing has to be of no use.
pub const PERIOD: Span = Span::seconds(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_goes_and_nothing_else() {
        let mut spare = Spare::new(4);
        (0..6).for_each(|number| spare.push(number));
        assert_eq!(spare.len(), 4);
        let after = |periods: u64| Moment(0) + Span(PERIOD.0 * periods);
        // The first look only begins to count.
        spare.tidy(after(1));
        assert_eq!(spare.len(), 4);
        let (last, before) = (spare.pop().unwrap(), spare.pop().unwrap());
        assert_eq!((last, before), (3, 2));
        spare.push(before);
        spare.push(last);
        spare.tidy(Moment(after(2).0 - 1));
        assert_eq!(spare.len(), 4);
        spare.tidy(after(2));
        // Two were needed at a time: two are left.
        assert_eq!(spare.pop(), Some(3));
        assert_eq!(spare.len(), 1);
        spare.push(3);
        spare.tidy(after(3));
        spare.tidy(after(4));
        assert!(spare.is_empty());
    }
}
