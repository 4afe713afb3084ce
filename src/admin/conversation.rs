//! One connection of the admin interface as a pure machine: HTTP/1.1, one request at a time.
//!
//! It is asked what to do next and told what came of it, like a session. Everything is bounded:
//! heads and bodies in length, reading, writing and being idle in time, and what waits to be
//! written, because nothing is read meanwhile.

use super::access::Access;
use super::answer::Answer;
use super::request::Request;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::http::Framing;
use crate::http::Reject;
use crate::http::Version;
use crate::http::chunked::Chunked;
use crate::http::chunked::Keep;
use crate::http::head;
use crate::http::head::HeadScan;
use crate::http::head::Method;
use crate::limits;

/// One connection.
#[derive(Debug)]
pub struct Conversation {
    /// Bytes read and not judged yet.
    input: Vec<u8>,
    /// Bytes to write, those before `written` gone.
    output: Vec<u8>,
    written: usize,
    stage: Stage,
    /// How the answer to the request that runs goes out.
    manner: Manner,
    /// When the stage began, or a byte of an answer went out last.
    mark: Moment,
}

/// What to do for a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// Read, and say `took`, `ended` or `broke`.
    Read,
    /// Write from [`Conversation::pending`], and say `wrote` or `broke`.
    Write,
    /// Do what is asked for, and say `answer` or `stream`.
    Answer(Request),
    /// Say that nothing more comes, then `finished` or `broke`.
    Finish,
    /// Nothing before something happens.
    Wait,
    /// Close it.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manner {
    persistent: bool,
    head_only: bool,
    /// The client has said that nothing more comes.
    ended: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    /// A head is awaited.
    Head(HeadScan),
    /// A body is awaited.
    Body(Box<Body>),
    /// The request is with the engine.
    Answering,
    /// Events go out as they come.
    Streaming,
    /// What is written is the last.
    Finishing,
    /// What still comes is thrown away, so that the answer is not reset away: so much yet.
    Lingering(usize),
    Over,
}

#[derive(Clone, Debug)]
struct Body {
    request: Request,
    left: u64,
    chunked: Option<Chunked>,
}

impl Conversation {
    /// For a client that has just connected.
    #[must_use]
    pub const fn new(now: Moment) -> Self {
        Self {
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            stage: Stage::Head(HeadScan::request()),
            manner: Manner {
                persistent: true,
                head_only: false,
                ended: false,
            },
            mark: now,
        }
    }

    /// What to do next, given what the socket allows.
    pub fn next(&mut self, can: (bool, bool), access: &Access, now: Moment) -> Move {
        let (can_read, can_write) = can;
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        if late || matches!(self.stage, Stage::Over) {
            return Move::End;
        }
        if !self.pending().is_empty() {
            if can_write {
                return Move::Write;
            }
            // An open stream is also read, to see the client go.
            let reads = can_read && matches!(self.stage, Stage::Streaming);
            return if reads { Move::Read } else { Move::Wait };
        }
        if let Some(request) = self.look(access, now) {
            return Move::Answer(request);
        }
        if !self.pending().is_empty() {
            return if can_write { Move::Write } else { Move::Wait };
        }
        match self.stage {
            Stage::Over => Move::End,
            Stage::Finishing if self.manner.ended => Move::End,
            Stage::Finishing => Move::Finish,
            // The answer may take an hour: whoever leaves meanwhile is not waited for.
            Stage::Answering if can_read && self.input.len() < AHEAD_BYTES_MAX => Move::Read,
            Stage::Answering => Move::Wait,
            _ if self.manner.ended => Move::End,
            Stage::Head(_) | Stage::Body(_) | Stage::Streaming | Stage::Lingering(_) => {
                if can_read { Move::Read } else { Move::Wait }
            }
        }
    }

