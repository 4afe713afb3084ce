//! A client of a world in mode tcp: streams of bytes both ways.

use std::io;
use std::net::SocketAddr;

use tidegate::base::Socket;
use tidegate::base::time::Moment;

use crate::ledger::Entry;
use crate::ledger::Frame;
use crate::ledger::Kind;
use crate::ledger::Method;
use crate::line::End;
use crate::line::PATIENCE;
use crate::net::Actor;
use crate::net::Net;
use crate::order::below;
use crate::order::size;
use crate::secure::Secure;
use crate::sky::Sky;
use crate::stream::Stream;
use crate::weather::Climate;
use crate::weather::Misdeed;
use tidegate::base::time::Span;

/// One client.
pub(crate) struct Caller {
    proxy: SocketAddr,
    sky: Sky,
    left: usize,
    body_max: u64,
    call: Option<Call>,
}

struct Call {
    socket: Socket,
    stands: bool,
    greeting: Vec<u8>,
    stream: Stream,
    patience: Moment,
    pause: Option<Moment>,
    deaf: bool,
    /// After so many more bytes read it goes away.
    abort_reading: Option<usize>,
}

impl Caller {
    pub(crate) fn new(proxy: SocketAddr, sky: &Sky, left: usize, body_max: u64) -> Self {
        Self {
            proxy,
            sky: sky.clone(),
            left,
            body_max,
            call: None,
        }
    }

    /// Whether all its calls are over.
    pub(crate) const fn is_done(&self) -> bool {
        self.left == 0 && self.call.is_none()
    }

    /// More calls to make.
    pub(crate) const fn give(&mut self, calls: usize) {
        self.left += calls;
    }

    fn begin(&mut self, net: &mut Net, now: Moment) {
        let Ok(socket) = net.connect(self.proxy) else {
            return;
        };
        self.left -= 1;
        let entry = Entry {
            method: Method::Get,
            kind: Kind::Stream,
            trailers: false,
            request_bytes: size(net, self.body_max),
            response_bytes: size(net, self.body_max),
            frame: Frame::Length,
            executions: 0,
            answers: 0,
        };
        let id = self.sky.ledger.borrow_mut().enter(entry);
        let aborts = self.sky.strikes(net, Misdeed::AbortReading);
        self.call = Some(Call {
            socket,
            stands: false,
            greeting: (id as u64).to_be_bytes().to_vec(),
            stream: Stream::client(id, &entry, 0),
            patience: now + PATIENCE,
            pause: None,
            deaf: false,
            abort_reading: aborts.then(|| below(net, 3_000)),
        });
    }
}

impl Call {
    /// Goes on until it is blocked, or over.
    fn step(&mut self, net: &mut Net, sky: &Sky, now: Moment) -> Option<End> {
        if !self.stands {
            match net.established(self.socket) {
                Ok(()) => self.stands = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => return Some(End::Close),
            }
        }
        let mut buffer = [0; 4096];
        loop {
            if let Err(error) = self.write(net) {
                self.deaf |= error.kind() != io::ErrorKind::WouldBlock;
            }
            if self.stream.is_over() {
                return Some(End::Close);
            }
            if self.stream.is_ended() || self.pause.is_some_and(|until| until > now) {
                return self.deaf.then_some(End::Close);
            }
            let mut most = buffer.len();
            if sky.strikes(net, Misdeed::Slow) {
                most = 1 + below(net, 100);
                self.pause = Some(now + Span(1 + net.below(20_000_000)));
            }
            let count = match net.read(self.socket, &mut buffer[..most]) {
                Ok(0) if self.deaf => return Some(End::Close),
                Ok(0) => {
                    self.stream.end();
                    continue;
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(_) => return Some(End::Close),
            };
            self.patience = now + PATIENCE;
            self.stream.take(&buffer[..count]);
            match self.abort_reading.map(|left| left.checked_sub(count)) {
                Some(None) => return Some(End::Abort),
                left @ (Some(Some(_)) | None) => self.abort_reading = left.flatten(),
            }
        }
    }

    fn write(&mut self, net: &mut Net) -> io::Result<()> {
        if self.deaf {
            return Ok(());
        }
        while !self.greeting.is_empty() {
            let count = net.write(self.socket, &self.greeting)?;
            self.greeting.drain(..count);
        }
        self.stream.write(net, self.socket, &mut Secure::plain())
    }
}

impl Actor for Caller {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        while net.changed().is_some() {}
        loop {
            if self.call.is_none() {
                if self.left == 0 {
                    return None;
                }
                self.begin(net, now);
            }
            let Some(call) = &mut self.call else {
                return Some(now + Span::millis(10));
            };
            let end = match call.step(net, &self.sky, now) {
                Some(end) => end,
                None if now < call.patience => {
                    let pause = call.pause.filter(|until| *until > now);
                    return Some(pause.unwrap_or(call.patience).min(call.patience));
                }
                None => {
                    let swallows = self.sky.climate() == Climate::Swallowing;
                    assert!(swallows, "a caller waits in vain for {:?}", call.stream);
                    End::Abort
                }
            };
            let mut book = self.sky.ledger.borrow_mut();
            let id = call.stream.id();
            if call.stream.is_over() {
                let length = book.entry(id).expected();
                book.answer(id, length);
            } else {
                book.broken += 1;
            }
            // Whoever closes says that it has sent everything.
            if end == End::Close && call.stream.is_over() {
                net.close(call.socket);
            } else {
                net.abort(call.socket);
            }
            drop(book);
            self.call = None;
        }
    }
}
