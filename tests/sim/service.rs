//! One connection to an origin of the simulated world.

use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::answer::Reply;
use crate::answer::Then;
use crate::answer::switch;
use crate::invariant::Invariant;
use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::ledger::fill;
use crate::message::Head;
use crate::message::Reading;
use crate::net::Net;
use crate::order::below;
use crate::secure::Secure;
use crate::sky::Sky;
use crate::stream::Stream;
use crate::weather::Misdeed;

/// What all connections of an origin share.
pub(crate) struct Desk {
    pub(crate) at: SocketAddr,
    pub(crate) number: usize,
    /// Every connection is a stream from its first byte on.
    pub(crate) streams: bool,
    pub(crate) sky: Sky,
}

/// One connection.
#[derive(Default)]
pub(crate) struct Service {
    secure: Secure,
    reading: Reading,
    /// The request whose body is being read, and whether it was answered already.
    current: Option<(usize, bool)>,
    output: Vec<u8>,
    written: usize,
    /// The output goes out in pieces of so many bytes.
    piece: Option<usize>,
    pause: Option<Moment>,
    then: Then,
    /// When it is closed if nothing comes.
    close_at: Option<Moment>,
    /// When bytes that nobody asked for are sent.
    surplus_at: Option<Moment>,
    /// From then on nobody may use this connection for a request.
    spoiled: Option<Moment>,
    stream: Option<Stream>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Closed,
    Reset,
}

impl Service {
    /// A connection that has just been accepted.
    pub(crate) fn new(secure: Secure) -> Self {
        Self {
            secure,
            ..Self::default()
        }
    }

    /// Closes.
    pub(crate) fn close(&mut self, net: &mut Net, socket: Socket) {
        self.secure.close(net, socket);
    }

    /// When it can go on by itself.
    pub(crate) fn wake(&self) -> Option<Moment> {
        let times = [self.pause, self.close_at, self.surplus_at];
        times.into_iter().flatten().min()
    }

    /// Goes on until it is blocked, or the connection is over.
    pub(crate) fn serve(
        &mut self,
        desk: &Desk,
        net: &mut Net,
        socket: Socket,
        now: Moment,
    ) -> Option<Over> {
        if self.pause.is_some_and(|until| until <= now) {
            self.pause = None;
        }
        if self.close_at.is_some_and(|at| at <= now) {
            return Some(Over::Closed);
        }
        if self.surplus_at.is_some_and(|at| at <= now) {
            self.surplus_at = None;
            // Only behind an answer: inside one it would be a part of it.
            if self.output.is_empty() {
                self.spoiled = Some(now + NOTICE);
                let _ = self.secure.write(net, socket, b"surplus\r\n\r\n");
            }
        }
        match self.go_on(desk, net, socket, now) {
            Ok(over) => Some(over),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            // What had come in front of a reset is not a whole anything.
            Err(_) => Some(Over::Closed),
        }
    }

    fn go_on(
        &mut self,
        desk: &Desk,
        net: &mut Net,
        socket: Socket,
        now: Moment,
    ) -> io::Result<Over> {
        let mut buffer = [0; 4096];
        loop {
            self.flush(net, socket, now)?;
            match self.then {
                Then::Serve | Then::ServeFor(_) | Then::Hang => {}
                Then::CloseIn(_) => return Err(io::ErrorKind::WouldBlock.into()),
                Then::Close => {
                    self.secure.farewell(net, socket)?;
                    return Ok(Over::Closed);
                }
                Then::Reset => return Ok(Over::Reset),
            }
            if let Some(stream) = &mut self.stream {
                let wrote = stream.write(net, socket, &mut self.secure);
                if stream.is_over() {
                    return Ok(Over::Closed);
                }
                if stream.is_ended() {
                    return wrote.map(|()| Over::Closed);
                }
                if wrote
                    .as_ref()
                    .is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
                {
                    return Ok(Over::Reset);
                }
            } else if self.advance(desk, net, now) {
                continue;
            }
            let count = self.secure.read(net, socket, &mut buffer)?;
            match (&mut self.stream, count) {
                (Some(stream), 0) => stream.end(),
                (None, 0) => return Ok(Over::Closed),
                (Some(stream), count) => stream.take(&buffer[..count]),
                (None, count) => self.push(&buffer[..count], desk, now),
            }
        }
    }

