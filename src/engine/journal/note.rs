//! What is noted of a request while it runs: lent to its connection, used again for the next one.
//!
//! Written where things happen (`pump`, `upstream`, `chronicle`), read when the request ends. Warm,
//! nothing here allocates: the text keeps its memory.

use super::verdict::Lost;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::http::Version;
use crate::http::head;
use crate::http::head::RequestHead;
use crate::session::Incident;
use crate::session::Record;

/// A request that runs.
#[derive(Debug, Default)]
pub(in crate::engine) struct Note {
    /// When its first byte came; `None` between two requests.
    pub(in crate::engine) began: Option<Moment>,
    /// When its head was whole and a server was wanted.
    pub(in crate::engine) asked: Option<Moment>,
    /// When the last search for a connection began.
    pub(in crate::engine) sought: Moment,
    /// How long was spent on getting connections; `None` if there never was one.
    pub(in crate::engine) connect: Option<Span>,
    /// When the last connection was there.
    pub(in crate::engine) joined: Moment,
    /// When the first byte of an answer came.
    pub(in crate::engine) first: Option<Moment>,
    /// Bytes that came from the client.
    pub(in crate::engine) came: u64,
    /// Bytes that went to the client.
    pub(in crate::engine) went: u64,
    /// How many servers were tried, or one several times.
    pub(in crate::engine) tries: u32,
    /// The last try that came to nothing.
    pub(in crate::engine) lost: Option<Lost>,
    /// Whether the last try went over a kept connection.
    pub(in crate::engine) reused: bool,
    /// The number of the last server tried, in its pool; 0 if there was none.
    pub(in crate::engine) backend: u32,
    /// What tidegate said itself, and why.
    pub(in crate::engine) incident: Option<Incident>,
    /// What the request was that has become a tunnel.
    pub(in crate::engine) switched: Option<Record>,
    /// The number that the request was given.
    pub(in crate::engine) number: u128,
    proto: Option<Version>,
    text: Vec<u8>,
    ends: [u16; PIECES],
}

/// Which texts of a request are wanted, and how much of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) enum Depth {
    /// What the recorder shows, cut.
    #[default]
    Brief,
    /// The same, whole.
    Whole,
    /// The request line besides.
    Line,
    /// Referrer, user agent and who the user says to be besides.
    Agent,
}

/// The texts of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::engine) struct Words<'a> {
    pub(in crate::engine) method: &'a [u8],
    pub(in crate::engine) host: &'a [u8],
    /// Path and query.
    pub(in crate::engine) target: &'a [u8],
    /// What a trusted proxy calls it; empty if it is known by its number.
    pub(in crate::engine) id: &'a [u8],
    /// The request line as it came.
    pub(in crate::engine) line: &'a [u8],
    pub(in crate::engine) referer: &'a [u8],
    pub(in crate::engine) agent: &'a [u8],
    /// The value of `Authorization`.
    pub(in crate::engine) credentials: &'a [u8],
    pub(in crate::engine) proto: &'static str,
}

impl Note {
    /// Takes down what the head of the request says. `bytes` is what `head` was made from, `id`
    /// what a trusted proxy calls it, or nothing.
    pub(in crate::engine) fn portray(
        &mut self,
        head: &RequestHead,
        bytes: &[u8],
        id: &[u8],
        depth: Depth,
    ) {
        self.proto = Some(head.version);
        self.text.clear();
        let most = match depth {
            Depth::Brief => BRIEF,
            Depth::Whole | Depth::Line | Depth::Agent => WHOLE,
        };
        let target = head.target(bytes);
        let mut at = 0;
        self.push(&mut at, &[head.method_name(bytes)], METHOD_MAX);
        self.push(&mut at, &[head.host(bytes)], most.0);
        self.push(&mut at, &[target.slash.as_bytes(), target.rest], most.1);
        self.push(&mut at, &[id], ID_MAX);
        let line = match depth {
            Depth::Line | Depth::Agent => head.line(bytes),
            Depth::Brief | Depth::Whole => b"",
        };
        self.push(&mut at, &[line], most.1);
        for name in ["referer", "user-agent", "authorization"] {
            let value = match depth {
                Depth::Agent => head::fields(bytes, name).next().unwrap_or_default(),
                Depth::Brief | Depth::Whole | Depth::Line => b"",
            };
            self.push(&mut at, &[value], FIELD_MAX);
        }
    }

    /// Takes down the beginning of a request that could not be read.
    pub(in crate::engine) fn portray_refused(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ');
        let method = words.next().unwrap_or_default();
        let sound = method.len() <= METHOD_MAX && method.iter().all(u8::is_ascii_uppercase);
        let method = if sound { method } else { b"" };
        let target = words.next().filter(|_| sound).unwrap_or_default();
        self.text.clear();
        let mut at = 0;
        self.push(&mut at, &[method], METHOD_MAX);
        self.push(&mut at, &[], 0);
        self.push(&mut at, &[target], BRIEF.1);
        self.push(&mut at, &[], 0);
        self.push(&mut at, &[line], WHOLE.1);
        for _ in 0..3 {
            self.push(&mut at, &[], 0);
        }
    }

