//! Byte windows and the bounded pool that lends them.
//!
//! A connection that waits for its next request needs no memory for bytes. So windows belong to
//! the pool, and a session holds one only while it has bytes or is about to read some.

use super::spare::Spare;
use super::time::Moment;
use crate::limits;

/// A piece of memory, lent by a [`Pool`], and where in it the borrower's bytes are: who holds no
/// window has no bytes, and needs no memory for positions either.
#[derive(Debug)]
pub struct Window(Box<Frame>);

#[derive(Debug)]
struct Frame {
    /// As much of it as was needed so far: most requests are short, and memory that was never
    /// touched is none.
    bytes: Vec<u8>,
    read_bytes: usize,
    /// Lent for a long transfer.
    is_broad: bool,
    marks: Marks,
}

/// Positions in a window. Invariant: `kept <= next <= cut <= end`. What they divide is said by
/// whoever borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// The first byte that is there.
    pub kept: usize,
    /// The first byte that was not written.
    pub next: usize,
    /// The first byte that may not be written.
    pub cut: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl Marks {
    /// No bytes: what comes lands behind the headroom.
    pub const REST: Self = Self {
        kept: limits::WINDOW_HEADROOM_BYTES,
        next: limits::WINDOW_HEADROOM_BYTES,
        cut: limits::WINDOW_HEADROOM_BYTES,
        end: limits::WINDOW_HEADROOM_BYTES,
    };
}

/// What is around that which is read.
const AROUND: usize = limits::WINDOW_HEADROOM_BYTES + limits::WINDOW_TAILROOM_BYTES;

impl Window {
    fn new(is_broad: bool) -> Self {
        let (read_bytes, first) = match is_broad {
            false => (limits::WINDOW_READ_BYTES, limits::WINDOW_FIRST_BYTES),
            true => (limits::BROAD_READ_BYTES, limits::BROAD_READ_BYTES),
        };
        let mut bytes = Vec::with_capacity(AROUND + read_bytes);
        bytes.resize(AROUND + first, 0);
        Self(Box::new(Frame {
            bytes,
            read_bytes,
            is_broad,
            marks: Marks::REST,
        }))
    }

    /// Bytes that it holds of what is read.
    #[must_use]
    pub const fn read_bytes(&self) -> usize {
        self.0.read_bytes
    }

    /// Where what is read has to end for now.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.0.bytes.len() - limits::WINDOW_TAILROOM_BYTES
    }

    /// Makes [`Window::limit`] what it can be at most.
    pub fn unfold(&mut self) {
        self.0.bytes.resize(AROUND + self.0.read_bytes, 0);
    }

    /// Where the bytes are.
    #[must_use]
    pub const fn marks(&self) -> Marks {
        self.0.marks
    }

    /// The same, to be moved.
    pub const fn marks_mut(&mut self) -> &mut Marks {
        &mut self.0.marks
    }

    /// Makes it hold so many bytes of what is read, if it holds fewer; its content stays.
    pub fn widen(&mut self, read_bytes: usize) {
        if read_bytes > self.0.read_bytes {
            self.0.read_bytes = read_bytes;
            self.unfold();
        }
    }

    /// The memory itself, up to [`Window::limit`] and the room behind it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The memory itself, to write into.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0.bytes
    }
}

/// Lends up to a fixed number of windows, and keeps a few of the returned ones for the next
/// borrower. Usual ones are of [`limits::WINDOW_BYTES`]; a few may be broad ones.
#[derive(Debug)]
pub struct Pool {
    spare: Spare<Window>,
    broad: Spare<Window>,
    broad_lent: usize,
    lent: usize,
    lent_max: usize,
}

impl Pool {
    /// A pool that lends at most `lent_max` windows at a time.
    #[must_use]
    pub const fn new(lent_max: usize) -> Self {
        Self {
            spare: Spare::new(limits::WINDOWS_SPARE_MAX),
            broad: Spare::new(limits::BROAD_MAX),
            broad_lent: 0,
            lent: 0,
            lent_max,
        }
    }

