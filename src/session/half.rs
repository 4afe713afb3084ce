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

use std::ops::Range;

use crate::base::buffer::Marks;
use crate::base::buffer::Pool;
use crate::base::buffer::Window;
use crate::limits;

/// Where reading starts in an empty window.
const START: usize = Marks::REST.kept;

/// One direction. Invariant: `kept <= next <= cut <= end <= capacity`, all [`START`] when empty
/// of bytes, and so without a window, which is where these positions are kept: of an idle
/// connection nothing is left but 16 bytes for each direction.
#[derive(Debug, Default)]
pub struct Half {
    window: Option<Window>,
    /// Bytes behind all others that are in a pipe and not in the window.
    piped: u32,
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
    pub fn lend(&mut self, mut window: Window) {
        assert!(self.window.is_none(), "a half holds one window at a time");
        *window.marks_mut() = Marks::REST;
        self.window = Some(window);
    }

    /// Takes the memory back, if no byte in it is needed.
    pub fn reclaim(&mut self) -> Option<Window> {
        self.window
            .take_if(|window| window.marks().kept == window.marks().end)
    }

    /// Takes the memory back whatever is in it.
    pub fn surrender(&mut self) -> Option<Window> {
        self.piped = 0;
        self.window.take()
    }

    /// How many bytes could be read now. A half without a window has room for one window.
    #[must_use]
    pub fn room(&self) -> usize {
        let marks = self.marks();
        self.read_bytes().saturating_sub(marks.end - marks.kept)
    }

    /// Makes room for so many bytes in all, if there is a window and it holds fewer: a head may be
    /// longer than what windows usually hold.
    pub fn widen(&mut self, read_bytes: usize) {
        if let Some(window) = &mut self.window {
            window.widen(read_bytes);
        }
    }

    /// A long transfer whose bytes have to be copied is given a broad window, if it can be.
    pub fn broaden(&mut self, pool: &mut Pool) {
        if self.is_bulk()
            && self.is_empty()
            && let Some(window) = self.window.take()
        {
            self.lend(pool.broaden(window));
        }
    }

    /// How many bytes the window holds, or would hold.
    fn read_bytes(&self) -> usize {
        self.window
            .as_ref()
            .map_or(limits::WINDOW_READ_BYTES, Window::read_bytes)
    }

    /// Where the bytes are.
    fn marks(&self) -> Marks {
        self.window.as_ref().map_or(Marks::REST, Window::marks)
    }

    /// The free memory to read into; moves the bytes to the front first if they stand at the end.
    /// Empty without a window.
    pub fn space(&mut self) -> &mut [u8] {
        let Some(window) = &mut self.window else {
            return &mut [];
        };
        let mut marks = window.marks();
        let limit = window.limit();
        if marks.end >= limit && marks.kept > START {
            let back = marks.kept - START;
            window.bytes_mut().copy_within(marks.kept..marks.end, START);
            marks = Marks {
                kept: START,
                next: marks.next - back,
                cut: marks.cut - back,
                end: marks.end - back,
            };
            *window.marks_mut() = marks;
        }
        &mut window.bytes_mut()[marks.end.min(limit)..limit]
    }

    /// `count` bytes were read into [`Half::space`].
    pub fn filled(&mut self, count: usize) {
        let limit = START + self.read_bytes();
        let Some(window) = &mut self.window else {
            return;
        };
        let marks = window.marks_mut();
        marks.end += count;
        assert!(marks.end <= limit, "more was read than there was room");
        let end = marks.end;
        let full = end == limit;
        // More than most: the next read is offered everything, whether these bytes are still here
        // then or not.
        if end == window.limit() {
            window.unfold();
        }
        self.streak = if full {
            self.streak.saturating_add(1)
        } else {
            0
        };
    }

    /// The bytes between two positions; none without a window.
    fn between(&self, range: impl FnOnce(Marks) -> Range<usize>) -> &[u8] {
        self.window
            .as_ref()
            .map_or(&[], |window| &window.bytes()[range(window.marks())])
    }

