//! What an origin of the simulated world says: whole answers in every framing, and all the ways
//! in which they go wrong.

use std::fmt::Write as _;

use tidegate::base::time::Span;

use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::ledger::fill;
use crate::net::Net;
use crate::order::below;
use crate::sky::Sky;
use crate::weather::Misdeed;

/// What an origin says to a request, and what it does then.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) output: Vec<u8>,
    pub(crate) then: Then,
    /// The output goes out in so many pieces.
    pub(crate) pieces: usize,
    /// Bytes that nobody asked for are behind the answer.
    pub(crate) surplus: bool,
}

/// What follows once the output is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Then {
    #[default]
    Serve,
    /// Serve, but close when nothing came for so long.
    ServeFor(Span),
    Close,
    /// Listen no more, and close a little later.
    CloseIn(Span),
    Reset,
    Hang,
}

/// How an answer is spelled.
#[derive(Clone, Copy, Debug, Default)]
struct Spelling {
    old: bool,
    closes: bool,
    /// Extensions and trailers.
    adorned: bool,
    long: bool,
    /// Bytes promised beyond those that come.
    missing: usize,
    keeps_seconds: Option<u64>,
}

impl Reply {
    /// The reply to a whole request.
    pub(crate) fn new(id: usize, entry: &Entry, sky: &Sky, net: &mut Net) -> Self {
        let mut reply = Self::default();
        if sky.strikes(net, Misdeed::NoAnswer) {
            let resets = net.below(2) == 0;
            reply.then = if resets { Then::Reset } else { Then::Close };
            return reply;
        }
        if sky.strikes(net, Misdeed::Hang) {
            reply.then = Then::Hang;
            return reply;
        }
        if sky.strikes(net, Misdeed::Garbage) {
            reply.output = garbage(entry, net);
            reply.then = Then::Close;
            return reply;
        }
        let interims = if sky.strikes(net, Misdeed::InterimStorm) {
            9 + below(net, 30)
        } else if sky.strikes(net, Misdeed::Interim) {
            1 + below(net, 8)
        } else {
            0
        };
        for _ in 0..interims {
            reply.output.extend_from_slice(INTERIM);
        }
        let start = reply.output.len();
        let spelling = Spelling::draw(entry, sky, net);
        spell(&mut reply.output, id, entry, spelling);
        if spelling.closes || entry.frame == Frame::UntilClose || spelling.missing > 0 {
            reply.then = Then::Close;
        }
        reply.spoil(start, entry, sky, net);
        if let Some(seconds) = spelling.keeps_seconds.filter(|_| reply.then == Then::Serve) {
            reply.then = Then::ServeFor(Span::seconds(seconds));
        }
        if sky.strikes(net, Misdeed::Drip) && !reply.surplus {
            reply.pieces = 2 + below(net, 20);
        }
        reply
    }

    /// An answer to a request that may not be here yet.
    pub(crate) fn early(id: usize, entry: &Entry, then: Then) -> Self {
        let mut reply = Self {
            then,
            ..Self::default()
        };
        spell(&mut reply.output, id, entry, Spelling::default());
        if entry.frame == Frame::UntilClose {
            reply.then = Then::Close;
        }
        reply
    }

    /// The answer that begins at `start` goes wrong, or right.
    fn spoil(&mut self, start: usize, entry: &Entry, sky: &Sky, net: &mut Net) {
        // An answer that ends with its connection is cut by a reset only.
        let framed = entry.frame != Frame::UntilClose;
        let cut = start + below(net, self.output.len() - start);
        if framed && sky.strikes(net, Misdeed::CutClose) {
            self.output.truncate(cut);
            self.then = Then::Close;
        } else if sky.strikes(net, Misdeed::CutReset) {
            self.output.truncate(cut);
            self.then = Then::Reset;
        } else if sky.strikes(net, Misdeed::HangInside) {
            self.output.truncate(cut);
            self.then = Then::Hang;
        } else if self.then == Then::Serve && sky.strikes(net, Misdeed::SilentClose) {
            self.then = Then::CloseIn(Span(net.below(20_000_000)));
        } else if self.then == Then::Serve
            && self.output.len() < SURPLUS_BEHIND_MAX
            && sky.strikes(net, Misdeed::Surplus)
        {
            self.surplus = true;
            self.output.extend_from_slice(SURPLUS);
        } else if self.then == Then::Serve && sky.strikes(net, Misdeed::IdleClose) {
            self.then = Then::ServeFor(Span::millis(1_200));
        }
    }
}

