//! Chunked bodies, made canonical where they lie.
//!
//! A chunk-size line can be spelled in many ways, and every spelling that two parsers read
//! differently is a smuggled request. So no received spelling is ever passed on: the walker judges
//! each byte of framing (RFC 9112 section 7.1, stricter), and writes its own size lines over the
//! received ones, which are never shorter. Data stays in place as long as the sender's framing is
//! canonical, which it nearly always is. Called by sessions, for either direction.

mod line;

use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::head;
use crate::limits;

/// What is left in place of the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The chunks in canonical framing, and the trailers.
    Framing,
    /// The data alone: for a receiver that knows the end by other means. Trailers are dropped.
    Data,
}

/// The walker over one chunked body. Small; holds no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunked {
    keep: Keep,
    stage: Stage,
    /// Bytes of the current chunk that are still to come.
    left: u64,
    /// Sum of the chunk sizes so far.
    announced: u64,
    /// The most that may come to.
    most: u64,
    /// Bytes of extensions so far.
    extensions: u32,
    trailers: Trailers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SizeLine,
    Data,
    DataEnd,
    Trailers,
    Done,
}

/// How far the trailer section was judged. It is held back until it is complete, the last size
/// line with it, so that a refused one is never seen as the end of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Trailers {
    /// Length of the last size line, after which the section begins.
    start: usize,
    /// Where in the section the current line begins.
    line: usize,
    /// Where in the section to go on looking.
    at: usize,
    count: usize,
}

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes judged. The ones after them are to be given again, with more behind them; once
    /// `done`, they are the next message's.
    pub consumed: usize,
    /// Bytes to pass on, from the beginning; never more than `consumed`.
    pub produced: usize,
    /// Whether the body has ended.
    pub done: bool,
}

/// Where the walk reads and where it writes, which is never further.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    read: usize,
    write: usize,
}

impl Chunked {
    /// The walker at the beginning of a body.
    #[must_use]
    pub const fn new(keep: Keep) -> Self {
        Self {
            keep,
            stage: Stage::SizeLine,
            left: 0,
            announced: 0,
            most: u64::MAX,
            extensions: 0,
            trailers: Trailers {
                start: 0,
                line: 0,
                at: 0,
                count: 0,
            },
        }
    }

    /// The same for a body of at most so many bytes of data: the size line of the chunk that would
    /// exceed that is refused (413), and not passed on.
    #[must_use]
    pub const fn bounded(mut self, most: u64) -> Self {
        self.most = most;
        self
    }

    /// Judges `bytes`, which begin where the last call stopped consuming, and leaves what is to be
    /// passed on in their place. Data goes through as it comes; what can be unfinished at the end
    /// of `bytes` is a size line, a line break or the trailer section, at most
    /// [`limits::CHUNK_LINE_BYTES_MAX`] + [`limits::TRAILER_BYTES_MAX`] in all.
    ///
    /// # Errors
    /// 400 at the first byte that cannot be part of a chunked body, or beyond a limit; 413 where
    /// the data is. In a
    /// response that is the backend's fault. The body cannot be continued after an error: what was
    /// passed on has no end, and must be cut off visibly.
    pub fn filter(&mut self, bytes: &mut [u8]) -> Result<Progress, Reject> {
        let mut cursor = Cursor::default();
        while self
            .step(bytes, &mut cursor)
            .map_err(|reason| Kind::Request.reject(reason))?
        {}
        Ok(Progress {
            consumed: cursor.read,
            produced: cursor.write,
            done: self.is_done(),
        })
    }

    /// Bytes of data passed on so far.
    #[must_use]
    pub const fn data_bytes(&self) -> u64 {
        self.announced - self.left
    }

