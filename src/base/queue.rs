//! The run queue: keys in the order in which they came, each at most once.
//!
//! A connection hears of new bytes while it still waits for its turn. Were it queued again for
//! each of them, a busy one would get many shares of a turn and the quiet ones would wait.

use std::collections::VecDeque;

use super::arena::Key;

/// Keys that wait for their turn.
#[derive(Debug, Default)]
pub struct Queue {
    order: VecDeque<Key>,
    /// By index of the key: the generation that waits.
    waiting: Vec<Option<u32>>,
}

impl Queue {
    /// Puts a key at the end, unless it waits already.
    pub fn push(&mut self, key: Key) {
        let index = key.index as usize;
        if index >= self.waiting.len() {
            self.waiting.resize(index + 1, None);
        }
        if self.waiting[index] != Some(key.generation) {
            self.waiting[index] = Some(key.generation);
            self.order.push_back(key);
        }
    }

    /// Takes the first key out.
    pub fn pop(&mut self) -> Option<Key> {
        let key = self.order.pop_front()?;
        if let Some(waiting) = self.waiting.get_mut(key.index as usize)
            && *waiting == Some(key.generation)
        {
            *waiting = None;
        }
        if self.order.is_empty() && self.waiting.len() > WAITING_KEPT_MAX {
            *self = Self::default();
        }
        Some(key)
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// True if none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// An empty queue whose table is larger than this gives the memory back.
const WAITING_KEPT_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const fn key(index: u32, generation: u32) -> Key {
        Key { index, generation }
    }

    #[test]
    fn each_key_waits_once_and_in_order() {
        let mut queue = Queue::default();
        for index in [1, 2, 1, 3, 2, 1] {
            queue.push(key(index, 1));
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.pop(), Some(key(1, 1)));
        queue.push(key(1, 1));
        let rest: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(rest, [key(2, 1), key(3, 1), key(1, 1)]);
    }

    #[test]
    fn a_former_tenant_does_not_keep_the_next_one_out() {
        let mut queue = Queue::default();
        queue.push(key(0, 1));
        queue.push(key(0, 2));
        queue.push(key(0, 2));
        assert_eq!(queue.pop(), Some(key(0, 1)));
        queue.push(key(0, 2));
        assert_eq!(queue.pop(), Some(key(0, 2)));
        assert_eq!(queue.pop(), None);
        queue.push(key(0, 2));
        assert_eq!(queue.len(), 1);
    }
}
