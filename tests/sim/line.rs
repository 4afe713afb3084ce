//! A connection of a client's of the simulated world: how its bytes go out and come in, at the
//! pace and with the bad manners that were drawn for it.

use std::collections::VecDeque;
use std::io;

use tidegate::base::Socket;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::message::Reading;
use crate::net::Net;
use crate::order::below;
use crate::secure::Secure;
use crate::sky::Sky;
use crate::stream::Stream;
use crate::weather::Misdeed;

/// A connection of a client's.
pub(crate) struct Line {
    pub(crate) socket: Socket,
    pub(crate) secure: Secure,
    pub(crate) stands: bool,
    /// Asked and not answered, in order.
    pub(crate) asked: VecDeque<usize>,
    /// What this connection may still ask.
    pub(crate) to_ask: usize,
    pub(crate) output: Vec<u8>,
    written: usize,
    /// The output goes no further before a 100 comes.
    pub(crate) hold: Option<usize>,
    pub(crate) reading: Reading,
    /// In the body of the answer to the first of `asked`.
    pub(crate) in_body: bool,
    /// The proxy has said that this answer is the last.
    pub(crate) last: bool,
    /// Bytes of the other protocol that went out with the request for it.
    pub(crate) early: usize,
    pub(crate) stream: Option<Stream>,
    /// Nothing more can be written: an end of the stream is the end of a broken connection.
    pub(crate) deaf: bool,
    pub(crate) patience: Moment,
    /// After so many more bytes written it goes away.
    abort_after: Option<usize>,
    /// After so many more bytes read it goes away.
    abort_reading: Option<usize>,
    /// Behind the last request it says that no more comes.
    pub(crate) half_close: bool,
    /// So many more bytes go out one at a time.
    bytewise: usize,
    /// The rest of the first head comes no earlier than this.
    dribble: Option<Moment>,
    write_pause: Option<Moment>,
    read_pause: Option<Moment>,
    /// The next request is asked no earlier.
    pub(crate) thinks: Option<Moment>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Abort,
}

impl Line {
    /// A connection that has just been begun, and its manners.
    pub(crate) fn new(
        socket: Socket,
        to_ask: usize,
        net: &mut Net,
        sky: &Sky,
        now: Moment,
    ) -> Self {
        let secure = sky.cover.client(net);
        let mut drawn = |quirk, most| {
            let strikes = sky.strikes(net, quirk);
            strikes.then(|| below(net, most))
        };
        let dribble = drawn(Misdeed::Dribble, 3_000);
        Self {
            socket,
            secure,
            stands: false,
            asked: VecDeque::new(),
            to_ask,
            output: Vec::new(),
            written: 0,
            hold: None,
            reading: Reading::default(),
            in_body: false,
            last: false,
            early: 0,
            stream: None,
            deaf: false,
            patience: now + PATIENCE,
            abort_after: drawn(Misdeed::Abort, 3_000),
            abort_reading: drawn(Misdeed::AbortReading, 3_000),
            half_close: drawn(Misdeed::HalfClose, 1).is_some(),
            bytewise: drawn(Misdeed::Bytewise, 300).unwrap_or(0),
            dribble: dribble.map(|late| now + Span::millis(5_200 + late as u64)),
            write_pause: None,
            read_pause: None,
            thinks: None,
        }
    }

    /// Writes what can be written.
    pub(crate) fn write(&mut self, net: &mut Net, now: Moment) -> Option<End> {
        if self.deaf {
            return None;
        }
        loop {
            let most = self.hold.unwrap_or(self.output.len());
            let Some(rest) = self
                .output
                .get(self.written..most)
                .filter(|r| !r.is_empty())
            else {
                break;
            };
            let count = self.pace(rest.len(), now)?;
            if count == 0 {
                return Some(End::Abort);
            }
            match self
                .secure
                .write(net, self.socket, &self.output[self.written..][..count])
            {
                Ok(count) => self.wrote(count, now, net),
                Err(error) => {
                    self.deaf = error.kind() != io::ErrorKind::WouldBlock;
                    return None;
                }
            }
        }
        if let Some(stream) = &mut self.stream {
            if let Err(error) = stream.write(net, self.socket, &mut self.secure) {
                self.deaf = error.kind() != io::ErrorKind::WouldBlock;
            }
        } else if self.half_close && self.to_ask == 0 && self.hold.is_none() {
            match self.secure.finish(net, self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => {
                    self.half_close = false;
                    self.deaf = other.is_err();
                }
            }
        }
        None
    }

    /// How many of `rest` bytes may go out now; 0 if the client goes away instead, nothing if it
    /// waits.
    fn pace(&self, rest: usize, now: Moment) -> Option<usize> {
        let mut most = rest;
        if self.dribble.is_some_and(|until| until > now) {
            most = most.min(DRIBBLE_BYTES.checked_sub(self.written).filter(|n| *n > 0)?);
        }
        if self.bytewise > 0 {
            if self.write_pause.is_some_and(|until| until > now) {
                return None;
            }
            most = 1;
        }
        Some(self.abort_after.map_or(most, |left| most.min(left)))
    }

    fn wrote(&mut self, count: usize, now: Moment, net: &mut Net) {
        self.written += count;
        self.patience = now + PATIENCE;
        if let Some(left) = &mut self.abort_after {
            *left -= count;
        }
        if self.bytewise > 0 {
            self.bytewise -= 1;
            self.write_pause = Some(now + Span(1 + net.below(10_000_000)));
        }
    }

    /// Reads once. Nothing if nothing is there, or the client does not look.
    pub(crate) fn read(
        &mut self,
        net: &mut Net,
        sky: &Sky,
        now: Moment,
        buffer: &mut [u8],
    ) -> Option<Result<usize, End>> {
        let paused = self.read_pause.is_some_and(|until| until > now);
        if paused || self.stream.as_ref().is_some_and(Stream::is_ended) {
            return None;
        }
        let mut most = buffer.len();
        if sky.strikes(net, Misdeed::Slow) {
            most = 1 + below(net, 40);
            self.read_pause = Some(now + Span(1 + net.below(50_000_000)));
        }
        let count = match self.secure.read(net, self.socket, &mut buffer[..most]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(_) => return Some(Err(End::Close)),
        };
        self.patience = now + PATIENCE;
        match self.abort_reading.map(|left| left.checked_sub(count)) {
            Some(None) => return Some(Err(End::Abort)),
            left @ (Some(Some(_)) | None) => self.abort_reading = left.flatten(),
        }
        Some(Ok(count))
    }

    /// When it can go on by itself.
    pub(crate) fn wake(&self, now: Moment) -> Moment {
        let pauses = [self.write_pause, self.read_pause, self.dribble, self.thinks];
        let next = pauses.into_iter().flatten().filter(|until| *until > now);
        next.min().unwrap_or(self.patience).min(self.patience)
    }
}

/// How long a client waits for anything before it gives up: longer than any timeout of the proxy.
pub(crate) const PATIENCE: Span = Span::seconds(400);

/// How much of a head comes at first when the rest is late.
const DRIBBLE_BYTES: usize = 10;