impl Spelling {
    fn draw(entry: &Entry, sky: &Sky, net: &mut Net) -> Self {
        let mut spelling = Self {
            adorned: sky.strikes(net, Misdeed::Extensions),
            long: sky.strikes(net, Misdeed::LongHead),
            closes: sky.strikes(net, Misdeed::Closes),
            ..Self::default()
        };
        if entry.frame == Frame::Length && entry.method != Method::Head {
            if sky.strikes(net, Misdeed::WrongLength) {
                spelling.missing = 1 + below(net, 100);
            } else if sky.strikes(net, Misdeed::OldAnswer) {
                spelling.old = true;
                spelling.closes |= net.below(2) == 0;
            }
        }
        if sky.strikes(net, Misdeed::HugeHead) {
            spelling.missing = HUGE;
        }
        if !spelling.closes && sky.strikes(net, Misdeed::KeepAliveSaid) {
            spelling.keeps_seconds = Some(1 + net.below(4));
        }
        spelling
    }
}

/// A 101, to which bytes of the new protocol may be glued.
pub(crate) fn switch(out: &mut Vec<u8>, id: usize) {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nX-Id: {id}\r\n\
         Connection: upgrade\r\nUpgrade: chat\r\n\r\n"
    );
    out.extend_from_slice(head.as_bytes());
}

fn garbage(entry: &Entry, net: &mut Net) -> Vec<u8> {
    let choices: [&[u8]; 6] = [
        b"\x16\x03\x01\x00\x2egarbage\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\n",
    ];
    // To whom asks for it the last one is no garbage.
    let most = choices.len() - usize::from(entry.kind == Kind::Stream);
    choices[below(net, most)].to_vec()
}

fn spell(out: &mut Vec<u8>, id: usize, entry: &Entry, spelling: Spelling) {
    let count = entry.response_bytes;
    let version = if spelling.old { "HTTP/1.0" } else { "HTTP/1.1" };
    let status = match entry.frame {
        Frame::NoContent => "204 No Content",
        Frame::NotModified => "304 Not Modified",
        Frame::Length | Frame::Chunked | Frame::UntilClose => "200 OK",
    };
    let mut head = format!("{version} {status}\r\nX-Id: {id}\r\n");
    match entry.frame {
        Frame::Length if spelling.missing < HUGE => {
            let _ = write!(head, "Content-Length: {}\r\n", count + spelling.missing);
        }
        Frame::Length => drop(write!(head, "Content-Length: {count}\r\n")),
        Frame::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        Frame::UntilClose | Frame::NoContent | Frame::NotModified => {}
    }
    // That an answer without a length ends with its connection need not be said, unless there is
    // none of it.
    let unsaid = entry.frame == Frame::UntilClose && entry.method == Method::Head;
    if spelling.closes || unsaid {
        head.push_str("Connection: close\r\n");
    } else if spelling.old {
        head.push_str("Connection: keep-alive\r\n");
    }
    if let Some(seconds) = spelling.keeps_seconds {
        let _ = write!(head, "Keep-Alive: timeout={seconds}, max=100\r\n");
    }
    if spelling.long || spelling.missing == HUGE {
        let lines = if spelling.missing == HUGE { 18 } else { 10 };
        for _ in 0..lines {
            let _ = write!(head, "X-Long: {}\r\n", "l".repeat(1_000));
        }
    }
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"\r\n");
    if entry.method == Method::Head {
        return;
    }
    match entry.frame {
        Frame::Length | Frame::UntilClose => fill(out, id, true, 0, count),
        Frame::Chunked => chunks(out, id, count, spelling.adorned),
        Frame::NoContent | Frame::NotModified => {}
    }
}

fn chunks(out: &mut Vec<u8>, id: usize, count: usize, adorned: bool) {
    let mut at = 0;
    while at < count {
        let piece = (count - at).min(1 + id % 997);
        // There is a limit to what one message may have of them.
        let extension = if adorned && at < 300 { ";a=\"b\"" } else { "" };
        out.extend_from_slice(format!("{piece:x}{extension}\r\n").as_bytes());
        fill(out, id, true, at, piece);
        out.extend_from_slice(b"\r\n");
        at += piece;
    }
    out.extend_from_slice(b"0\r\n");
    if adorned {
        out.extend_from_slice(format!("X-Trail: {id}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

const INTERIM: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";

/// Looks like an answer, and is one to nothing.
pub(crate) const SURPLUS: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Answers up to this length leave in one write.
const SURPLUS_BEHIND_MAX: usize = 8 * 1024;

/// So many bytes missing stand for a head that is too large.
const HUGE: usize = 1 << 20;
