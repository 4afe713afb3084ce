//! What the admin interface holds on the loop: nouns only, `desk` acts.

use std::rc::Rc;

use super::figures::Found;
use super::figures::Others;
use super::history::History;
use super::link::Link;
use crate::admin::Access;
use crate::admin::Command;
use crate::admin::Conversation;
use crate::admin::Whom;
use crate::admin::metrics;
use crate::base::Socket;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::config::Address;
use crate::peers::PeerId;

/// What an admin interface is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where it listens.
    pub address: Address,
    /// What requests have to bring along, if anything.
    pub token: Option<String>,
}

/// The admin interface.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) socket: Socket,
    pub(super) ready: bool,
    /// When accepting is tried again after it failed.
    pub(super) retry: Option<Moment>,
    pub(super) access: Rc<Access>,
    /// Its connections, the oldest first.
    pub(super) desks: Vec<Key>,
    /// What became of the servers.
    pub(super) history: History,
    /// Who waits for a server to be idle or gone, or for a reload.
    pub(super) waiting: Vec<Key>,
    /// Who listens to events.
    pub(super) streams: Vec<Key>,
    /// When they hear of everything next.
    pub(super) tick: Moment,
    /// What the other loops have counted.
    pub(super) others: Others,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) link: Link,
    pub(super) talk: Conversation,
    pub(super) patience: Option<Patience>,
}

/// What an answer waits for.
#[derive(Debug)]
pub(super) enum Patience {
    /// Nothing is under way on that server.
    Idle(Vigil),
    /// That server is gone.
    Gone(Vigil),
    /// The configuration is read anew for that time.
    Reload(u64),
    /// The other loops have said what they have counted.
    Figures(Box<View>),
    /// The page is written.
    Page(Box<metrics::Draft>),
}

/// Somebody waits for a server, in all loops.
#[derive(Debug)]
pub(super) struct Vigil {
    pub(super) id: PeerId,
    /// The same server for loops that know it under another key.
    pub(super) whom: Whom,
    /// The first question after the change: older answers say nothing.
    pub(super) ticket: u64,
    /// So long at most.
    pub(super) until: Moment,
}

/// Somebody wants to see what all loops have counted.
#[derive(Debug)]
pub(super) struct View {
    pub(super) command: Command,
    /// The question.
    pub(super) ticket: u64,
    /// So long at most.
    pub(super) until: Moment,
    /// What they have said so far.
    pub(super) found: Found,
}

/// How far reading is.
#[derive(Debug)]
pub(super) struct Reading {
    /// How many were begun.
    pub(super) begun: u64,
    /// Whether the last one that was begun is over.
    pub(super) state: State,
    /// Whether what was read last was good.
    pub(super) good: bool,
    /// When a configuration came into effect last.
    pub(super) since: Moment,
}

impl Reading {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            begun: 0,
            state: State::Over,
            good: true,
            since: now,
        }
    }
}

/// What a reading is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is being read.
    Over,
    /// It runs.
    Runs,
    /// It runs, and another one is wanted after it.
    Again,
}

impl Office {
    /// When there is something to do that no event announces.
    pub(super) fn due(&self, now: Moment) -> Option<Moment> {
        let accept = self.ready.then(|| self.retry.unwrap_or(now));
        let tick = (!self.streams.is_empty()).then_some(self.tick);
        let others = self.others.due();
        accept.into_iter().chain(tick).chain(others).min()
    }
}
