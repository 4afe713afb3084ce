//! The last troubles that clients met, for whoever looks into a running engine: the log says them
//! once per kind and second, this keeps each. Written by `chronicle`, read by tests and reports.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::base::time::Moment;
use crate::session::Incident;
use crate::session::Outcome;

/// One client's trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// When.
    pub at: Moment,
    /// Whose.
    pub client: SocketAddr,
    /// What.
    pub what: What,
}

/// What a client met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An answer of tidegate's own, or one that was cut.
    Incident(Incident),
    /// The end of its connection, where that was not in order.
    Ended(Outcome),
}

/// The last few of them, oldest first.
#[derive(Debug)]
pub(super) struct Recent(VecDeque<Trouble>);

impl Recent {
    pub(super) fn note(&mut self, trouble: Trouble) {
        if self.0.len() == TROUBLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(trouble);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Trouble> {
        self.0.iter()
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self(VecDeque::with_capacity(TROUBLES_MAX))
    }
}

/// How many are kept: enough for a person to see what is wrong now.
const TROUBLES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let mut recent = Recent::default();
        let last = TROUBLES_MAX as u64 + 2;
        for at in 0..=last {
            recent.note(Trouble {
                at: Moment(at),
                client: SocketAddr::from(([127, 0, 0, 1], 1)),
                what: What::Ended(Outcome::ClientGone),
            });
        }
        let kept: Vec<u64> = recent.iter().map(|trouble| trouble.at.0).collect();
        assert_eq!(kept, (3..=last).collect::<Vec<_>>());
    }
}
