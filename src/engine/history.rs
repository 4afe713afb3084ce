//! What became of the servers: the last changes of their states, with the reasons, for whoever
//! begins to look after they happened. Written and read by `desk`, for the admin interface.

use std::collections::VecDeque;

use crate::admin::report::State;
use crate::base::time::Moment;
use crate::peers::PeerId;

/// A server became something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Who, even if it is gone by now.
    pub(super) peer: PeerId,
    /// When.
    pub(super) since: Moment,
    /// The name of its pool.
    pub(super) pool: String,
    /// Like `app-1`.
    pub(super) id: String,
    /// Its URL.
    pub(super) url: String,
    /// What it became.
    pub(super) state: State,
    /// Why; may be empty.
    pub(super) reason: String,
}

/// The last changes, oldest first.
#[derive(Debug, Default)]
pub(super) struct History(VecDeque<Entry>);

impl History {
    /// Keeps it, unless that server was already that. Whoever was never spoken of was up.
    pub(super) fn note(&mut self, entry: Entry) {
        let before = self.0.iter().rev().find(|other| other.peer == entry.peer);
        let is_known = match before {
            Some(before) => before.state == entry.state,
            None => entry.state == State::Up && self.0.len() < ENTRIES_MAX,
        };
        if is_known {
            return;
        }
        if self.0.len() == ENTRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}

/// How many are kept: some 20 KiB.
const ENTRIES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::arena::Arena;

    #[test]
    fn only_changes_are_kept_and_the_oldest_goes_first() {
        let mut arena = Arena::default();
        let peers = [(); 2].map(|()| PeerId(arena.insert(())));
        let entry = |peer: usize, state, at: usize| Entry {
            peer: peers[peer],
            since: Moment(at as u64),
            pool: "app".to_owned(),
            id: format!("app-{peer}"),
            url: String::new(),
            state,
            reason: String::new(),
        };
        let mut history = History::default();
        history.note(entry(0, State::Up, 1));
        assert_eq!(history.iter().count(), 0, "it was up before");
        history.note(entry(0, State::Down, 2));
        history.note(entry(0, State::Down, 3));
        history.note(entry(1, State::Drain, 4));
        let kept: Vec<Moment> = history.iter().map(|entry| entry.since).collect();
        assert_eq!(kept, [Moment(2), Moment(4)]);
        for at in 0..ENTRIES_MAX {
            let state = [State::Up, State::Down][at % 2];
            history.note(entry(0, state, 5 + at));
        }
        assert_eq!(history.iter().count(), ENTRIES_MAX);
        // What became of the other one is forgotten, so it is not known to be up.
        history.note(entry(1, State::Up, 1_000));
        assert_eq!(history.iter().last().unwrap().since, Moment(1_000));
    }
}
