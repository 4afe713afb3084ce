//! The resumable search for the end of a head.
//!
//! Running a parser on every arrival costs the square of the head's length when a peer sends byte
//! by byte (httparse: seconds for 64 KiB). This search remembers where it stopped, and what can
//! already be refused is refused at once instead of being awaited until a timeout. Called by
//! whoever receives heads, and by the chunk walker for its byte search.

use super::search::low_byte;
use super::search::unwelcome;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::head::diagnosis;
use crate::limits;

/// Where the search for a head's end stands. One per message; `Default` is a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadScan {
    /// Everything before this was judged.
    at: u32,
    /// Where the current line begins.
    line: u32,
    lead: u8,
    stage: Stage,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    StartLine,
    Fields,
}

impl HeadScan {
    /// The search in a request: at most one empty line before it is skipped (RFC 9112 section 2.2).
    #[must_use]
    pub const fn request() -> Self {
        Self::new(Kind::Request)
    }

    /// The search in a response: nothing may come before it.
    #[must_use]
    pub const fn response() -> Self {
        Self::new(Kind::Response)
    }

    const fn new(kind: Kind) -> Self {
        Self {
            at: 0,
            line: 0,
            lead: 0,
            stage: Stage::StartLine,
            kind,
        }
    }

    /// Looks at what is new in `bytes`, which is everything received of this message so far, from
    /// its first byte (more may follow it). When the head is complete the answer is where it ends:
    /// `bytes[scan.lead()..end]` is the head, its empty line included.
    ///
    /// `max` bounds `end`, in bytes, [`limits::REQUEST_HEAD_BYTES_MAX`] at most. A whole stream and
    /// the same stream in pieces give the same answer.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a head any more: a line break other than CRLF, a control
    /// byte, a start line without a version, or a limit (414, 431; 502 for a response).
    pub fn find(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, Reject> {
        let max = max.min(limits::REQUEST_HEAD_BYTES_MAX);
        self.seek(bytes, max)
            .map_err(|reason| self.kind.reject(reason))
    }

    /// Bytes to skip before the head: 2 if the request came after an empty line, else 0.
    #[must_use]
    pub const fn lead(&self) -> usize {
        self.lead as usize
    }

    /// Whether nothing but a tolerated empty line was seen so far: the peer may be idle.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        matches!(self.stage, Stage::StartLine) && self.at <= self.lead as u32
    }

    fn seek(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, Reason> {
        loop {
            let window = self.window(max);
            let seen = bytes.get(..window).unwrap_or(bytes);
            let found = low_byte(seen, self.at as usize).unwrap_or(seen.len());
            self.at = offset(found);
            match seen.get(found..).unwrap_or_default() {
                [] | [b'\r'] if seen.len() < window => return Ok(None),
                [] | [b'\r'] => return Err(self.over_limit()),
                [b'\r', b'\n', ..] => {
                    if self.end_line(seen, found)? {
                        return Ok(Some(found + 2));
                    }
                }
                [b'\t', ..] => self.at = offset(found + 1),
                [b'\n', ..] if planted(Bug::BareLfAccepted) => self.at = offset(found + 1),
                [byte, ..] => return Err(unwelcome(*byte)),
            }
        }
    }

    /// A line ends at `found`; true if the head does.
    fn end_line(&mut self, seen: &[u8], found: usize) -> Result<bool, Reason> {
        let line = seen.get(self.line as usize..found).unwrap_or_default();
        self.at = offset(found + 2);
        self.line = self.at;
        match (self.stage, line) {
            (Stage::Fields, []) => return Ok(true),
            (Stage::Fields, _) => {}
            (Stage::StartLine, []) if self.kind == Kind::Request && self.lead == 0 => self.lead = 2,
            (Stage::StartLine, []) => return Err(Reason::LeadingBlankLines),
            (Stage::StartLine, line) => {
                self.stage = Stage::Fields;
                match self.kind {
                    Kind::Request if !versioned(line) => {
                        return Err(diagnosis::request_line(line));
                    }
                    Kind::Response if !line.starts_with(b"HTTP/1.") => {
                        return Err(Reason::StatusInvalid);
                    }
                    Kind::Request | Kind::Response => {}
                }
            }
        }
        Ok(false)
    }

    /// How far may be looked at present: a request line has a limit of its own.
    fn window(&self, max: usize) -> usize {
        match (self.stage, self.kind) {
            (Stage::StartLine, Kind::Request) => {
                max.min(self.line as usize + limits::REQUEST_LINE_BYTES_MAX + b"\r\n".len())
            }
            (Stage::StartLine, Kind::Response) | (Stage::Fields, _) => max,
        }
    }

    fn over_limit(&self) -> Reason {
        match (self.stage, self.kind) {
            (Stage::StartLine, Kind::Request) => Reason::LineTooLong,
            (Stage::StartLine, Kind::Response) | (Stage::Fields, _) => Reason::HeadTooLarge,
        }
    }
}

impl Default for HeadScan {
    fn default() -> Self {
        Self::request()
    }
}

fn versioned(line: &[u8]) -> bool {
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

/// Offsets are bounded by the window: [`limits::REQUEST_HEAD_BYTES_MAX`] and a line break at most.
fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes are looked at, all calls together, in a head that comes byte by byte, with
    /// fields of this length.
    fn looked_at(head_bytes: usize, field_bytes: usize) -> usize {
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        while head.len() < head_bytes - 2 {
            let left = (head_bytes - 2 - head.len()).min(field_bytes);
            // A last field too short to be one makes the one before longer.
            let next = head_bytes - 2 - head.len() - left;
            let count = if next < 8 { left + next } else { left };
            head.extend_from_slice(b"X: ");
            head.resize(head.len() + count - 5, b'y');
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        assert_eq!(head.len(), head_bytes);
        let mut scan = HeadScan::request();
        let mut looked_at = 0;
        for length in 0..=head_bytes {
            looked_at += length - scan.at as usize;
            let found = scan.find(&head[..length], head_bytes).unwrap();
            assert_eq!(found.is_some(), length == head_bytes);
        }
        looked_at
    }

    #[test]
    fn byte_by_byte_looks_at_every_byte_a_bounded_number_of_times() {
        for field_bytes in [40, 1000, 60_000] {
            let short = looked_at(8 * 1024, field_bytes);
            let long = looked_at(limits::REQUEST_HEAD_BYTES_MAX, field_bytes);
            assert!(long <= 2 * limits::REQUEST_HEAD_BYTES_MAX, "{long}");
            assert!(long <= 10 * short, "{long} after {short}");
        }
    }
}