    /// Writes the output, at its pace.
    fn flush(&mut self, net: &mut Net, socket: Socket, now: Moment) -> io::Result<()> {
        let pending = !self.output.is_empty();
        while self.written < self.output.len() {
            if self.pause.is_some() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let mut rest = &self.output[self.written..];
            if let Some(piece) = self.piece {
                rest = &rest[..piece.min(rest.len())];
                self.pause = Some(now + Span(1 + net.below(100_000_000)));
            }
            self.written += self.secure.write(net, socket, rest)?;
        }
        self.secure.flush(net, socket)?;
        if pending {
            self.secure.chat(net);
        }
        self.output.clear();
        self.written = 0;
        self.piece = None;
        if let (true, Then::ServeFor(span) | Then::CloseIn(span)) = (pending, self.then) {
            self.close_at = Some(now + span);
        }
        Ok(())
    }

    /// Bytes came, which is the end of being idle.
    fn push(&mut self, bytes: &[u8], desk: &Desk, now: Moment) {
        self.close_at = None;
        self.surplus_at = None;
        if desk.streams {
            self.reading.push(bytes);
            self.greet(desk);
            return;
        }
        self.reading.push(bytes);
        if self.current.is_none() {
            let rest = self.reading.rest();
            let has = |what: &[u8]| rest.windows(what.len()).any(|part| part == what);
            let evil = has(EVIL);
            let mut book = desk.sky.ledger.borrow_mut();
            book.check(Invariant::TlsFirst, !(evil && has(BARE)), || {
                format!("this was said in the clear: {}", rest.escape_ascii())
            });
            book.check(Invariant::RefusedStaysOut, !evil, || {
                format!("this came through: {}", rest.escape_ascii())
            });
            let late = self.spoiled.is_some_and(|from| now > from);
            book.check(Invariant::OneAnswer, !late, || {
                "a request on a connection on which an answer to nothing waits".to_owned()
            });
        }
    }

    /// In mode tcp a stream says first whose it is.
    fn greet(&mut self, desk: &Desk) {
        let Some((first, rest)) = self.reading.rest().split_first_chunk::<8>() else {
            return;
        };
        let id = usize::try_from(u64::from_be_bytes(*first)).expect("small");
        let mut book = desk.sky.ledger.borrow_mut();
        book.execute(id, desk.number);
        let mut stream = Stream::origin(id, &book.entry(id), 0, false);
        stream.take(rest);
        self.stream = Some(stream);
    }

    /// Takes what is whole of a request. True if there is something to write, or to end.
    fn advance(&mut self, desk: &Desk, net: &mut Net, now: Moment) -> bool {
        if desk.streams || self.then == Then::Hang {
            return false;
        }
        if self.current.is_none() {
            let Some(head) = self.reading.head() else {
                return false;
            };
            let id = judged(&head, &desk.sky.cover.told(desk.at));
            let entry = desk.sky.ledger.borrow().entry(id);
            // The reader is strict: what could be read in two ways does not get here.
            let mut book = desk.sky.ledger.borrow_mut();
            book.named(id, head.value("x-request-id").unwrap_or_default());
            book.check(Invariant::Unambiguous, true, String::new);
            drop(book);
            self.then = Then::Serve;
            if entry.kind == Kind::Stream {
                self.switch(id, &entry, desk, net);
                return true;
            }
            self.reading.begin(&head, id, false, false);
            self.current = Some((id, false));
            if let Some(then) = early(&entry, &desk.sky, net) {
                desk.sky.ledger.borrow_mut().execute(id, desk.number);
                self.current = Some((id, true));
                self.say(Reply::early(id, &entry, then), net);
                return true;
            }
        }
        let Some((id, answered)) = self.current else {
            return false;
        };
        let Some(length) = self.reading.body() else {
            return false;
        };
        let entry = desk.sky.ledger.borrow().entry(id);
        let trailers = self.reading.trailers();
        desk.sky.ledger.borrow_mut().received(id, length, trailers);
        self.current = None;
        if !answered {
            desk.sky.ledger.borrow_mut().execute(id, desk.number);
            let reply = Reply::new(id, &entry, &desk.sky, net);
            let unlimited = entry.frame == Frame::UntilClose && entry.method != Method::Head;
            if unlimited && self.secure.will_be_cut() {
                desk.sky.ledger.borrow_mut().cut.insert(id);
            }
            self.say(reply, net);
        }
        if self.then == Then::Serve
            && self.spoiled.is_none()
            && desk.sky.strikes(net, Misdeed::LateSurplus)
        {
            self.surplus_at = Some(now + Span::millis(5 + net.below(500)));
        }
        true
    }

