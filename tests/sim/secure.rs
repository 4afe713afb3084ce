//! A socket of an actor, in the clear or under TLS, with verbs of the same shape as the network's.
//!
//! Drives the other end of what the program drives, in its own way: shares no code with the link
//! but the library. One trouble at most besets a connection.

use std::io;
use std::io::Read;
use std::io::Write;
use std::rc::Rc;

use rustls::Connection;
use tidegate::base::Socket;
use tidegate::tls::machine::Machine;

use crate::cover::Cover;
use crate::cover::Trouble;
use crate::net::Net;
use crate::service::BARE;
use crate::toy::Toy;

/// One end of a connection.
#[derive(Default)]
pub(crate) struct Secure {
    inner: Option<Inner>,
}

/// Whatever speaks TLS.
pub(crate) enum Tongue {
    Toy(Box<Toy>),
    Library(Box<Connection>),
}

struct Inner {
    tongue: Tongue,
    cover: Rc<Cover>,
    trouble: Option<Trouble>,
    /// The byte at which the trouble begins, counted as ciphertext that was sent.
    at: usize,
    sent: usize,
    ending: Ending,
    /// What is sent instead of TLS.
    raw: Vec<u8>,
    state: State,
    /// Plaintext has come.
    heard: bool,
}

/// How far the end of our direction is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// close_notify, and then the end of the TCP stream.
    Wanted,
    Done,
}

/// How the incoming stream stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Shaking,
    Open,
    /// close_notify has come.
    Closed,
    /// Nothing more is said or understood; the end is waited for.
    Deaf,
}

impl Tongue {
    pub(crate) fn toy(toy: Toy) -> Self {
        Self::Toy(Box::new(toy))
    }

    pub(crate) fn library(connection: Connection) -> Self {
        Self::Library(Box::new(connection))
    }

    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Self::Toy(toy) => toy.as_mut(),
            Self::Library(connection) => connection.as_mut(),
        }
    }

    /// Something that nobody wrote. False if this end cannot say such a thing.
    fn chat(&mut self) -> bool {
        match self {
            Self::Toy(toy) => toy.ticket(),
            Self::Library(connection) => return connection.refresh_traffic_keys().is_ok(),
        }
        true
    }
}

impl Secure {
    /// In the clear.
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    pub(crate) fn new(
        tongue: Tongue,
        trouble: Option<Trouble>,
        cover: &Rc<Cover>,
        net: &mut Net,
    ) -> Self {
        let mut inner = Inner {
            tongue,
            cover: Rc::clone(cover),
            trouble,
            at: 0,
            sent: 0,
            ending: Ending::No,
            raw: Vec::new(),
            state: State::Shaking,
            heard: false,
        };
        match trouble {
            Some(Trouble::Garbage) => {
                let count = 1 + net.below(600);
                inner.raw = (0..count)
                    .map(|_| net.below(256).to_le_bytes()[0])
                    .collect();
                inner.fall_silent(Trouble::Garbage);
            }
            Some(Trouble::Http) => {
                let start = b"GET /".as_slice();
                let rest = b" HTTP/1.1\r\nHost: sim.test\r\n\r\n";
                inner.raw = [start, BARE, rest].concat();
                inner.fall_silent(Trouble::Http);
            }
            Some(_) => {
                // Mostly within the handshake, sometimes within what follows.
                let most = if net.below(4) == 0 { 40_000 } else { 3_000 };
                let drawn = usize::try_from(net.below(most)).expect("small");
                inner.at = cover.begin.get().unwrap_or(drawn);
            }
            None => {}
        }
        Self { inner: Some(inner) }
    }

    /// Whether the close will come without close_notify, so that a stream which ends with its
    /// connection is not whole.
    pub(crate) fn will_be_cut(&self) -> bool {
        let trouble = self.inner.as_ref().and_then(|inner| inner.trouble);
        trouble == Some(Trouble::Cut)
    }

    /// As [`Net::read`]; an end without close_notify is an error.
    pub(crate) fn read(
        &mut self,
        net: &mut Net,
        socket: Socket,
        into: &mut [u8],
    ) -> io::Result<usize> {
        match &mut self.inner {
            None => net.read(socket, into),
            Some(inner) => inner.read(net, socket, into),
        }
    }

