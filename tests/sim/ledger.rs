//! What clients and origins know of each other outside the network: which request is which, how
//! often it was executed, and how its bytes must look. Every body is a function of the request's
//! number, so a byte in the wrong place is seen where it arrives.

use std::cell::RefCell;
use std::rc::Rc;

/// The shared book.
pub(crate) type Ledger = Rc<RefCell<Book>>;

/// All requests of a world.
#[derive(Debug, Default)]
pub(crate) struct Book {
    entries: Vec<Entry>,
    /// Whole answers, checked to the last byte.
    pub(crate) answered: u64,
    /// Answers of the proxy's own, by status.
    pub(crate) refused: Vec<(u16, u64)>,
    /// Connections that broke before the answer was whole.
    pub(crate) broken: u64,
    /// Requests executed by each origin.
    pub(crate) executed: Vec<u64>,
}

/// How an answer is to be framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Length,
    Chunked,
    UntilClose,
    NoContent,
    NotModified,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) post: bool,
    pub(crate) head: bool,
    pub(crate) request_bytes: usize,
    pub(crate) response_bytes: usize,
    pub(crate) frame: Frame,
    pub(crate) executions: u32,
}

impl Book {
    /// Enters a request; its number.
    pub(crate) fn enter(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len() - 1
    }

    pub(crate) fn entry(&self, id: usize) -> Entry {
        self.entries[id]
    }

    /// An origin has the whole request.
    ///
    /// # Panics
    /// If a request that must not be repeated was.
    pub(crate) fn execute(&mut self, id: usize, origin: usize) {
        let entry = &mut self.entries[id];
        entry.executions += 1;
        assert!(
            !entry.post || entry.executions == 1,
            "POST {id} was executed {} times",
            entry.executions
        );
        assert!(entry.executions <= 3, "request {id} was executed too often");
        if origin >= self.executed.len() {
            self.executed.resize(origin + 1, 0);
        }
        self.executed[origin] += 1;
    }

    pub(crate) fn refuse(&mut self, status: u16) {
        match self.refused.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.refused.push((status, 1)),
        }
    }

    /// Every request that was asked, whatever became of it.
    pub(crate) fn total(&self) -> u64 {
        self.answered + self.broken + self.refused.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// Byte `at` of the body of request `id`, or of its answer.
pub(crate) const fn byte(id: usize, answer: bool, at: usize) -> u8 {
    let mixed = id
        .wrapping_mul(0x9e37_79b9)
        .wrapping_add(at.wrapping_mul(31));
    let [_, low, ..] = mixed.to_le_bytes();
    let [_, high, ..] = at.to_le_bytes();
    low ^ high ^ if answer { 0xa5 } else { 0 }
}

/// Appends that much of a body.
pub(crate) fn fill(out: &mut Vec<u8>, id: usize, answer: bool, from: usize, count: usize) {
    out.extend((from..from + count).map(|at| byte(id, answer, at)));
}
