//! Frees what listeners and pools that were taken out of the configuration leave behind; what is
//! kept of them, and for how long, is said in `tombs`. Reloading calls this.

use std::collections::BTreeSet;

use super::hub::Hub;
use super::plan::Plan;
use crate::peers::PoolId;

impl Hub {
    /// Frees what nobody needs of who is gone.
    pub(super) fn bury(&mut self, plan: &Plan) {
        self.bury_listeners(plan);
        self.bury_pools();
    }

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
