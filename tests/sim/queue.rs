//! What is going to happen: a heap by moment, then by order of planning, so that equal moments
//! do not make two runs differ.
#![allow(dead_code, reason = "each test binary uses its part of the simulator")]

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tidegate::base::arena::Key;
use tidegate::base::time::Moment;

/// Something planned. `to` is the end of the connection that it reaches: 0 connected, 1 accepted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// Bytes that were in flight can be read.
    Arrive { link: Key, to: u8, count: u32 },
    /// The end of the stream arrives.
    Fin { link: Key, to: u8 },
    /// A reset arrives.
    Reset { link: Key, to: u8 },
    /// Nobody hears of the other end any more, and gives the connection up with this error.
    GiveUp { link: Key, to: u8, error: i32 },
    /// A writer that was told to wait may have room again.
    Room { link: Key, to: u8 },
    /// The request for a connection reaches the listener, for the `attempt`th time.
    Syn { link: Key, attempt: u8 },
    /// A connect is decided; 0 is success.
    Verdict { link: Key, error: i32 },
    /// An actor wanted to be called.
    Wake { party: u32 },
    /// The resolver answers.
    Resolve { ticket: u64, name: u32 },
    /// Somebody sends TERM, or QUIT.
    Signal { quit: bool },
}

/// Plans by moment.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Item>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Moment, plan: Plan) {
        self.sequence += 1;
        self.heap.push(Item {
            at,
            sequence: self.sequence,
            plan,
        });
    }

    /// When the next plan is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|item| item.at)
    }

    /// The next plan that is due at `now`, and its moment.
    pub(crate) fn due(&mut self, now: Moment) -> Option<(Moment, Plan)> {
        if self.heap.peek()?.at > now {
            return None;
        }
        self.heap.pop().map(|item| (item.at, item.plan))
    }
}

#[derive(Debug)]
struct Item {
    at: Moment,
    sequence: u64,
    plan: Plan,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    /// The earliest is the greatest: `BinaryHeap` gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}
