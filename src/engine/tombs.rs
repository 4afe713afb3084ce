//! What is kept of listeners and pools that were taken out of the configuration.
//!
//! Their positions stay for ever, as sessions and the recorder speak of them. Keys and certificates
//! go at once: nobody is let in, or asked, with them any more. Counters stay for a while, so that
//! whoever reads metrics at leisure sees the last of them and a listener that comes back goes on
//! counting; those of the longest gone go when there are more than [`limits::TOMBS_MAX`], so that a
//! program whose file names everything anew every day does not grow with each day. Reloading calls
//! this.

use std::collections::BTreeSet;

use super::hub::Hub;
use super::plan::Plan;
use super::turn::Engine;
use crate::limits;
use crate::peers::PoolId;

/// Who is gone: listeners or pools, by position.
#[derive(Debug, Default)]
pub(super) struct Tombs {
    /// Those whose counters are kept, longest gone first.
    kept: Vec<usize>,
    forgotten: BTreeSet<usize>,
}

impl Tombs {
    /// Takes down who is gone since, and forgets the first ones of too many, unless something of
    /// theirs still runs.
    fn renew(&mut self, gone: &BTreeSet<usize>, busy: &dyn Fn(usize) -> bool) {
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

impl Engine {
    /// Frees what nobody needs of who is gone.
    pub(super) fn bury(&mut self, plan: &Plan) {
        let hub = &mut self.hub;
        hub.bury_listeners(plan);
        hub.bury_pools();
    }
}

impl Hub {
    fn bury_listeners(&mut self, plan: &Plan) {
        let mut gone = BTreeSet::new();
        for (at, listener) in self.listeners.iter_mut().enumerate() {
            let mut wanted = plan.config.listeners.iter();
            if !wanted.any(|wanted| wanted.name == listener.name) {
                listener.tls = None;
                gone.insert(at);
            }
        }
        let doors = &mut self.books.doors;
        let busy = |at: usize| doors.get(at).is_some_and(|door| door.open > 0);
        self.listeners_gone.renew(&gone, &busy);
        for (at, door) in doors.iter_mut().enumerate() {
            door.forgotten = self.listeners_gone.forgotten.contains(&at);
            if door.forgotten {
                door.rows = Vec::new();
                door.accepted = 0;
            }
        }
    }

    fn bury_pools(&mut self) {
        let mut gone = BTreeSet::new();
        for (at, rules) in self
            .rules
            .iter_mut()
            .enumerate()
            .filter(|(_, one)| one.gone)
        {
            rules.client_tls = None;
            gone.insert(at);
        }
        let busy = |at: usize| self.peers.len(PoolId(at)) > 0;
        self.pools_gone.renew(&gone, &busy);
        for at in &self.pools_gone.forgotten {
            for door in &mut self.books.doors {
                if let Some(row) = door.rows.get_mut(*at) {
                    *row = None;
                }
            }
        }
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