    /// Bytes read and not yet judged.
    #[must_use]
    pub fn unjudged(&self) -> &[u8] {
        self.between(|marks| marks.cut..marks.end)
    }

    /// The same, to be rewritten in place.
    pub fn unjudged_mut(&mut self) -> &mut [u8] {
        let Marks { cut, end, .. } = self.marks();
        self.window
            .as_mut()
            .map_or(&mut [], |window| &mut window.bytes_mut()[cut..end])
    }

    /// The next `count` unjudged bytes may go to the target.
    pub fn pass(&mut self, count: usize) {
        let marks = self.move_marks(|marks| marks.cut += count);
        assert!(
            marks.cut <= marks.end,
            "bytes were passed that were never read"
        );
    }

    /// Moves the positions, if there is a window, and says where they are then.
    fn move_marks(&mut self, change: impl FnOnce(&mut Marks)) -> Marks {
        self.window.as_mut().map_or(Marks::REST, |window| {
            change(window.marks_mut());
            window.marks()
        })
    }

    /// Of the unjudged bytes `consumed` were rewritten to the first `produced` of them, which may
    /// go to the target.
    pub fn squeeze(&mut self, consumed: usize, produced: usize) {
        let Marks { cut, end, .. } = self.marks();
        assert!(
            produced <= consumed && cut + consumed <= end,
            "a filter never grows"
        );
        let Some(window) = &mut self.window else {
            return;
        };
        if produced < consumed {
            let rest = cut + consumed..end;
            window.bytes_mut().copy_within(rest, cut + produced);
            window.marks_mut().end -= consumed - produced;
        }
        window.marks_mut().cut += produced;
    }

    /// Throws away the next `count` unjudged bytes. Nothing may be waiting to be written.
    pub fn skip(&mut self, count: usize) {
        self.squeeze(count, 0);
        self.rest_if_empty();
    }

    /// Replaces the first `old` unjudged bytes by `new`, which may go to the target. `new` may be
    /// longer by the headroom in front of everything that is read.
    pub fn replace(&mut self, old: usize, new: &[u8]) {
        let marks = self.marks();
        assert!(
            marks.cut + old <= marks.end,
            "only what was read can be replaced"
        );
        let Some(window) = &mut self.window else {
            return;
        };
        let behind = marks.cut + old;
        let start = behind
            .checked_sub(new.len() + (marks.cut - marks.kept))
            .expect("a rewritten head grows by no more than the headroom (limits.rs)");
        let bytes = window.bytes_mut();
        bytes.copy_within(marks.kept..marks.cut, start);
        bytes[behind - new.len()..behind].copy_from_slice(new);
        *window.marks_mut() = Marks {
            kept: start,
            next: start + (marks.next - marks.kept),
            cut: behind,
            end: marks.end,
        };
    }

    /// Wraps all unjudged bytes into one chunk (RFC 9112 section 7.1), which may go to the
    /// target. In front of it at most a head may wait, whose headroom takes the size line too.
    pub fn wrap_chunk(&mut self) {
        let count = self.unjudged().len();
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
        self.between(|marks| marks.next..marks.cut)
    }

    /// The target took `count` of [`Half::pending`]; with `keep` they stay for a retry.
    pub fn wrote(&mut self, count: usize, keep: bool) {
        let marks = self.move_marks(|marks| marks.next += count);
        assert!(marks.next <= marks.cut, "more was written than was allowed");
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
        self.piped as usize
    }

    /// `count` bytes went into the pipe, and may go to the target.
    pub fn fill_pipe(&mut self, count: usize) {
        assert!(self.is_empty(), "a pipe is filled when all else is written");
        self.piped = u32::try_from(count).expect("a pipe holds less than 4 GiB");
        // Little by little is no long transfer any more, and cheaper without a pipe.
        if count < limits::WINDOW_READ_BYTES / 2 {
            self.streak = 0;
        }
    }