    /// As [`Net::write`]; what was taken may still be held back, see [`Secure::flush`].
    pub(crate) fn write(
        &mut self,
        net: &mut Net,
        socket: Socket,
        from: &[u8],
    ) -> io::Result<usize> {
        match &mut self.inner {
            None => net.write(socket, from),
            Some(inner) => inner.write(net, socket, from),
        }
    }

    /// Sends what is held back. Who has fallen silent in the middle of it still hears the end.
    pub(crate) fn flush(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        match &mut self.inner {
            None => Ok(()),
            Some(inner) if inner.state == State::Deaf => inner.wait_for_end(net, socket),
            Some(inner) => inner.flush(net, socket),
        }
    }

    /// Something that nobody asked for, if the weather wants it, between two messages.
    pub(crate) fn chat(&mut self, net: &mut Net) {
        if let Some(inner) = &mut self.inner
            && inner.state == State::Open
            && inner.ending == Ending::No
            && inner.cover.strikes(Trouble::Ticket, net)
            && inner.tongue.chat()
        {
            inner.cover.count(Trouble::Ticket);
        }
    }

    /// As [`Net::finish`], once everything that is held back has gone.
    pub(crate) fn finish(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        let Some(inner) = &mut self.inner else {
            return net.finish(socket);
        };
        if inner.ending == Ending::No {
            inner.tongue.machine().notify();
            inner.ending = Ending::Wanted;
        }
        match inner.flush(net, socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            result => result,
        }
    }

    /// Before a close behind a whole stream: `WouldBlock` until everything has gone.
    pub(crate) fn farewell(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        if inner.state == State::Deaf {
            return inner.wait_for_end(net, socket);
        }
        match inner.trouble {
            Some(Trouble::Cut) => inner.flush(net, socket),
            Some(Trouble::HalfClose) => {
                if inner.ending == Ending::No {
                    inner.cover.count(Trouble::HalfClose);
                    inner.tongue.machine().notify();
                    inner.ending = Ending::Wanted;
                }
                inner.flush(net, socket)?;
                inner.state = State::Deaf;
                inner.wait_for_end(net, socket)
            }
            _ => {
                inner.tongue.machine().notify();
                inner.flush(net, socket)
            }
        }
    }

    /// As [`Net::close`]: with close_notify, as far as there is room.
    pub(crate) fn close(&mut self, net: &mut Net, socket: Socket) {
        let Some(mut inner) = self.inner.take() else {
            return net.close(socket);
        };
        if inner.trouble == Some(Trouble::Cut) {
            inner.cover.count(Trouble::Cut);
        } else if inner.state != State::Deaf && inner.ending == Ending::No {
            inner.tongue.machine().notify();
            let _ = inner.flush(net, socket);
        }
        if matches!(inner.state, State::Open | State::Closed) && !inner.heard {
            inner.cover.probed.set(inner.cover.probed.get() + 1);
        }
        net.close(socket);
    }
}

impl Inner {
    fn fall_silent(&mut self, why: Trouble) {
        self.cover.count(why);
        self.state = State::Deaf;
    }

