//! Deadlines by key: at most one per key, lazily corrected.
//!
//! A connection's deadline moves with almost every turn, nearly always later. So moving later
//! costs nothing here: the entry in the heap stays where it is, and when it comes up its owner is
//! asked again ([`Timers::expired`] hands out the key, the owner re-arms). Moving earlier pushes
//! a second entry; the older one is recognised as stale when it comes up. Stale entries never
//! outnumber the live ones by more than two to one, or the heap is rebuilt.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::arena::Key;
use super::planted::Bug;
use super::planted::planted;
use super::time::Moment;

/// Below this length the heap is not worth rebuilding.
const REBUILD_MIN: usize = 256;

/// A queue of deadlines.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Moment, Key)>>,
    /// By index of the key: whose entry counts, and when it comes up.
    armed: Vec<Option<(u32, Moment)>>,
    live: usize,
}

impl Timers {
    /// Sees to it that `key` comes out of [`Timers::expired`] at `at` or before.
    pub fn arm(&mut self, key: Key, at: Moment) {
        let index = key.index as usize;
        if index >= self.armed.len() {
            self.armed.resize(index + 1, None);
        }
        match self.armed[index] {
            Some((generation, armed)) if generation == key.generation => {
                if armed <= at || planted(Bug::DeadlineNotRearmed) {
                    return;
                }
            }
            Some(_) => {}
            None => self.live += 1,
        }
        self.armed[index] = Some((key.generation, at));
        self.heap.push(Reverse((at, key)));
        self.rebuild_if_stale();
    }

    /// Forgets the deadline of `key`.
    pub fn disarm(&mut self, key: Key) {
        let Some(slot) = self.armed.get_mut(key.index as usize) else {
            return;
        };
        if slot.is_some_and(|(generation, _)| generation == key.generation) {
            *slot = None;
            self.live -= 1;
            if self.live == 0 {
                *self = Self::default();
            }
        }
    }

    /// When the next deadline comes up; never later than the true one.
    pub fn earliest(&mut self) -> Option<Moment> {
        while let Some(Reverse((at, key))) = self.heap.peek() {
            if self.counts(*key, *at) {
                return Some(*at);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes out one key whose deadline is at or before `now`. Call until `None`.
    pub fn expired(&mut self, now: Moment) -> Option<Key> {
        while let Some(Reverse((at, key))) = self.heap.peek().copied() {
            if at > now {
                return None;
            }
            self.heap.pop();
            if self.counts(key, at) {
                self.armed[key.index as usize] = None;
                self.live -= 1;
                return Some(key);
            }
        }
        None
    }

    /// How many keys have a deadline.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// True if no key has a deadline.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// When `key` comes up next, if it is armed.
    #[must_use]
    pub fn armed(&self, key: Key) -> Option<Moment> {
        let (generation, at) = (*self.armed.get(key.index as usize)?)?;
        (generation == key.generation).then_some(at)
    }

    fn counts(&self, key: Key, at: Moment) -> bool {
        self.armed(key) == Some(at)
    }

    fn rebuild_if_stale(&mut self) {
        if self.heap.len() < REBUILD_MIN || self.heap.len() <= 3 * self.live {
            return;
        }
        let mut entries = std::mem::take(&mut self.heap).into_vec();
        entries.retain(|Reverse((at, key))| self.counts(*key, *at));
        entries.dedup();
        self.heap = entries.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn key(index: u32, generation: u32) -> Key {
        Key { index, generation }
    }

    #[test]
    fn comes_out_in_order_and_once() {
        let mut timers = Timers::default();
        timers.arm(key(0, 1), Moment(30));
        timers.arm(key(1, 1), Moment(10));
        timers.arm(key(2, 1), Moment(20));
        timers.arm(key(0, 1), Moment(5));
        assert_eq!(timers.earliest(), Some(Moment(5)));
        assert_eq!(timers.expired(Moment(15)), Some(key(0, 1)));
        assert_eq!(timers.expired(Moment(15)), Some(key(1, 1)));
        assert_eq!(timers.expired(Moment(15)), None);
        assert_eq!(timers.expired(Moment(99)), Some(key(2, 1)));
        assert_eq!(timers.expired(Moment(99)), None);
        assert!(timers.is_empty());
    }

    #[test]
    fn the_deadline_of_a_former_tenant_does_not_fire() {
        let mut timers = Timers::default();
        timers.arm(key(0, 1), Moment(10));
        timers.disarm(key(0, 1));
        timers.arm(key(0, 2), Moment(50));
        assert_eq!(timers.expired(Moment(20)), None);
        assert_eq!(timers.earliest(), Some(Moment(50)));
    }

    #[test]
    fn agrees_with_a_slow_model_and_stays_small() {
        let mut random = Random::new(3);
        let mut timers = Timers::default();
        let mut model = [None::<Moment>; 32];
        let mut now = Moment(0);
        for _ in 0..20_000 {
            let index = random.below(32);
            let which = key(u32::try_from(index).unwrap(), 1);
            let slot = &mut model[usize::try_from(index).unwrap()];
            match random.below(4) {
                0 => {
                    timers.disarm(which);
                    *slot = None;
                }
                1 => {
                    now.0 += random.below(20);
                    while let Some(out) = timers.expired(now) {
                        let due = model[out.index as usize].take();
                        assert!(due.is_some_and(|due| due <= now), "{out:?} at {now:?}");
                    }
                    assert!(model.iter().flatten().all(|due| *due > now));
                }
                _ => {
                    let at = Moment(now.0 + random.below(500));
                    timers.arm(which, at);
                    *slot = Some(slot.map_or(at, |old| old.min(at)));
                }
            }
            assert_eq!(timers.len(), model.iter().flatten().count());
            assert!(timers.heap.len() <= REBUILD_MIN.max(3 * timers.live + 1));
        }
    }
}