    /// Whether the body has ended.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// One piece of framing or run of data; false when more bytes are needed, or none.
    fn step(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Result<bool, Reason> {
        match self.stage {
            Stage::SizeLine => self.size_line(bytes, cursor),
            Stage::Data => Ok(self.data(bytes, cursor)),
            Stage::DataEnd => self.data_end(bytes, cursor),
            Stage::Trailers => self.trailers(bytes, cursor),
            Stage::Done => Ok(false),
        }
    }

    fn size_line(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Result<bool, Reason> {
        let rest = bytes.get(cursor.read..).unwrap_or_default();
        let Some(line) = line::read(rest)? else {
            return Ok(false);
        };
        let extension = u32::try_from(line.extension).unwrap_or(u32::MAX);
        self.extensions = self.extensions.saturating_add(extension);
        if self.extensions as usize > limits::CHUNK_EXTENSION_BYTES_MAX {
            return Err(Reason::ChunkExtensionsTooLarge);
        }
        if line.size == 0 {
            self.trailers.start = line.length;
            self.stage = Stage::Trailers;
            return Ok(true);
        }
        self.announced = self
            .announced
            .checked_add(line.size)
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or(Reason::ChunkSizeInvalid)?;
        if self.announced > self.most {
            return Err(Reason::BodyTooLarge);
        }
        self.left = line.size;
        self.stage = Stage::Data;
        if self.keep == Keep::Framing {
            let space = bytes.get_mut(cursor.write..cursor.read + line.length);
            cursor.write += line::write(space.unwrap_or_default(), line.size);
        }
        cursor.read += line.length;
        Ok(true)
    }

    fn data(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> bool {
        let here = bytes.len() - cursor.read;
        let run = usize::try_from(self.left).map_or(here, |left| left.min(here));
        pass(bytes, cursor, run);
        self.left -= run as u64;
        if self.left == 0 {
            self.stage = Stage::DataEnd;
        }
        self.left == 0
    }

    fn data_end(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Result<bool, Reason> {
        match bytes.get(cursor.read..).unwrap_or_default() {
            [] | [b'\r'] => Ok(false),
            [cr, lf, ..] if [*cr, *lf] == *b"\r\n" || planted(Bug::ChunkEndUnchecked) => {
                match self.keep {
                    Keep::Framing => pass(bytes, cursor, 2),
                    Keep::Data => cursor.read += 2,
                }
                self.stage = Stage::SizeLine;
                Ok(true)
            }
            [b'\n', ..] => Err(Reason::BareLf),
            _ => Err(Reason::ChunkDataUnterminated),
        }
    }

    fn trailers(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Result<bool, Reason> {
        let start = cursor.read + self.trailers.start;
        let Some(length) = self.trailers.find(bytes.get(start..).unwrap_or_default())? else {
            return Ok(false);
        };
        cursor.read = start;
        match self.keep {
            Keep::Framing => {
                let space = bytes.get_mut(cursor.write..start);
                cursor.write += line::write(space.unwrap_or_default(), 0);
                pass(bytes, cursor, length);
            }
            Keep::Data => cursor.read += length,
        }
        self.stage = Stage::Done;
        Ok(false)
    }
}

impl Trailers {
    /// The length of the section if it is complete; goes on where it stopped.
    fn find(&mut self, section: &[u8]) -> Result<Option<usize>, Reason> {
        let seen = section.get(..limits::TRAILER_BYTES_MAX).unwrap_or(section);
        loop {
            self.at = head::low_byte(seen, self.at).unwrap_or(seen.len());
            match seen.get(self.at..).unwrap_or_default() {
                [] | [b'\r'] if seen.len() < limits::TRAILER_BYTES_MAX => return Ok(None),
                [] | [b'\r'] => return Err(Reason::TrailersTooLarge),
                [b'\r', b'\n', ..] => {
                    let line = head::piece(seen, self.line, self.at);
                    self.at += 2;
                    self.line = self.at;
                    if line.is_empty() {
                        return Ok(Some(self.at));
                    }
                    self.judge(line)?;
                }
                [b'\t', ..] => self.at += 1,
                [b'\r', ..] => return Err(Reason::BareCr),
                [b'\n', ..] => return Err(Reason::BareLf),
                _ => return Err(Reason::TrailerInvalid),
            }
        }
    }

    fn judge(&mut self, line: &[u8]) -> Result<(), Reason> {
        self.count += 1;
        if self.count > limits::TRAILERS_MAX {
            return Err(Reason::TrailersTooLarge);
        }
        let end = head::is_field_line(line).ok_or(Reason::TrailerInvalid)?;
        if head::is_trailer_forbidden(head::piece(line, 0_usize, end)) {
            return Err(Reason::TrailerForbidden);
        }
        Ok(())
    }
}

/// Passes `run` bytes on, moving them only if something before them was shortened.
fn pass(bytes: &mut [u8], cursor: &mut Cursor, run: usize) {
    if cursor.read != cursor.write {
        bytes.copy_within(cursor.read..cursor.read + run, cursor.write);
    }
    cursor.read += run;
    cursor.write += run;
}

#[cfg(test)]
mod tests;
