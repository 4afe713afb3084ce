//! A client of the simulated world: asks, one request behind the other or several at once, and
//! checks every byte of what comes back.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::cover::Cover;
use crate::invariant::Invariant;
use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Ledger;
use crate::ledger::fill;
use crate::message::Reading;
use crate::net::Actor;
use crate::net::Net;
use crate::secure::Secure;
use crate::weather::Misdeed;
use crate::weather::Weather;

/// How long a client waits for anything before it gives up: longer than any timeout of the proxy.
const PATIENCE: Span = Span::seconds(400);

/// How much of a head comes at first when the rest is late.
const DRIBBLE_BYTES: usize = 10;

/// One client.
pub(crate) struct Client {
    proxy: SocketAddr,
    ledger: Ledger,
    weather: Rc<Cell<Weather>>,
    /// Requests it has yet to ask.
    left: usize,
    body_max: u64,
    socket: Option<Socket>,
    cover: Rc<Cover>,
    secure: Secure,
    /// Asked and not answered, in order.
    asked: VecDeque<usize>,
    /// What this connection may still ask.
    to_ask: usize,
    output: Vec<u8>,
    written: usize,
    reading: Reading,
    /// In the body of the answer to the first of `asked`.
    in_body: bool,
    patience: Moment,
    /// After so many more bytes written it goes away.
    abort_after: Option<usize>,
    half_close: bool,
    /// The rest of the first head comes no earlier than this.
    dribble: Option<Moment>,
    pause: Option<Moment>,
}

impl Client {
    pub(crate) fn new(
        proxy: SocketAddr,
        ledger: &Ledger,
        weather: &Rc<Cell<Weather>>,
        cover: &Rc<Cover>,
        left: usize,
        body_max: u64,
    ) -> Self {
        Self {
            proxy,
            ledger: Rc::clone(ledger),
            weather: Rc::clone(weather),
            left,
            body_max,
            socket: None,
            cover: Rc::clone(cover),
            secure: Secure::plain(),
            asked: VecDeque::new(),
            to_ask: 0,
            output: Vec::new(),
            written: 0,
            reading: Reading::default(),
            in_body: false,
            patience: Moment::default(),
            abort_after: None,
            half_close: false,
            dribble: None,
            pause: None,
        }
    }

    /// Whether it has asked everything and heard of it.
    pub(crate) fn is_done(&self) -> bool {
        self.left == 0 && self.socket.is_none()
    }

    /// More to ask.
    pub(crate) const fn give(&mut self, requests: usize) {
        self.left += requests;
    }

    fn start(&mut self, net: &mut Net, now: Moment) {
        self.socket = net.connect(self.proxy).ok();
        self.secure = self.cover.client(net);
        self.patience = now + PATIENCE;
        self.to_ask = usize::try_from(1 + net.below(8))
            .expect("small")
            .min(self.left);
        self.asked.clear();
        self.output.clear();
        self.written = 0;
        self.reading = Reading::default();
        self.in_body = false;
        let weather = self.weather.get();
        let ledger = Rc::clone(&self.ledger);
        let strikes = |misdeed, net: &mut Net| ledger.borrow_mut().strikes(weather, misdeed, net);
        let abort = strikes(Misdeed::Abort, net);
        self.abort_after = abort.then(|| usize::try_from(net.below(3_000)).expect("small"));
        self.half_close = strikes(Misdeed::HalfClose, net);
        let dribbles = strikes(Misdeed::Dribble, net);
        self.dribble = dribbles.then(|| now + Span::millis(5_200 + net.below(4_000)));
        let at_once = if net.below(3) == 0 { self.to_ask } else { 1 };
        for _ in 0..at_once {
            self.ask(net);
        }
    }

