//! Server connections that wait for their next request, per server, by number.
//!
//! The newest is taken first, so the others grow old and are closed, and a quiet pool shrinks by
//! itself. A connection that was put back in this very turn of the loop has not been looked at by
//! the kernel since; one from an earlier turn has, and nothing was reported against it. So those
//! from earlier turns are preferred, and [`Idle::take`] says which kind it found.

use std::collections::VecDeque;

use super::peer::PeerId;
use crate::base::arena::Key;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;

/// One waiting connection.
#[derive(Clone, Copy, Debug)]
struct Parked {
    connection: Key,
    since: Moment,
    until: Moment,
    turn: u64,
}

/// What [`Idle::take`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which connection.
    pub connection: Key,
    /// True if the kernel has had no chance to report on it since it was put here.
    pub unseen: bool,
}

/// All waiting connections.
#[derive(Debug, Default)]
pub struct Idle {
    /// By index of the peer's key, oldest first: the oldest go first when there is no room, when
    /// their time is over and, as servers count their own time, when the other side ends them.
    peers: Vec<VecDeque<Parked>>,
    count: usize,
    /// No connection has to be closed for its age before this.
    due: Option<Moment>,
}

impl Idle {
    /// Keeps a connection until `until`; up to `most` are kept to that server. The one that has to
    /// make room for it is returned.
    pub fn put(
        &mut self,
        peer: PeerId,
        most: usize,
        connection: Key,
        until: Moment,
        turn: u64,
        now: Moment,
    ) -> Option<Key> {
        if most == 0 {
            return Some(connection);
        }
        let index = peer.0.index as usize;
        if index >= self.peers.len() {
            self.peers.resize_with(index + 1, VecDeque::new);
        }
        let parked = &mut self.peers[index];
        let evicted = (parked.len() >= most)
            .then(|| parked.pop_front())
            .flatten()
            .map(|oldest| oldest.connection);
        parked.push_back(Parked {
            connection,
            since: now,
            until,
            turn,
        });
        self.count += 1 - usize::from(evicted.is_some());
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
        evicted
    }

    /// Takes the newest connection to that server which is not over its time at `now` and was
    /// put here at or after `since_min`.
    pub fn take(
        &mut self,
        peer: PeerId,
        since_min: Moment,
        turn: u64,
        now: Moment,
    ) -> Option<Taken> {
        let index = if planted(Bug::PoolMixesServers) {
            0
        } else {
            peer.0.index as usize
        };
        let parked = self.peers.get_mut(index)?;
        let fit = |entry: &Parked| entry.until > now && entry.since >= since_min;
        let at = parked
            .iter()
            .rposition(|entry| fit(entry) && entry.turn < turn)
            .or_else(|| parked.iter().rposition(fit))?;
        let entry = parked.remove(at)?;
        self.count -= 1;
        Some(Taken {
            connection: entry.connection,
            unseen: entry.turn >= turn,
        })
    }

    /// Strikes a connection that died.
    pub fn forget(&mut self, peer: PeerId, connection: Key) {
        let Some(parked) = self.peers.get_mut(peer.0.index as usize) else {
            return;
        };
        if let Some(at) = parked
            .iter()
            .position(|entry| entry.connection == connection)
        {
            parked.remove(at);
            self.count -= 1;
        }
    }

    /// Takes out the one that has waited longest, whomever it leads to.
    pub fn evict(&mut self) -> Option<Key> {
        let waiting = self.peers.iter_mut().filter(|parked| !parked.is_empty());
        let first = waiting.min_by_key(|parked| parked.front().map(|entry| entry.since))?;
        let entry = first.pop_front()?;
        self.count -= 1;
        Some(entry.connection)
    }

    /// Takes out everything whose time is over.
    pub fn expired(&mut self, now: Moment) -> Vec<Key> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let mut over = Vec::new();
        self.due = None;
        for parked in &mut self.peers {
            parked.retain(|entry| {
                if entry.until <= now {
                    over.push(entry.connection);
                    return false;
                }
                self.due = Some(self.due.map_or(entry.until, |due| due.min(entry.until)));
                true
            });
        }
        self.count -= over.len();
        over
    }

    /// When [`Idle::expired`] is to be asked next.
    #[must_use]
    pub const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Takes out everything that waits for that server.
    pub fn empty(&mut self, peer: PeerId) -> Vec<Key> {
        let Some(parked) = self.peers.get_mut(peer.0.index as usize) else {
            return Vec::new();
        };
        self.count -= parked.len();
        parked.drain(..).map(|entry| entry.connection).collect()
    }

    /// How many wait for that server.
    #[must_use]
    pub fn of(&self, peer: PeerId) -> usize {
        let parked = self.peers.get(peer.0.index as usize);
        parked.map_or(0, VecDeque::len)
    }

    /// How many connections wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// True if none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: PeerId = PeerId(Key {
        index: 0,
        generation: 1,
    });

    fn key(index: u32) -> Key {
        Key {
            index,
            generation: 9,
        }
    }

    fn take(idle: &mut Idle, turn: u64, now: u64) -> Option<(u32, bool)> {
        idle.take(PEER, Moment(0), turn, Moment(now))
            .map(|t| (t.connection.index, t.unseen))
    }

    #[test]
    fn the_newest_of_an_earlier_turn_comes_first() {
        let mut idle = Idle::default();
        for (index, turn) in [(1, 1), (2, 2), (3, 3)] {
            idle.put(PEER, 8, key(index), Moment(100), turn, Moment(0));
        }
        assert_eq!(take(&mut idle, 3, 1), Some((2, false)));
        assert_eq!(take(&mut idle, 3, 1), Some((1, false)));
        assert_eq!(take(&mut idle, 3, 1), Some((3, true)));
        assert_eq!(take(&mut idle, 3, 1), None);
        assert!(idle.is_empty());
    }

    #[test]
    fn the_oldest_makes_room_and_the_aged_go() {
        let mut idle = Idle::default();
        assert_eq!(idle.put(PEER, 2, key(1), Moment(10), 1, Moment(0)), None);
        assert_eq!(idle.put(PEER, 2, key(2), Moment(30), 1, Moment(1)), None);
        assert_eq!(
            idle.put(PEER, 2, key(3), Moment(20), 1, Moment(2)),
            Some(key(1))
        );
        assert_eq!(idle.expired(Moment(5)), []);
        assert_eq!(idle.expired(Moment(20)), [key(3)]);
        assert_eq!(idle.due(), Some(Moment(30)));
        assert_eq!(take(&mut idle, 9, 30), None);
        assert_eq!(idle.expired(Moment(30)), [key(2)]);
        assert_eq!((idle.len(), idle.due()), (0, None));
    }

    #[test]
    fn a_request_that_cannot_be_repeated_gets_no_old_connection() {
        let mut idle = Idle::default();
        idle.put(PEER, 2, key(1), Moment(100), 1, Moment(0));
        assert_eq!(idle.take(PEER, Moment(5), 2, Moment(6)), None);
        assert!(idle.take(PEER, Moment(0), 2, Moment(6)).is_some());
    }

    #[test]
    fn the_dead_are_struck() {
        let mut idle = Idle::default();
        idle.put(PEER, 2, key(1), Moment(100), 1, Moment(0));
        idle.forget(PEER, key(1));
        idle.forget(PEER, key(1));
        assert_eq!(idle.len(), 0);
        idle.put(PEER, 2, key(2), Moment(100), 1, Moment(0));
        assert_eq!(idle.empty(PEER), [key(2)]);
        assert!(idle.is_empty());
    }
}