    /// These bytes were read.
    pub fn took(&mut self, bytes: &[u8], now: Moment) {
        match &mut self.stage {
            Stage::Head(_) => {
                if self.input.is_empty() {
                    self.mark = now;
                }
                self.input.extend_from_slice(bytes);
            }
            Stage::Body(_) | Stage::Answering => self.input.extend_from_slice(bytes),
            Stage::Lingering(left) => match left.checked_sub(bytes.len()) {
                Some(rest) => *left = rest,
                None => self.stage = Stage::Over,
            },
            Stage::Streaming | Stage::Finishing | Stage::Over => {}
        }
    }

    /// The client has said that nothing more comes. One that waits for an answer has left then: an
    /// answer that is there at once is written before that is heard.
    pub fn ended(&mut self) {
        self.manner.ended = true;
        self.manner.persistent = false;
        if matches!(
            self.stage,
            Stage::Answering | Stage::Streaming | Stage::Lingering(_)
        ) {
            self.stage = Stage::Over;
        }
    }

    /// The connection is broken.
    pub fn broke(&mut self) {
        self.stage = Stage::Over;
    }

    /// Bytes for [`Move::Write`].
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// So many of them were taken.
    pub fn wrote(&mut self, count: usize, now: Moment) {
        self.mark = now;
        self.written += count;
        if self.written >= self.output.len() {
            self.written = 0;
            self.output.clear();
            self.output.shrink_to(KEPT_BYTES_MAX);
        }
    }

    /// The end was said.
    pub fn finished(&mut self, now: Moment) {
        self.mark = now;
        self.stage = Stage::Lingering(LINGER_BYTES_MAX);
    }

    /// The answer to the request that was handed over.
    pub fn answer(&mut self, answer: &Answer, now: Moment) {
        self.mark = now;
        let Manner {
            persistent,
            head_only,
            ..
        } = self.manner;
        answer.write(&mut self.output, persistent, head_only);
        self.stage = if persistent {
            Stage::Head(HeadScan::request())
        } else {
            Stage::Finishing
        };
    }

    /// From here on events go out, in answer to the request that was handed over.
    pub fn stream(&mut self, now: Moment) {
        self.mark = now;
        self.output.extend_from_slice(STREAM_HEAD);
        self.manner.persistent = false;
        self.stage = if self.manner.head_only {
            Stage::Finishing
        } else {
            Stage::Streaming
        };
    }

    /// More events. A reader that is too slow for those before is given up; how long these are is
    /// not its fault.
    pub fn feed(&mut self, events: &[u8], now: Moment) {
        if !matches!(self.stage, Stage::Streaming) {
            return;
        }
        if self.pending().len() > STREAM_BYTES_MAX {
            self.stage = Stage::Over;
            return;
        }
        if self.pending().is_empty() {
            self.mark = now;
        }
        self.output.extend_from_slice(events);
    }

