//! One direction of a session: bytes that came from a source and go to a target.
//!
//! Client to server and server to client are the same code. A half owns positions in one window
//! and knows nothing of what the bytes mean:
//!
//! ```text
//! 0 ……… kept ……… next ……… cut ……… end ……… capacity
//!   free   | written, | may be  | read, not  | free
//!          | kept for | written | yet judged |
//!          | a retry  |         |            |
//! ```
//!
//! What is read lands behind [`limits::WINDOW_HEADROOM_BYTES`] free bytes, so that a head that
//! grows when it is rewritten still fits in front of the body that was read with it.

use crate::base::buffer::Window;
use crate::limits;

/// Where reading starts in an empty window.
const START: usize = limits::WINDOW_HEADROOM_BYTES;

/// One direction. Invariant: `kept <= next <= cut <= end <= capacity`, all [`START`] when empty
/// of bytes.
#[derive(Debug, Default)]
pub struct Half {
    window: Option<Window>,
    kept: usize,
    next: usize,
    cut: usize,
    end: usize,
    /// Bytes behind all others that are in a pipe and not in the window.
    piped: usize,
    /// How many reads in a row took all there was room for.
    streak: u8,
    /// The source has said that nothing more comes.
    pub source_ended: bool,
    /// The target was told so.
    pub target_finished: bool,
}

impl Half {
    /// True if there is memory to read into.
    #[must_use]
    pub const fn has_window(&self) -> bool {
        self.window.is_some()
    }

    /// Gives the half its memory.
    pub fn lend(&mut self, window: Window) {
        assert!(self.window.is_none(), "a half holds one window at a time");
        self.window = Some(window);
        self.rest();
    }

    /// Takes the memory back, if no byte in it is needed.
    pub fn reclaim(&mut self) -> Option<Window> {
        (self.kept == self.end)
            .then(|| self.window.take())
            .flatten()
    }

    /// Takes the memory back whatever is in it.
    pub fn surrender(&mut self) -> Option<Window> {
        self.clear();
        self.window.take()
    }

    /// How many bytes could be read now. A half without a window has room for one window.
    #[must_use]
    pub fn room(&self) -> usize {
        self.read_bytes().saturating_sub(self.end - self.kept)
    }

    /// Makes room for so many bytes in all, if there is a window and it holds fewer: a head may be
    /// longer than what windows usually hold.
    pub fn widen(&mut self, read_bytes: usize) {
        if let Some(window) = &mut self.window {
            window.widen(read_bytes);
        }
    }

    /// How many bytes the window holds, or would hold.
    fn read_bytes(&self) -> usize {
        self.window
            .as_ref()
            .map_or(limits::WINDOW_READ_BYTES, Window::read_bytes)
    }

    /// The free memory to read into; moves the bytes to the front first if they stand at the end.
    /// Empty without a window.
    pub fn space(&mut self) -> &mut [u8] {
        let limit = START + self.read_bytes();
        let Some(window) = &mut self.window else {
            return &mut [];
        };
        if self.end >= limit && self.kept > START {
            let back = self.kept - START;
            window.bytes_mut().copy_within(self.kept..self.end, START);
            self.kept -= back;
            self.next -= back;
            self.cut -= back;
            self.end -= back;
        }
        &mut window.bytes_mut()[self.end.min(limit)..limit]
    }

    /// `count` bytes were read into [`Half::space`].
    pub fn filled(&mut self, count: usize) {
        self.end += count;
        let limit = START + self.read_bytes();
        assert!(self.end <= limit, "more was read than there was room");
        let full = self.end == limit;
        self.streak = if full {
            self.streak.saturating_add(1)
        } else {
            0
        };
    }

    /// Bytes read and not yet judged.
    #[must_use]
    pub fn unjudged(&self) -> &[u8] {
        self.window
            .as_ref()
            .map_or(&[], |window| &window.bytes()[self.cut..self.end])
    }

    /// The same, to be rewritten in place.
    pub fn unjudged_mut(&mut self) -> &mut [u8] {
        let range = self.cut..self.end;
        self.window
            .as_mut()
            .map_or(&mut [], |window| &mut window.bytes_mut()[range])
    }

    /// The next `count` unjudged bytes may go to the target.
    pub fn pass(&mut self, count: usize) {
        self.cut += count;
        assert!(
            self.cut <= self.end,
            "bytes were passed that were never read"
        );
    }