    /// The target took `count` bytes from the pipe.
    pub fn poured(&mut self, count: usize) {
        self.piped = u32::try_from(count)
            .ok()
            .and_then(|count| self.piped.checked_sub(count))
            .expect("no more comes out of a pipe than went in");
    }

    /// Gives up what is kept for a retry.
    pub fn release(&mut self) {
        self.move_marks(|marks| marks.kept = marks.next);
        self.rest_if_empty();
    }

    /// Adds a few bytes of our own behind everything, which may go to the target. At most
    /// [`limits::WINDOW_TAILROOM_BYTES`] fit for sure; nothing may be unjudged.
    pub fn append(&mut self, bytes: &[u8]) {
        let Marks { cut, end, .. } = self.marks();
        assert!(cut == end, "own bytes go behind what was judged");
        let Some(window) = &mut self.window else {
            return;
        };
        window.bytes_mut()[end..end + bytes.len()].copy_from_slice(bytes);
        let marks = window.marks_mut();
        (marks.cut, marks.end) = (end + bytes.len(), end + bytes.len());
    }

    /// Throws away everything that was not judged.
    pub fn drop_unjudged(&mut self) {
        self.move_marks(|marks| marks.end = marks.cut);
        self.rest_if_empty();
    }

    /// Throws away what may be written and was not yet.
    pub fn discard_pending(&mut self) {
        self.piped = 0;
        self.move_marks(|marks| marks.next = marks.cut);
        self.release();
    }

    /// Everything kept is to be written again.
    pub fn rewind(&mut self) {
        self.move_marks(|marks| marks.next = marks.kept);
    }

    /// Bytes kept or waiting, from the first one kept: what a retry starts from.
    #[must_use]
    pub fn replayable(&self) -> &[u8] {
        self.between(|marks| marks.kept..marks.cut)
    }

    /// Replaces the first `old` kept bytes by `new`, after [`Half::rewind`].
    pub fn replace_kept(&mut self, old: usize, new: &[u8]) {
        let marks = self.marks();
        let Some(window) = &mut self.window else {
            return;
        };
        let behind = marks.kept + old;
        assert!(
            marks.next == marks.kept && behind <= marks.cut,
            "rewind first"
        );
        let start = behind
            .checked_sub(new.len())
            .expect("a host line fits into the headroom");
        window.bytes_mut()[start..behind].copy_from_slice(new);
        let marks = window.marks_mut();
        (marks.kept, marks.next) = (start, start);
    }

    /// Forgets all bytes.
    pub fn clear(&mut self) {
        self.piped = 0;
        self.move_marks(|marks| *marks = Marks::REST);
    }

    /// True if there is nothing to write, nothing kept, nothing unjudged and nothing in a pipe.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let marks = self.marks();
        marks.kept == marks.end && self.piped == 0
    }

    fn rest_if_empty(&mut self) {
        self.move_marks(|marks| {
            if marks.kept == marks.end {
                *marks = Marks::REST;
            }
        });
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

    fn half(bytes: &[u8]) -> Half {
        let mut half = Half::default();
        half.lend(Pool::new(1).take().unwrap());
        fill(&mut half, bytes);
        half
    }

    fn fill(half: &mut Half, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = half.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            half.filled(count);
            bytes = &bytes[count..];
        }
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
    fn only_the_first_read_is_a_short_one() {
        let mut half = half(b"");
        assert_eq!(half.space().len(), limits::WINDOW_FIRST_BYTES);
        fill(&mut half, &[b'x'; limits::WINDOW_FIRST_BYTES]);
        half.pass(limits::WINDOW_FIRST_BYTES);
        half.wrote(limits::WINDOW_FIRST_BYTES, false);
        assert_eq!(half.space().len(), limits::WINDOW_READ_BYTES);
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
