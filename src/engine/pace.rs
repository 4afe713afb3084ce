//! How long turns of the loop take: whoever becomes ready while one runs waits for its end.
//!
//! The loop reads the clock a second time when a turn is over (a few dozen instructions in user
//! space, no system call) and decides nothing by it. What a turn was made of is noted while it
//! runs, so that a long one can be told of. Called by `turn` and by whatever does more for an
//! operator than for a client.

use crate::base::time::Span;
use crate::tally::Histogram;

/// The lengths of turns, and what the one that runs is made of.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long turns took.
    pub(super) lag: Histogram,
    /// The longest one so far.
    pub(super) longest: Span,
    events: usize,
    runs: usize,
    deeds: usize,
    deed: &'static str,
}

impl Pace {
    /// A turn begins, with so many events.
    pub(super) const fn begin(&mut self, events: usize) {
        self.events = events;
        self.runs = 0;
        self.deeds = 0;
        self.deed = "";
    }

    /// So many have something to do in this turn.
    pub(super) const fn runs(&mut self, count: usize) {
        self.runs = count;
    }

    /// Something other than the share of a connection is done in this turn.
    pub(super) const fn did(&mut self, deed: &'static str) {
        self.deeds += 1;
        self.deed = deed;
    }

    /// The turn is over, and took that long. True if that is worth telling.
    pub(super) fn end(&mut self, took: Span) -> bool {
        self.lag.observe(took);
        self.longest = self.longest.max(took);
        took >= LONG
    }

    /// What the last turn was made of.
    pub(super) fn story(&self) -> String {
        let (events, runs) = (self.events, self.runs);
        let last = match self.deeds {
            0 => String::new(),
            1 => format!(", {}", self.deed),
            deeds => format!(", {deeds} other things, at last {}", self.deed),
        };
        format!("{events} events, {runs} with something to do{last}")
    }
}

/// Turns that take so long are told of, at the level of debug.
const LONG: Span = Span::millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_turn_is_kept_and_told_of_by_what_it_did() {
        let mut pace = Pace::default();
        pace.begin(3);
        pace.runs(2);
        assert!(!pace.end(Span::millis(4)));
        assert_eq!(pace.story(), "3 events, 2 with something to do");
        pace.begin(1);
        pace.did("a change");
        pace.did("a reload");
        assert!(pace.end(Span::millis(5)));
        let story = "1 events, 0 with something to do, 2 other things, at last a reload";
        assert_eq!(pace.story(), story);
        pace.begin(0);
        pace.did("a look");
        assert!(!pace.end(Span(10)));
        assert_eq!(pace.story(), "0 events, 0 with something to do, a look");
        assert_eq!(pace.longest, Span::millis(5));
        assert_eq!(pace.lag.count(), 3);
        assert_eq!(pace.lag.sum(), Span(9_000_010));
    }
}
