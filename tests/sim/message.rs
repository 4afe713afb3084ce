//! A small strict parser for both ends of the simulated world: heads by lines, bodies by length,
//! chunks or end. Shares no code with the program.

use crate::invariant::Invariant;
use crate::ledger::byte;

/// What is being read.
#[derive(Debug)]
pub(crate) struct Reading {
    buffer: Vec<u8>,
    state: State,
    /// Trailer lines of the last body.
    trailers: usize,
}

#[derive(Debug)]
enum State {
    Head,
    Body {
        id: usize,
        answer: bool,
        at: usize,
        rest: Rest,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Exactly(usize),
    Size,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    UntilEnd,
}

/// A head, as lines.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The status of an answer.
    pub(crate) fn status(&self) -> u16 {
        let mut words = self.start.split(' ');
        assert_eq!(words.next(), Some("HTTP/1.1"), "{self:?}");
        let status = words.next().and_then(|word| word.parse().ok());
        status.unwrap_or_else(|| panic!("no status: {self:?}"))
    }

    /// The only value of a field.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} comes twice in {self:?}");
        value
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.value(name)
            .map(|value| value.parse().expect("a number"))
    }
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            buffer: Vec::new(),
            state: State::Head,
            trailers: 0,
        }
    }
}

impl Reading {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// True if not a byte of a next message is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && matches!(self.state, State::Head)
    }

    /// What is here of the next message, or of what comes after messages.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// How many trailer lines the last body had.
    pub(crate) const fn trailers(&self) -> usize {
        self.trailers
    }

    /// The head, once it is whole. The body has to be begun then.
    pub(crate) fn head(&mut self) -> Option<Head> {
        if !matches!(self.state, State::Head) {
            return None;
        }
        let end = self
            .buffer
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        let text = String::from_utf8(self.buffer.drain(..end + 4).collect()).expect("ASCII");
        let mut lines = text.trim_end().split("\r\n");
        let start = lines.next().expect("a start line").to_owned();
        assert!(
            !text.replace("\r\n", "").contains(['\r', '\n']),
            "{}: bare line end in {text:?}",
            Invariant::Unambiguous
        );
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?}"));
                (name.to_ascii_lowercase(), value.to_owned())
            })
            .collect();
        Some(Head { start, fields })
    }

    /// The body that follows `head`, which must be that of request `id` or of its answer.
    pub(crate) fn begin(&mut self, head: &Head, id: usize, answer: bool, bodiless: bool) {
        let length = head.number("content-length");
        let chunked = head.value("transfer-encoding");
        assert!(
            length.is_none() || chunked.is_none(),
            "{}: two framings: {head:?}",
            Invariant::Unambiguous
        );
        let rest = match (length, chunked) {
            _ if bodiless => Rest::Exactly(0),
            (Some(length), _) => Rest::Exactly(length),
            (None, Some(coding)) => {
                assert_eq!(coding, "chunked");
                Rest::Size
            }
            (None, None) if answer => Rest::UntilEnd,
            (None, None) => Rest::Exactly(0),
        };
        self.trailers = 0;
        self.state = State::Body {
            id,
            answer,
            at: 0,
            rest,
        };
    }

    /// Goes on with the body. Its length once it is whole.
    pub(crate) fn body(&mut self) -> Option<usize> {
        let State::Body {
            id,
            answer,
            at,
            rest,
        } = &mut self.state
        else {
            return None;
        };
        let mut used = 0;
        let whole = loop {
            let here = &self.buffer[used..];
            match rest {
                Rest::Exactly(0) => break true,
                Rest::Exactly(left) | Rest::Chunk(left) if *left > 0 => {
                    let count = (*left).min(here.len());
                    check(&here[..count], *id, *answer, at);
                    *left -= count;
                    used += count;
                    if *left > 0 {
                        break false;
                    }
                }
                Rest::UntilEnd => {
                    check(here, *id, *answer, at);
                    used = self.buffer.len();
                    break false;
                }
                Rest::Exactly(_) | Rest::Chunk(_) => *rest = Rest::ChunkEnd,
                Rest::ChunkEnd => {
                    if here.len() < 2 {
                        break false;
                    }
                    assert_eq!(&here[..2], b"\r\n", "a chunk ends with CRLF");
                    used += 2;
                    *rest = Rest::Size;
                }
                Rest::Trailers => {
                    let Some(end) = line_end(here) else {
                        break false;
                    };
                    used += end + 2;
                    if end == 0 {
                        break true;
                    }
                    let expected = format!("X-Trail: {id}");
                    assert_eq!(&here[..end], expected.as_bytes(), "a trailer");
                    self.trailers += 1;
                }
                Rest::Size => {
                    let Some(end) = line_end(here) else {
                        break false;
                    };
                    let text = std::str::from_utf8(&here[..end]).expect("hexadecimal");
                    let size = usize::from_str_radix(text, 16).expect("hexadecimal");
                    assert_eq!(format!("{size:x}"), text, "a canonical size line");
                    used += end + 2;
                    *rest = if size == 0 {
                        Rest::Trailers
                    } else {
                        Rest::Chunk(size)
                    };
                }
            }
        };
        self.buffer.drain(..used);
        let length = *at;
        if !whole {
            return None;
        }
        self.state = State::Head;
        Some(length)
    }

    /// The stream is over. The length of a body that ends so; `None` if something was cut.
    pub(crate) fn end(&mut self) -> Option<usize> {
        self.body();
        match self.state {
            State::Body {
                at,
                rest: Rest::UntilEnd,
                ..
            } => Some(at),
            State::Body { .. } | State::Head => None,
        }
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|two| two == b"\r\n")
}

fn check(bytes: &[u8], id: usize, answer: bool, at: &mut usize) {
    let law = if answer {
        Invariant::AnswerBytes
    } else {
        Invariant::RequestBytes
    };
    // Without a branch for each byte, because there are many and nearly all are right.
    let from = *at;
    let differences = bytes.iter().zip(from..);
    let wrong = differences.fold(0, |sum, (value, at)| sum | (*value ^ byte(id, answer, at)));
    *at += bytes.len();
    assert_eq!(wrong, 0, "{law}: a byte of {id} in {from}..{at}");
}