    /// Of the unjudged bytes `consumed` were rewritten to the first `produced` of them, which may
    /// go to the target.
    pub fn squeeze(&mut self, consumed: usize, produced: usize) {
        assert!(
            produced <= consumed && self.cut + consumed <= self.end,
            "a filter never grows"
        );
        if let Some(window) = self.window.as_mut().filter(|_| produced < consumed) {
            let rest = self.cut + consumed..self.end;
            window.bytes_mut().copy_within(rest, self.cut + produced);
            self.end -= consumed - produced;
        }
        self.cut += produced;
    }

    /// Throws away the next `count` unjudged bytes. Nothing may be waiting to be written.
    pub fn skip(&mut self, count: usize) {
        self.squeeze(count, 0);
        self.rest_if_empty();
    }

    /// Replaces the first `old` unjudged bytes by `new`, which may go to the target. `new` may be
    /// longer by the headroom in front of everything that is read.
    pub fn replace(&mut self, old: usize, new: &[u8]) {
        assert!(
            self.cut + old <= self.end,
            "only what was read can be replaced"
        );
        let Some(window) = &mut self.window else {
            return;
        };
        let behind = self.cut + old;
        let start = behind
            .checked_sub(new.len() + (self.cut - self.kept))
            .expect("a rewritten head grows by no more than the headroom (limits.rs)");
        let back = |position: usize| start + (position - self.kept);
        let bytes = window.bytes_mut();
        bytes.copy_within(self.kept..self.cut, start);
        bytes[behind - new.len()..behind].copy_from_slice(new);
        (self.next, self.kept) = (back(self.next), start);
        self.cut = behind;
    }

    /// Wraps all unjudged bytes into one chunk (RFC 9112 section 7.1), which may go to the
    /// target. In front of it at most a head may wait, whose headroom takes the size line too.
    pub fn wrap_chunk(&mut self) {
        let count = self.end - self.cut;
        if count == 0 {
            return;
        }
        let mut line = [0; 18];
        self.replace(0, hex_line(count, &mut line));
        self.pass(count);
        self.append(b"\r\n");
    }

    /// Bytes that may be written now.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.window
            .as_ref()
            .map_or(&[], |window| &window.bytes()[self.next..self.cut])
    }

    /// The target took `count` of [`Half::pending`]; with `keep` they stay for a retry.
    pub fn wrote(&mut self, count: usize, keep: bool) {
        self.next += count;
        assert!(self.next <= self.cut, "more was written than was allowed");
        if !keep {
            self.release();
        }
    }

    /// True if the source has been sending faster than it was read: a long transfer.
    #[must_use]
    pub const fn is_bulk(&self) -> bool {
        self.streak >= limits::BULK_READS
    }

    /// Bytes in the pipe, which go to the target next. Nothing is read while there are any.
    #[must_use]
    pub const fn piped(&self) -> usize {
        self.piped
    }

    /// `count` bytes went into the pipe, and may go to the target.
    pub fn fill_pipe(&mut self, count: usize) {
        assert!(self.is_empty(), "a pipe is filled when all else is written");
        self.piped = count;
        // Little by little is no long transfer any more, and cheaper without a pipe.
        if count < limits::WINDOW_READ_BYTES / 2 {
            self.streak = 0;
        }
    }

    /// The target took `count` bytes from the pipe.
    pub fn poured(&mut self, count: usize) {
        assert!(
            count <= self.piped,
            "more came out of the pipe than went in"
        );
        self.piped -= count;
    }

    /// Gives up what is kept for a retry.
    pub fn release(&mut self) {
        self.kept = self.next;
        self.rest_if_empty();
    }

    /// Adds a few bytes of our own behind everything, which may go to the target. At most
    /// [`limits::WINDOW_TAILROOM_BYTES`] fit for sure; nothing may be unjudged.
    pub fn append(&mut self, bytes: &[u8]) {
        assert!(self.cut == self.end, "own bytes go behind what was judged");
        let Some(window) = &mut self.window else {
            return;
        };
        window.bytes_mut()[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
        self.cut = self.end;
    }

    /// Throws away everything that was not judged.
    pub fn drop_unjudged(&mut self) {
        self.end = self.cut;
        self.rest_if_empty();
    }

    /// Throws away what may be written and was not yet.
    pub fn discard_pending(&mut self) {
        self.piped = 0;
        self.next = self.cut;
        self.release();
    }

    /// Everything kept is to be written again.
    pub const fn rewind(&mut self) {
        self.next = self.kept;
    }

    /// Bytes kept or waiting, from the first one kept: what a retry starts from.
    #[must_use]
    pub fn replayable(&self) -> &[u8] {
        self.window
            .as_ref()
            .map_or(&[], |window| &window.bytes()[self.kept..self.cut])
    }

    /// Replaces the first `old` kept bytes by `new`, after [`Half::rewind`].
    pub fn replace_kept(&mut self, old: usize, new: &[u8]) {
        let Some(window) = &mut self.window else {
            return;
        };
        let behind = self.kept + old;
        assert!(self.next == self.kept && behind <= self.cut, "rewind first");
        let start = behind
            .checked_sub(new.len())
            .expect("a host line fits into the headroom");
        window.bytes_mut()[start..behind].copy_from_slice(new);
        (self.kept, self.next) = (start, start);
    }

    /// Forgets all bytes.
    pub const fn clear(&mut self) {
        self.piped = 0;
        self.rest();
    }

    /// True if there is nothing to write, nothing kept, nothing unjudged and nothing in a pipe.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.kept == self.end && self.piped == 0
    }

    fn rest_if_empty(&mut self) {
        if self.kept == self.end {
            self.rest();
        }
    }

    const fn rest(&mut self) {
        self.kept = START;
        self.next = START;
        self.cut = START;
        self.end = START;
    }
}

