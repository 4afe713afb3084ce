//! A slab whose keys know which tenant they were given for.
//!
//! An event loop hears of a socket after it was closed: the event was already in the batch, and
//! the index may belong to someone else by now. A bare index would reach the new tenant; a key
//! carries a generation too, so a stale one finds nothing (HAProxy keeps the same pair in its
//! epoll word). Generations count insertions over the whole arena, not per index: the arena may
//! give its memory back when it is empty without making old keys valid again.

use slab::Slab;

use super::planted::Bug;
use super::planted::planted;

/// Index and generation. Packs into 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Position in the arena.
    pub index: u32,
    /// Which insertion this key was issued for; wraps after 2^32 of them.
    pub generation: u32,
}

impl Key {
    /// Generation in the high half, index in the low.
    #[must_use]
    pub const fn pack(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }

    /// The reverse of [`Key::pack`].
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are cut on purpose"
    )]
    pub const fn unpack(word: u64) -> Self {
        Self {
            index: word as u32,
            generation: (word >> 32) as u32,
        }
    }
}

/// Values under keys that go stale.
#[derive(Debug)]
pub struct Arena<T> {
    entries: Slab<(u32, T)>,
    generation: u32,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            generation: 0,
        }
    }
}

impl<T> Arena<T> {
    /// Stores `value` and says under which key.
    ///
    /// # Panics
    /// With 2^32 values at once, which descriptor limits exclude.
    pub fn insert(&mut self, value: T) -> Key {
        self.generation = self.generation.wrapping_add(1);
        let index = self.entries.insert((self.generation, value));
        let index = u32::try_from(index).expect("fewer than 2^32 live values");
        Key {
            index,
            generation: self.generation,
        }
    }

    /// The value under `key`, unless it has gone.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&T> {
        let (generation, value) = self.entries.get(key.index as usize)?;
        (*generation == key.generation || planted(Bug::StaleKeyAccepted)).then_some(value)
    }

    /// The value under `key`, to change, unless it has gone.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, value) = self.entries.get_mut(key.index as usize)?;
        (*generation == key.generation || planted(Bug::StaleKeyAccepted)).then_some(value)
    }

    /// Takes the value out; the key is stale from here on. An arena that becomes empty after a
    /// crowd gives its memory back.
    pub fn remove(&mut self, key: Key) -> Option<T> {
        self.get(key)?;
        let (_, value) = self.entries.remove(key.index as usize);
        if self.entries.is_empty() && self.entries.capacity() > 64 {
            self.entries = Slab::new();
        }
        Some(value)
    }

    /// How many values are stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All keys and values, by index.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.entries.iter().map(|(index, (generation, value))| {
            (
                Key {
                    index: u32::try_from(index).unwrap_or(u32::MAX),
                    generation: *generation,
                },
                value,
            )
        })
    }

    /// All keys, by index, as they are now.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        self.iter().map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing_although_its_index_is_taken_again() {
        let mut arena = Arena::default();
        let first = arena.insert("first");
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert("second");
        assert_eq!(first.index, second.index);
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
    }

    #[test]
    fn keys_stay_stale_after_the_memory_was_given_back() {
        let mut arena = Arena::default();
        let keys: Vec<Key> = (0..100).map(|n| arena.insert(n)).collect();
        for key in &keys {
            arena.remove(*key);
        }
        arena.insert(7);
        assert!(keys.iter().all(|key| arena.get(*key).is_none()));
    }

    #[test]
    fn packing_is_its_own_reverse() {
        let key = Key {
            index: 0xdead_beef,
            generation: 0x1234_5678,
        };
        assert_eq!(Key::unpack(key.pack()), key);
    }
}
