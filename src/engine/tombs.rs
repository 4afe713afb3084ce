//! What is kept of listeners and pools that were taken out of the configuration.
//!
//! Their positions stay for ever, as sessions and the recorder speak of them. Keys and certificates
//! go at once: nobody is let in, or asked, with them any more. Counters stay for a while, so that
//! whoever reads metrics at leisure sees the last of them and a listener that comes back goes on
//! counting; those of the longest gone go when there are more than [`limits::TOMBS_MAX`], so that a
//! program whose file names everything anew every day does not grow with each day. `burial`
//! calls this.

use std::collections::BTreeSet;

use crate::limits;

/// Who is gone: listeners or pools, by position.
#[derive(Debug, Default)]
pub(super) struct Tombs {
    /// Those whose counters are kept, longest gone first.
    kept: Vec<usize>,
    pub(super) forgotten: BTreeSet<usize>,
}

impl Tombs {
    /// Takes down who is gone since, and forgets the first ones of too many, unless something of
    /// theirs still runs.
    pub(super) fn renew(&mut self, gone: &BTreeSet<usize>, busy: &dyn Fn(usize) -> bool) {
        self.kept.retain(|at| gone.contains(at));
        self.forgotten.retain(|at| gone.contains(at));
        for at in gone {
            if !self.kept.contains(at) && !self.forgotten.contains(at) {
                self.kept.push(*at);
            }
        }
        let mut surplus = self.kept.len().saturating_sub(limits::TOMBS_MAX);
        let forgotten = &mut self.forgotten;
        self.kept.retain(|at| {
            let goes = surplus > 0 && !busy(*at);
            if goes {
                surplus -= 1;
                forgotten.insert(*at);
            }
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gone_are_forgotten_first_and_come_back_as_new() {
        let mut tombs = Tombs::default();
        let idle = |_: usize| false;
        for last in 0..limits::TOMBS_MAX + 5 {
            tombs.renew(&(0..=last).collect(), &idle);
        }
        assert_eq!(tombs.forgotten, (0..5).collect());
        assert_eq!(tombs.kept, (5..limits::TOMBS_MAX + 5).collect::<Vec<_>>());
        // One is back, another one goes.
        let mut gone: BTreeSet<usize> = (1..limits::TOMBS_MAX + 6).collect();
        tombs.renew(&gone, &|at| at == 5);
        assert_eq!(tombs.forgotten, [1, 2, 3, 4, 6].into());
        gone.insert(0);
        tombs.renew(&gone, &idle);
        assert_eq!(tombs.kept.last(), Some(&0));
        assert_eq!(tombs.forgotten, (1..8).filter(|at| *at != 7).collect());
    }
}
