//! What the admin interface shows of the recorder.

use super::entry;
use crate::admin::Document;
use crate::admin::Filter;
use crate::admin::Sight;
use crate::admin::json;
use crate::engine::kernel::Kernel;
use crate::engine::turn::Engine;

impl Engine {
    /// The last requests that `filter` admits, the newest first, as JSON, each with its end in
    /// nanoseconds since 1970.
    pub(in crate::engine) fn requests(
        &self,
        filter: &Filter,
        kernel: &dyn Kernel,
    ) -> Vec<(u64, Vec<u8>)> {
        let hub = &self.hub;
        let (now, unix) = (kernel.now(), kernel.unix_time());
        let mut list = Vec::new();
        for flight in hub.journal.recorder.iter() {
            let facts = &flight.facts;
            let ended = unix.saturating_sub(now.since(facts.ended).0);
            let entry = entry(facts, flight.words(), hub, ended);
            let sight = Sight {
                pool: entry.pool,
                backend: facts.backend,
                status: facts.status,
                end: facts.end,
                letters: facts.verdict.letters(),
                client: facts.client,
            };
            if !filter.admits(&sight) {
                continue;
            }
            let mut text = Vec::new();
            entry.json(&mut text);
            list.push((ended, text));
            if list.len() == filter.limit {
                break;
            }
        }
        list
    }

    /// The last changes of state, the newest first.
    pub(in crate::engine) fn changes(&self, most: usize, kernel: &dyn Kernel) -> Document {
        let (now, unix) = (kernel.now(), kernel.unix_time());
        let events = self.hub.journal.events.iter().take(most);
        json::changes(events.map(|(at, text)| {
            let at = unix.saturating_sub(now.since(*at).0);
            (at, text.as_str())
        }))
    }

    /// How many records there have been: one for each request, one for each connection of tcp mode.
    #[must_use]
    pub const fn recorded(&self) -> u64 {
        self.hub.journal.recorder.count()
    }
}