    /// Appends one more text, of so many bytes at most.
    fn push(&mut self, at: &mut usize, parts: &[&[u8]], most: usize) {
        let limit = self.text.len() + most;
        for part in parts {
            let room = limit.saturating_sub(self.text.len());
            let part = part.get(..room.min(part.len())).unwrap_or_default();
            self.text.extend_from_slice(part);
        }
        if let Some(end) = self.ends.get_mut(*at) {
            // Eight texts of 8 KiB at most: see the assertion below.
            *end = u16::try_from(self.text.len()).unwrap_or(u16::MAX);
        }
        *at += 1;
    }

    /// What was taken down.
    pub(in crate::engine) fn words(&self) -> Words<'_> {
        let piece = |at: usize| {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            let range = usize::from(start)..usize::from(self.ends[at]);
            self.text.get(range).unwrap_or_default()
        };
        Words {
            method: piece(0),
            host: piece(1),
            target: piece(2),
            id: piece(3),
            line: piece(4),
            referer: piece(5),
            agent: piece(6),
            credentials: piece(7),
            proto: match self.proto {
                Some(Version::Http10) => "HTTP/1.0",
                Some(Version::Http11) => "HTTP/1.1",
                None => "",
            },
        }
    }

    /// Makes it that of the next request, of which so many bytes are here already.
    pub(in crate::engine) fn turn_over(&mut self, ahead: u64, now: Moment) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        if text.capacity() > TEXT_KEPT {
            text = Vec::new();
        }
        *self = Self {
            began: (ahead > 0).then_some(now),
            came: ahead,
            text,
            ..Self::default()
        };
    }
}

/// How many texts there are.
const PIECES: usize = 8;

/// Bytes of a method: a longer one is refused.
const METHOD_MAX: usize = crate::limits::METHOD_BYTES_MAX;

/// Bytes of host and target that the recorder keeps.
pub(super) const BRIEF: (usize, usize) = (64, 128);

/// Bytes of host and target that a line shows.
const WHOLE: (usize, usize) = (
    crate::limits::HOST_BYTES_MAX,
    crate::limits::REQUEST_LINE_BYTES_MAX,
);

/// Bytes of an id.
pub(super) const ID_MAX: usize = crate::limits::REQUEST_ID_BYTES_MAX;

/// Bytes of referrer, user agent and credentials that a line shows.
const FIELD_MAX: usize = 4 * 1024;

/// Memory for text that is kept for the next request.
const TEXT_KEPT: usize = 4 * 1024;

const _: () =
    assert!(METHOD_MAX + WHOLE.0 + 2 * WHOLE.1 + ID_MAX + 3 * FIELD_MAX <= u16::MAX as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn portrait(text: &str, depth: Depth) -> Note {
        let mut note = Note::default();
        let head = head::request(text.as_bytes()).unwrap();
        note.portray(&head, text.as_bytes(), b"", depth);
        note
    }

    #[test]
    fn each_depth_shows_what_it_is_for() {
        let text = "GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\nReferer: r\r\n\
                    User-Agent: u v\r\nAuthorization: Basic eDp5\r\n\r\n";
        let note = portrait(text, Depth::Agent);
        let words = note.words();
        assert_eq!(words.method, b"GET");
        assert_eq!(words.host, b"a.example");
        assert_eq!(words.target, b"/?q");
        assert_eq!(words.line, b"GET http://a.example?q HTTP/1.1");
        assert_eq!((words.referer, words.agent), (&b"r"[..], &b"u v"[..]));
        assert_eq!(words.credentials, b"Basic eDp5");
        assert_eq!(words.proto, "HTTP/1.1");
        let brief = portrait(text, Depth::Brief);
        assert_eq!(brief.words().target, b"/?q");
        assert_eq!(
            (brief.words().line, brief.words().agent),
            (&b""[..], &b""[..])
        );
        let line = portrait(text, Depth::Line);
        assert_eq!(line.words().agent, b"");
        assert!(!line.words().line.is_empty());
    }

    #[test]
    fn what_is_long_is_cut() {
        let target = "/".repeat(3_000);
        let text = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(200));
        let brief = portrait(&text, Depth::Brief);
        assert_eq!(brief.words().host.len(), BRIEF.0);
        assert_eq!(brief.words().target.len(), BRIEF.1);
        let whole = portrait(&text, Depth::Whole);
        assert_eq!(whole.words().host.len(), 200);
        assert_eq!(whole.words().target.len(), 3_000);
    }

    #[test]
    fn of_a_refused_request_its_line_is_known() {
        let mut note = Note::default();
        note.portray_refused(b"GET /a b HTTP/1.1");
        assert_eq!(note.words().method, b"GET");
        assert_eq!(note.words().target, b"/a");
        assert_eq!(note.words().line, b"GET /a b HTTP/1.1");
        note.portray_refused(b"\x16\x03\x01 x");
        assert_eq!(note.words().method, b"");
        assert_eq!(note.words().target, b"");
        assert_eq!(note.words().line, b"\x16\x03\x01 x");
    }

    #[test]
    fn the_next_one_inherits_nothing_but_what_is_its_own() {
        let mut note = portrait("GET /a HTTP/1.1\r\nHost: h\r\n\r\n", Depth::Agent);
        note.tries = 3;
        note.turn_over(7, Moment(9));
        assert_eq!((note.came, note.began), (7, Some(Moment(9))));
        assert_eq!((note.tries, note.words()), (0, Words::default()));
        note.turn_over(0, Moment(9));
        assert_eq!(note.began, None);
    }
}