/// `count` as a chunk-size line: lowercase hexadecimal without leading zeros, and CRLF.
fn hex_line(count: usize, line: &mut [u8; 18]) -> &[u8] {
    let mut start = 16;
    line[16..].copy_from_slice(b"\r\n");
    let mut rest = count;
    loop {
        start -= 1;
        line[start] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            return &line[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::buffer::Pool;

    fn half(bytes: &[u8]) -> Half {
        let mut half = Half::default();
        half.lend(Pool::new(1).take().unwrap());
        fill(&mut half, bytes);
        half
    }

    fn fill(half: &mut Half, bytes: &[u8]) {
        half.space()[..bytes.len()].copy_from_slice(bytes);
        half.filled(bytes.len());
    }

    #[test]
    fn bytes_go_through_in_order_and_the_window_comes_back() {
        let mut half = half(b"hello world");
        half.pass(5);
        assert_eq!(half.pending(), b"hello");
        half.wrote(2, false);
        assert_eq!(half.pending(), b"llo");
        assert!(half.reclaim().is_none());
        half.pass(6);
        half.wrote(9, false);
        assert!(half.is_empty());
        assert!(half.reclaim().is_some());
    }

    #[test]
    fn a_head_grows_into_the_headroom_and_the_body_stays() {
        let mut half = half(b"HEADbodynext");
        half.replace(4, b"LONGER-HEAD");
        half.pass(4);
        assert_eq!(half.pending(), b"LONGER-HEADbody");
        assert_eq!(half.unjudged(), b"next");
    }

    #[test]
    fn a_head_behind_an_interim_one_moves_it_forward() {
        let mut half = half(b"100.HEADbody");
        half.pass(4);
        half.wrote(1, false);
        half.replace(4, b"LONGER-HEAD");
        assert_eq!(half.pending(), b"00.LONGER-HEAD");
        assert_eq!(half.unjudged(), b"body");
    }

    #[test]
    fn what_is_kept_can_be_written_again_with_another_start() {
        let mut half = half(b"GET a\nrest");
        half.pass(10);
        half.wrote(8, true);
        half.rewind();
        half.replace_kept(6, b"GET longer\n");
        assert_eq!(half.pending(), b"GET longer\nrest");
        half.wrote(15, true);
        assert!(!half.is_empty());
        half.release();
        assert!(half.is_empty());
    }

    #[test]
    fn a_full_window_makes_room_by_moving_to_the_front() {
        let mut half = half(&vec![b'x'; limits::WINDOW_READ_BYTES]);
        assert_eq!(half.room(), 0);
        assert!(half.space().is_empty());
        half.pass(1000);
        half.wrote(1000, false);
        assert_eq!(half.room(), 1000);
        assert_eq!(half.space().len(), 1000);
    }

    #[test]
    fn chunks_are_wrapped_with_their_own_size_line() {
        let mut half = half(&[b'a'; 26]);
        half.wrap_chunk();
        assert_eq!(
            half.pending(),
            [b"1a\r\n".as_slice(), &[b'a'; 26], b"\r\n"].concat()
        );
        let mut line = [0; 18];
        assert_eq!(hex_line(0, &mut line), b"0\r\n");
    }

    #[test]
    fn squeezing_closes_the_gap() {
        let mut half = half(b"5;x\r\nnext");
        half.squeeze(5, 1);
        assert_eq!(half.pending(), b"5");
        assert_eq!(half.unjudged(), b"next");
    }
}