    /// Sends what is instead of TLS, and throws away what comes, until the end.
    fn wait_for_end(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        while !self.raw.is_empty() {
            match net.write(socket, &self.raw) {
                Ok(count) => drop(self.raw.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        let mut buffer = [0; 2048];
        while net.read(socket, &mut buffer)? > 0 {}
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    fn flush(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        let Self {
            tongue,
            trouble,
            at,
            sent,
            ..
        } = self;
        while tongue.machine().wants_write() {
            let before = *sent;
            let mut pen = Pen {
                net,
                socket,
                trouble: *trouble,
                at: *at,
                sent,
            };
            if let Err(error) = tongue.machine().give(&mut pen) {
                return Err(self.stopped(&error));
            }
            let here = before..*sent;
            if *trouble == Some(Trouble::Garble) && here.contains(at) {
                self.cover.count(Trouble::Garble);
            }
        }
        let alert = self.trouble == Some(Trouble::Alert) && self.state != State::Deaf;
        if alert && self.sent >= self.at && self.sent > 0 {
            // Between two records, in the clear.
            self.raw = vec![21, 3, 3, 0, 2, 2, 80];
            self.fall_silent(Trouble::Alert);
            return self.wait_for_end(net, socket);
        }
        if self.ending == Ending::Wanted {
            self.ending = Ending::Done;
            net.finish(socket)?;
        }
        Ok(())
    }

    /// What becomes of an error of the pen's.
    fn stopped(&mut self, error: &io::Error) -> io::Error {
        let kind = error.kind();
        let breaks_off = self.trouble == Some(Trouble::Abort) && self.sent >= self.at;
        if breaks_off && kind == io::ErrorKind::ConnectionAborted {
            self.fall_silent(Trouble::Abort);
        }
        if self.trouble == Some(Trouble::Hang) && kind == io::ErrorKind::TimedOut {
            self.fall_silent(Trouble::Hang);
            return io::ErrorKind::WouldBlock.into();
        }
        match error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => error.kind().into(),
        }
    }

    /// One read of ciphertext, and what it says.
    fn absorb(&mut self, net: &mut Net, socket: Socket) -> io::Result<()> {
        let machine = self.tongue.machine();
        if machine.take(&mut Ear { net, socket })? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let digested = machine.digest();
        let shaking = machine.handshaking();
        if self.state == State::Shaking && !shaking {
            self.state = State::Open;
            self.cover.shaken.set(self.cover.shaken.get() + 1);
            let strange = self.trouble == Some(Trouble::Stranger);
            assert!(!strange, "a stranger's certificate was believed");
        }
        match digested {
            Ok(false) => {}
            Ok(true) => self.state = State::Closed,
            Err(_) => {
                if self.trouble == Some(Trouble::Stranger) {
                    self.cover.count(Trouble::Stranger);
                }
                let _ = self.flush(net, socket);
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }

    fn read(&mut self, net: &mut Net, socket: Socket, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let flushed = match self.state {
                State::Deaf => Ok(()),
                State::Shaking | State::Open | State::Closed => self.flush(net, socket),
            };
            if self.state == State::Deaf {
                if let Err(error) = flushed
                    && error.kind() == io::ErrorKind::ConnectionAborted
                {
                    return Err(error);
                }
                return self.wait_for_end(net, socket).map(|()| 0);
            }
            let machine = self.tongue.machine();
            if !machine.handshaking() && machine.holds_plaintext() {
                self.heard = true;
                return Ok(machine.read(into));
            }
            if self.state == State::Closed {
                return Ok(0);
            }
            self.absorb(net, socket)?;
        }
    }

    fn write(&mut self, net: &mut Net, socket: Socket, from: &[u8]) -> io::Result<usize> {
        loop {
            if self.state == State::Deaf {
                self.wait_for_end(net, socket)?;
            }
            self.flush(net, socket)?;
            if self.state != State::Shaking {
                break;
            }
            self.absorb(net, socket)?;
        }
        let count = self.tongue.machine().write(from);
        match self.flush(net, socket) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }
}

/// The network as something to read from.
struct Ear<'a> {
    net: &'a mut Net,
    socket: Socket,
}

impl Read for Ear<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.net.read(self.socket, into)
    }
}

/// The network as something to write to, up to where the trouble begins.
struct Pen<'a> {
    net: &'a mut Net,
    socket: Socket,
    trouble: Option<Trouble>,
    at: usize,
    sent: &'a mut usize,
}

impl Write for Pen<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let left = self.at.saturating_sub(*self.sent);
        let stops = match self.trouble {
            Some(Trouble::Abort) => Some(io::ErrorKind::ConnectionAborted),
            Some(Trouble::Hang) => Some(io::ErrorKind::TimedOut),
            _ => None,
        };
        let mut most = from.len();
        if let Some(kind) = stops {
            if left == 0 {
                return Err(kind.into());
            }
            most = most.min(left);
        }
        let garbles = self.trouble == Some(Trouble::Garble)
            && (*self.sent..*self.sent + most).contains(&self.at);
        let count = if garbles {
            let mut changed = from[..most].to_vec();
            changed[left] ^= 1;
            self.net.write(self.socket, &changed)?
        } else {
            self.net.write(self.socket, &from[..most])?
        };
        *self.sent += count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
