//! What a client asks for, drawn by lot, and how it is spelled.

use std::fmt::Write as _;

use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::ledger::fill;
use crate::net::Net;
use crate::sky::Sky;
use crate::weather::Climate;
use crate::weather::Misdeed;

/// A request that is to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) entry: Entry,
    /// The body goes out in chunks.
    chunked: bool,
    spelling: Spelling,
    /// How the client's connection goes on.
    pub(crate) then: Then,
}

/// Which HTTP it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Usual,
    Absolute,
    Old,
}

/// What may follow a request on its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Others, at once if wished.
    Others,
    /// Nothing before it is answered: the body waits for a 100.
    Waits,
    /// Nothing: the connection ends.
    Nothing,
    /// Nothing, although the connection might be kept: HTTP/1.0 with `Connection: keep-alive`.
    Kept,
    /// Another protocol, of which so many bytes follow at once.
    Stream(usize),
}

impl Order {
    pub(crate) fn draw(net: &mut Net, sky: &Sky, body_max: u64) -> Self {
        // Who asks for what must not be repeated learns of connections that close without a word.
        let careful = sky.climate() == Climate::Closing;
        let method = match net.below(16) {
            0..=6 => Method::Get,
            7 => Method::Head,
            8 => Method::Options,
            9 => Method::Delete,
            10 | 11 => Method::Put,
            _ if careful => Method::Get,
            _ => Method::Post,
        };
        let request_max = if careful { 500 } else { body_max };
        let mut request_bytes = if method.has_body() {
            size(net, request_max).min(sky.body_most)
        } else {
            0
        };
        let chunked = method.has_body() && net.below(2) == 0;
        let mut kind = Kind::Plain;
        let misdeed = match chunked {
            false => Misdeed::TooLong,
            true => Misdeed::TooLongInside,
        };
        if method.has_body() && sky.body_most < SMALL && sky.strikes(net, misdeed) {
            kind = Kind::TooLong(misdeed);
            request_bytes = sky.body_most + 1 + below(net, 5_000);
        }
        let frame = match net.below(10) {
            0..=4 => Frame::Length,
            5..=6 => Frame::Chunked,
            7 => Frame::UntilClose,
            8 => Frame::NoContent,
            _ => Frame::NotModified,
        };
        let mut order = Self {
            entry: Entry {
                method,
                kind,
                trailers: chunked && sky.strikes(net, Misdeed::Trails),
                request_bytes,
                response_bytes: size(net, body_max),
                frame,
                executions: 0,
                answers: 0,
            },
            chunked,
            spelling: Spelling::Usual,
            then: Then::Others,
        };
        order.decide(net, sky, body_max);
        order
    }

    fn decide(&mut self, net: &mut Net, sky: &Sky, body_max: u64) {
        if self.entry.method == Method::Get && sky.strikes(net, Misdeed::Upgrades) {
            self.entry.kind = Kind::Stream;
            self.entry.frame = Frame::Length;
            self.entry.request_bytes = size(net, body_max);
            let hasty = sky.strikes(net, Misdeed::Hasty);
            let early = if hasty {
                self.entry.request_bytes.min(50)
            } else {
                0
            };
            self.then = Then::Stream(early);
        } else if sky.strikes(net, Misdeed::Absolute) {
            self.spelling = Spelling::Absolute;
        } else if !self.chunked && sky.strikes(net, Misdeed::Old) {
            self.spelling = Spelling::Old;
            self.then = if net.below(2) == 0 {
                Then::Kept
            } else {
                Then::Nothing
            };
        } else if sky.strikes(net, Misdeed::SaysClose) {
            self.then = Then::Nothing;
        } else if self.entry.request_bytes > 0 && sky.strikes(net, Misdeed::Expects) {
            self.then = Then::Waits;
        }
    }

    /// Writes the request under this number; the length of its head.
    pub(crate) fn write(&self, out: &mut Vec<u8>, id: usize, net: &mut Net) -> usize {
        let start = out.len();
        let entry = &self.entry;
        let (origin, version) = match self.spelling {
            Spelling::Usual => ("", "HTTP/1.1"),
            Spelling::Absolute => ("http://sim.test", "HTTP/1.1"),
            Spelling::Old => ("", "HTTP/1.0"),
        };
        let mut text = format!(
            "{} {origin}/{id} {version}\r\nHost: sim.test\r\nX-Id: {id}\r\n",
            entry.method.name()
        );
        match (self.then, self.spelling) {
            (Then::Waits, _) => text.push_str("Expect: 100-continue\r\n"),
            (Then::Kept, _) => text.push_str("Connection: keep-alive\r\n"),
            (Then::Nothing, Spelling::Usual | Spelling::Absolute) => {
                text.push_str("Connection: close\r\n");
            }
            (Then::Stream(_), _) => text.push_str("Connection: Upgrade\r\nUpgrade: chat\r\n"),
            (Then::Nothing, Spelling::Old) | (Then::Others, _) => {}
        }
        if self.chunked {
            text.push_str("Transfer-Encoding: chunked\r\n");
        } else if entry.method.has_body() {
            let _ = write!(text, "Content-Length: {}\r\n", entry.request_bytes);
        }
        text.push_str("\r\n");
        out.extend_from_slice(text.as_bytes());
        let head = out.len() - start;
        if let Then::Stream(early) = self.then {
            fill(out, id, false, 0, early);
        } else if self.chunked {
            self.chunks(out, id, net);
        } else {
            fill(out, id, false, 0, entry.request_bytes);
        }
        head
    }

    fn chunks(&self, out: &mut Vec<u8>, id: usize, net: &mut Net) {
        let mut at = 0;
        while at < self.entry.request_bytes {
            let most = self.entry.request_bytes - at;
            let count = 1 + below(net, most);
            // Odd spellings of a size are the proxy's to make canonical.
            out.extend_from_slice(format!("{count:04X};a=b\r\n").as_bytes());
            fill(out, id, false, at, count);
            out.extend_from_slice(b"\r\n");
            at += count;
        }
        out.extend_from_slice(b"0\r\n");
        if self.entry.trailers {
            out.extend_from_slice(format!("X-Trail: {id}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Bodies that are longer than a limit beyond this are not worth their memory.
const SMALL: usize = 1 << 20;

/// A body's size: mostly small.
pub(crate) fn size(net: &mut Net, most: u64) -> usize {
    let most = if net.below(10) == 0 {
        most
    } else {
        most.min(500)
    };
    usize::try_from(net.below(most + 1)).expect("small")
}

/// A number in `0..bound`, which must not be zero.
pub(crate) fn below(net: &mut Net, bound: usize) -> usize {
    usize::try_from(net.below(bound as u64)).expect("below a usize")
}