    /// When the connection is given up, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let span = match &self.stage {
            Stage::Over => return None,
            _ if !self.pending().is_empty() => WRITE,
            Stage::Answering | Stage::Streaming => return None,
            Stage::Head(_) if self.input.is_empty() => IDLE,
            Stage::Head(_) | Stage::Body(_) => READ,
            Stage::Finishing | Stage::Lingering(_) => LINGER,
        };
        Some(self.mark + span)
    }

    /// How long it has been without a request that anybody works on, or a reader that takes an
    /// answer: those that have not even sent a head before the others, and then by time. `None` if
    /// it is of use to somebody.
    #[must_use]
    pub fn idle_since(&self) -> Option<(bool, Moment)> {
        match self.stage {
            _ if !self.pending().is_empty() => None,
            Stage::Head(_) | Stage::Finishing | Stage::Lingering(_) | Stage::Over => {
                Some((false, self.mark))
            }
            Stage::Body(_) => Some((true, self.mark)),
            Stage::Answering | Stage::Streaming => None,
        }
    }

    /// Goes on with what was read; the request once it is whole.
    fn look(&mut self, access: &Access, now: Moment) -> Option<Request> {
        if let Stage::Head(scan) = &mut self.stage {
            let found = match scan.find(&self.input, limits::HEAD_BYTES_MAX) {
                Ok(found) => found?,
                Err(reject) => {
                    self.refuse(reject, now);
                    return None;
                }
            };
            let lead = scan.lead();
            let bytes: Vec<u8> = self.input.drain(..found).skip(lead).collect();
            if let Err(answer) = self.begin(&bytes, access) {
                self.give_up(&answer, now);
                return None;
            }
        }
        let Stage::Body(body) = &mut self.stage else {
            return None;
        };
        match collect(body, &mut self.input) {
            Ok(false) => None,
            Ok(true) => {
                let request = std::mem::take(&mut body.request);
                self.stage = Stage::Answering;
                Some(request)
            }
            Err(answer) => {
                self.give_up(&answer, now);
                None
            }
        }
    }

    /// A whole head is here.
    fn begin(&mut self, bytes: &[u8], access: &Access) -> Result<(), Answer> {
        let head = head::request(bytes).map_err(|reject| refusal(&reject))?;
        self.manner.head_only = head.method == Method::Head;
        self.manner.persistent =
            head.persistent && head.version == Version::Http11 && !self.manner.ended;
        let visitor = access.admit(&head, bytes)?;
        let (left, chunked) = match head.framing {
            Framing::None | Framing::UntilClose => (0, None),
            Framing::Length(length) if length > BODY_BYTES_MAX as u64 => return Err(too_large()),
            Framing::Length(length) => (length, None),
            Framing::Chunked => (0, Some(Chunked::new(Keep::Data))),
        };
        if head.expects_continue && self.input.is_empty() {
            self.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.stage = Stage::Body(Box::new(Body {
            request: Request::new(&head, bytes, visitor),
            left,
            chunked,
        }));
        Ok(())
    }

    fn refuse(&mut self, reject: Reject, now: Moment) {
        self.give_up(&refusal(&reject), now);
    }

    /// An answer after which nothing that comes is looked at.
    fn give_up(&mut self, answer: &Answer, now: Moment) {
        self.manner.persistent = false;
        self.input = Vec::new();
        self.answer(answer, now);
    }
}

/// Takes what is here of a body; true once it is whole.
fn collect(body: &mut Body, input: &mut Vec<u8>) -> Result<bool, Answer> {
    let whole = match &mut body.chunked {
        None => {
            let count =
                usize::try_from(body.left).map_or(input.len(), |left| left.min(input.len()));
            body.request.body.extend(input.drain(..count));
            body.left -= count as u64;
            body.left == 0
        }
        Some(chunked) => {
            let progress = chunked.filter(input).map_err(|reject| refusal(&reject))?;
            let data = input.get(..progress.produced).unwrap_or_default();
            body.request.body.extend_from_slice(data);
            input.drain(..progress.consumed);
            progress.done
        }
    };
    if body.request.body.len() > BODY_BYTES_MAX {
        return Err(too_large());
    }
    Ok(whole)
}

fn refusal(reject: &Reject) -> Answer {
    Answer::problem(reject.status, reject.reason.why())
}

fn too_large() -> Answer {
    Answer::problem(413, "a body here has at most 64 KiB")
}

const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n";

/// Bytes of a request body (413).
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Bytes of events that may wait for a slow reader when the next ones come, before it is given up.
const STREAM_BYTES_MAX: usize = 1024 * 1024;

/// Bytes read of what follows a request whose answer takes its time.
const AHEAD_BYTES_MAX: usize = 4 * 1024;

/// Bytes thrown away after the last answer.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Memory that an idle connection keeps.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// Between two requests, and before the first.
const IDLE: Span = Span::seconds(60);

/// From the first byte of a request to its last.
const READ: Span = Span::seconds(10);

/// The client takes no byte of an answer.
const WRITE: Span = Span::seconds(10);

/// After the last answer.
const LINGER: Span = Span::seconds(2);

#[cfg(test)]
mod tests;