    /// Writes one more request into the output.
    fn ask(&mut self, net: &mut Net) {
        self.to_ask -= 1;
        self.left -= 1;
        let frame = match net.below(10) {
            0..=4 => Frame::Length,
            5..=6 => Frame::Chunked,
            7 => Frame::UntilClose,
            8 => Frame::NoContent,
            _ => Frame::NotModified,
        };
        let mut size = |most: u64| {
            let most = if net.below(10) == 0 {
                most
            } else {
                most.min(500)
            };
            usize::try_from(net.below(most + 1)).expect("small")
        };
        let (request_bytes, response_bytes) = (size(self.body_max), size(self.body_max));
        let post = net.below(3) == 0;
        let head = !post && net.below(8) == 0;
        let chunked = net.below(2) == 0;
        let entry = Entry {
            post,
            head,
            request_bytes: if post { request_bytes } else { 0 },
            response_bytes,
            frame,
            executions: 0,
            answers: 0,
        };
        let id = self.ledger.borrow_mut().enter(entry);
        self.asked.push_back(id);
        let method = if post {
            "POST"
        } else if head {
            "HEAD"
        } else {
            "GET"
        };
        let mut text = format!("{method} /{id} HTTP/1.1\r\nHost: sim.test\r\nX-Id: {id}\r\n");
        if post && chunked {
            text.push_str("Transfer-Encoding: chunked\r\n");
        } else if post {
            let _ = write!(text, "Content-Length: {request_bytes}\r\n");
        }
        text.push_str("\r\n");
        self.output.extend_from_slice(text.as_bytes());
        if post && chunked {
            let mut at = 0;
            while at < request_bytes {
                let most = u64::try_from(request_bytes - at).expect("small");
                let count = usize::try_from(1 + net.below(most)).expect("small");
                // Odd spellings of a size are the proxy's to make canonical.
                self.output
                    .extend_from_slice(format!("{count:04X};a=b\r\n").as_bytes());
                fill(&mut self.output, id, false, at, count);
                self.output.extend_from_slice(b"\r\n");
                at += count;
            }
            self.output.extend_from_slice(b"0\r\n\r\n");
        } else if post {
            fill(&mut self.output, id, false, 0, request_bytes);
        }
    }

    /// Goes on until it is blocked; an error is the end of the connection.
    fn step(&mut self, net: &mut Net, socket: Socket, now: Moment) -> io::Result<()> {
        match net.established(socket) {
            // Undecided, or over in both directions: the other verbs know which.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            verdict => verdict?,
        }
        let wrote = self.write(net, socket, now);
        // An answer may be here although nothing more is taken.
        let read = self.read(net, socket, now);
        match read {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => wrote.and(read),
        }
    }

    fn write(&mut self, net: &mut Net, socket: Socket, now: Moment) -> io::Result<()> {
        while self.written < self.output.len() {
            let mut rest = &self.output[self.written..];
            if self.dribble.is_some_and(|until| until > now) {
                let Some(start) = DRIBBLE_BYTES
                    .checked_sub(self.written)
                    .filter(|left| *left > 0)
                else {
                    return Err(io::ErrorKind::WouldBlock.into());
                };
                rest = &rest[..start.min(rest.len())];
            }
            if let Some(left) = self.abort_after {
                if left == 0 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                rest = &rest[..left.min(rest.len())];
            }
            let count = self.secure.write(net, socket, rest)?;
            self.written += count;
            if let Some(left) = &mut self.abort_after {
                *left -= count;
            }
        }
        if std::mem::take(&mut self.half_close) && self.to_ask == 0 {
            self.secure.finish(net, socket)?;
        }
        Ok(())
    }