    fn say(&mut self, reply: Reply, net: &Net) {
        let pieces = reply.pieces.max(1);
        self.piece = (pieces > 1).then(|| reply.output.len() / pieces + 1);
        self.output.extend_from_slice(&reply.output);
        self.then = reply.then;
        if reply.surplus {
            self.spoiled = Some(net.now());
        }
    }

    /// Somebody wants to speak another protocol.
    fn switch(&mut self, id: usize, entry: &Entry, desk: &Desk, net: &mut Net) {
        desk.sky.ledger.borrow_mut().execute(id, desk.number);
        if desk.sky.strikes(net, Misdeed::Declines) {
            let mut entry = *entry;
            entry.frame = Frame::Length;
            self.say(Reply::new(id, &entry, &desk.sky, net), net);
            return;
        }
        switch(&mut self.output, id);
        let mut sent = 0;
        if desk.sky.strikes(net, Misdeed::Glued) {
            sent = below(net, entry.response_bytes.min(9_000) + 1);
            fill(&mut self.output, id, true, 0, sent);
        }
        let mut stream = Stream::origin(id, entry, sent, true);
        stream.take(self.reading.rest());
        self.stream = Some(stream);
    }
}

/// Whether an origin does not wait for the body.
fn early(entry: &Entry, sky: &Sky, net: &mut Net) -> Option<Then> {
    let spoiled = matches!(entry.kind, Kind::Poisoned | Kind::TooLong(_));
    if entry.request_bytes == 0 || spoiled {
        return None;
    }
    if sky.strikes(net, Misdeed::Early) {
        return Some(Then::Close);
    }
    let open = sky.strikes(net, Misdeed::EarlyOpen);
    open.then_some(Then::Serve)
}

/// What every request that comes through the proxy must look like.
fn judged(head: &Head, told: &(&str, String)) -> usize {
    let id = head.number("x-id").expect("every request has a number");
    assert!(
        head.start.ends_with(&format!(" /{id} HTTP/1.1")),
        "{head:?}"
    );
    assert_eq!(head.value("host"), Some(told.1.as_str()));
    assert_eq!(head.value("expect"), None);
    let switches = head.value("upgrade").is_some();
    let connection = head.value("connection").map(str::to_ascii_lowercase);
    assert_eq!(connection.as_deref(), switches.then_some("upgrade"));
    assert_eq!(head.value("x-forwarded-proto"), Some(told.0));
    let from = head.value("x-forwarded-for");
    assert!(from.is_some_and(|at| at.starts_with("10.0.")), "{head:?}");
    id
}

/// In the target or the head of every request that must be refused.
pub(crate) const EVIL: &[u8] = b"evil-request";

/// In the head of every one of these that is sent in the clear where TLS is spoken.
pub(crate) const BARE: &[u8] = b"bare-evil-request";

/// Within this time the proxy has heard what came on a kept connection, whatever kept it busy.
const NOTICE: Span = Span::millis(50);