    /// Lends at least so many windows at a time from here on, never fewer than before: borrowers
    /// that hold one and wait for another must not wait for each other.
    pub fn grow(&mut self, lent_max: usize) {
        self.lent_max = self.lent_max.max(lent_max);
    }

    /// A window with arbitrary content and marks, or `None` if all are lent: then the borrower
    /// waits, does not read, and TCP holds its peer back.
    pub fn take(&mut self) -> Option<Window> {
        if self.lent == self.lent_max {
            return None;
        }
        self.lent += 1;
        Some(self.spare.pop().unwrap_or_else(|| Window::new(false)))
    }

    /// Takes a window back. One that was widened is not for the next borrower: long heads are
    /// rare.
    pub fn give(&mut self, window: Window) {
        assert!(self.lent > 0, "a window came back that was never lent");
        self.lent -= 1;
        self.keep(window);
    }

    /// A broad window for one whose bytes nobody needs, if there is one to be had.
    pub fn broaden(&mut self, window: Window) -> Window {
        if window.0.is_broad || self.broad_lent == limits::BROAD_MAX {
            return window;
        }
        self.keep(window);
        self.broad_lent += 1;
        self.broad.pop().unwrap_or_else(|| Window::new(true))
    }

    fn keep(&mut self, window: Window) {
        if window.0.is_broad {
            self.broad_lent -= 1;
            self.broad.push(window);
        } else if window.read_bytes() == limits::WINDOW_READ_BYTES {
            self.spare.push(window);
        }
    }

    /// Lets go of windows that nobody has needed for a while.
    pub fn tidy(&mut self, now: Moment) {
        self.spare.tidy(now);
        self.broad.tidy(now);
    }

    /// How many windows are lent now.
    #[must_use]
    pub const fn lent(&self) -> usize {
        self.lent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lends_no_more_than_it_may_and_recovers() {
        let mut pool = Pool::new(2);
        let first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert!(pool.take().is_none());
        pool.give(first);
        assert!(pool.take().is_some());
        pool.give(second);
        assert_eq!(pool.lent(), 1);
        assert_eq!(pool.spare.len(), 1);
    }

    #[test]
    fn a_few_are_broad_for_as_long_as_they_are_lent() {
        let mut pool = Pool::new(limits::BROAD_MAX + 1);
        let mut lent: Vec<Window> = std::iter::repeat_with(|| pool.take().unwrap())
            .take(limits::BROAD_MAX + 1)
            .collect();
        lent = lent
            .into_iter()
            .map(|window| pool.broaden(window))
            .collect();
        let is_broad = |window: &&Window| window.read_bytes() == limits::BROAD_READ_BYTES;
        assert_eq!(lent.iter().filter(is_broad).count(), limits::BROAD_MAX);
        let again = pool.broaden(lent.remove(0));
        assert!(is_broad(&&again));
        pool.give(again);
        assert_eq!(
            (pool.broad.len(), pool.broad_lent),
            (1, limits::BROAD_MAX - 1)
        );
        let next = lent.pop().unwrap();
        assert!(!is_broad(&&next));
        assert!(is_broad(&&pool.broaden(next)));
        assert_eq!(pool.take().unwrap().read_bytes(), limits::WINDOW_READ_BYTES);
    }

    #[test]
    fn a_wide_window_keeps_its_content_and_is_nobody_elses() {
        let mut pool = Pool::new(1);
        let mut window = pool.take().unwrap();
        window.bytes_mut()[7] = 7;
        window.widen(1);
        assert_eq!(window.read_bytes(), limits::WINDOW_READ_BYTES);
        window.widen(limits::REQUEST_HEAD_BYTES_MAX);
        assert_eq!(window.read_bytes(), limits::REQUEST_HEAD_BYTES_MAX);
        assert_eq!(window.bytes()[7], 7);
        pool.give(window);
        assert_eq!((pool.lent(), pool.spare.len()), (0, 0));
        let next = pool.take().unwrap();
        assert_eq!(next.read_bytes(), limits::WINDOW_READ_BYTES);
    }
}