    fn read(&mut self, net: &mut Net, socket: Socket, now: Moment) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            if self.pause.is_some_and(|until| until > now) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let mut most = buffer.len();
            let weather = self.weather.get();
            if self
                .ledger
                .borrow_mut()
                .strikes(weather, Misdeed::Slow, net)
            {
                most = usize::try_from(1 + net.below(40)).expect("small");
                self.pause = Some(now + Span(1 + net.below(50_000_000)));
            }
            let count = match self.secure.read(net, socket, &mut buffer[..most])? {
                0 => return self.ended(),
                count => count,
            };
            self.patience = now + PATIENCE;
            self.reading.push(&buffer[..count]);
            self.answers(net, now)?;
        }
    }

    /// Takes what is whole of the answers.
    fn answers(&mut self, net: &mut Net, now: Moment) -> io::Result<()> {
        loop {
            let Some(id) = self.asked.front().copied() else {
                assert!(self.reading.is_empty(), "bytes that nobody asked for");
                return Ok(());
            };
            if !self.in_body {
                let Some(head) = self.reading.head() else {
                    return Ok(());
                };
                let mut words = head.start.split(' ');
                assert_eq!(words.next(), Some("HTTP/1.1"));
                let status: u16 = words
                    .next()
                    .and_then(|word| word.parse().ok())
                    .expect("status");
                if status == 103 {
                    continue;
                }
                let Some(said) = head.number("x-id") else {
                    // Not of an origin's: the proxy's own. What is behind it is not for us.
                    assert!(status >= 400, "{head:?}");
                    self.ledger.borrow_mut().refuse(id, status);
                    self.asked.pop_front();
                    return Err(io::ErrorKind::ConnectionRefused.into());
                };
                self.ledger
                    .borrow_mut()
                    .check(Invariant::OneAnswer, said == id, || {
                        format!("the answer to {said} came where {id} was asked")
                    });
                assert!(
                    head.value("via")
                        .is_some_and(|via| via.contains("tidegate"))
                );
                let entry = self.ledger.borrow().entry(id);
                let bodiless = entry.head || status == 204 || status == 304;
                self.reading.begin(&head, id, true, bodiless);
                self.in_body = true;
            }
            let Some(length) = self.reading.body() else {
                return Ok(());
            };
            self.whole(id, length);
            if self.to_ask > 0 {
                self.ask(net);
                return match self.write_more(net, now) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                    other => other,
                };
            }
            if self.asked.is_empty() {
                return Err(io::ErrorKind::Other.into());
            }
        }
    }

    fn write_more(&mut self, net: &mut Net, now: Moment) -> io::Result<()> {
        match self.socket {
            Some(socket) => self.write(net, socket, now),
            None => Ok(()),
        }
    }

    fn whole(&mut self, id: usize, length: usize) {
        self.ledger.borrow_mut().answer(id, length);
        self.asked.pop_front();
        self.in_body = false;
    }

    /// The proxy has said that nothing more comes.
    fn ended(&mut self) -> io::Result<()> {
        if self.in_body
            && let Some(length) = self.reading.end()
            && let Some(id) = self.asked.front().copied()
        {
            self.whole(id, length);
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// The connection is over: what was asked and not answered is broken.
    fn over(&mut self) {
        let mut book = self.ledger.borrow_mut();
        book.broken += self.asked.len() as u64;
        self.asked.clear();
        self.socket = None;
        self.pause = None;
    }
}

impl Actor for Client {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        while net.changed().is_some() {}
        loop {
            let socket = match self.socket {
                Some(socket) => socket,
                None if self.left == 0 => return None,
                None => {
                    self.start(net, now);
                    match self.socket {
                        Some(socket) => socket,
                        None => return Some(now + Span::millis(10)),
                    }
                }
            };
            match self.step(net, socket, now) {
                Ok(()) => return Some(self.patience),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if now < self.patience {
                        let later = [self.pause, self.dribble].into_iter().flatten();
                        let wake = later.filter(|until| *until > now).min();
                        return Some(wake.unwrap_or(self.patience).min(self.patience));
                    }
                    let swallows = self.weather.get().swallows;
                    assert!(
                        swallows,
                        "a client waited for {PATIENCE} for {:?}",
                        self.asked
                    );
                    net.abort(socket);
                }
                // It goes away in the middle.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => net.abort(socket),
                Err(_) => self.secure.close(net, socket),
            }
            self.over();
        }
    }
}
