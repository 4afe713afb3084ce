//! A socket, plain or under TLS, behind one read, one write and one end.
//!
//! Sessions and the pump do not know that TLS exists: the difference is one `if` per call here.
//! A link also remembers what the kernel has said about its socket, because readiness is told
//! once, at its edge: a bit is set by an event and cleared only by the verb of its own direction
//! that found the socket empty or full. Called by the engine only.
//!
//! Under TLS the two layers have separate needs. Plaintext may wait while the socket is silent,
//! so [`Link::can_read`] asks both; and ciphertext may wait that no caller wrote (alerts, tickets,
//! close_notify), so a link that is [`Link::unsent`] must be flushed when its socket can take
//! more.

mod progress;
mod secure;
mod wire;

use std::io;

use crate::base::Fault;
use crate::base::Pipe;
use crate::base::Socket;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::Ready;
use crate::tls::channel::Channel;

pub use progress::Effort;
pub use progress::Progress;

use wire::ENDED;
use wire::NOTIFIED;
use wire::READABLE;
use wire::SEVERED;
use wire::WRITABLE;
use wire::Wire;

/// One connection. 24 bytes; what TLS needs is elsewhere.
#[derive(Debug)]
pub struct Link {
    wire: Wire,
    channel: Option<Box<Channel>>,
}

impl Link {
    /// A link whose bytes are those of the socket.
    #[must_use]
    pub const fn plain(socket: Socket) -> Self {
        Self {
            wire: Wire::new(socket),
            channel: None,
        }
    }

    /// A link whose bytes are those inside `channel`, which has seen none yet.
    #[must_use]
    pub fn secure(socket: Socket, channel: Channel) -> Self {
        Self {
            wire: Wire::new(socket),
            channel: Some(Box::new(channel)),
        }
    }

    /// Puts TLS on a link that was plain until now: what the kernel has said of its socket stays
    /// true.
    pub fn secured(&mut self, channel: Channel) {
        self.channel = Some(Box::new(channel));
    }

    /// The socket beneath.
    #[must_use]
    pub const fn socket(&self) -> Socket {
        self.wire.socket
    }

    /// Whether this is TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.channel.is_some()
    }

    /// What TLS has to say about a fault, for a log.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.channel
            .as_ref()
            .and_then(|channel| channel.complaint())
    }

    /// Takes down what the kernel says about the socket. Nothing is decided by an event: the end
    /// may come with bytes before it, and even a broken connection may have some to read.
    pub const fn note(&mut self, ready: &Ready) {
        if ready.readable || ready.ended {
            self.wire.set(READABLE);
        }
        if ready.writable {
            self.wire.set(WRITABLE);
        }
        if ready.ended {
            self.wire.set(ENDED);
        }
    }

    /// Whether a read may give something: bytes, the end or a fault.
    #[must_use]
    pub fn can_read(&self) -> bool {
        match &self.channel {
            None => self.wire.has(READABLE),
            Some(channel) => {
                channel.has_news() && !planted(Bug::TlsPlaintextIgnored)
                    || (self.wire.has(READABLE) && channel.is_open())
            }
        }
    }

    /// Whether the socket itself, whatever TLS makes of it, may give something and may take
    /// something, as far as is known here. For an audit.
    #[must_use]
    pub const fn believed(&self) -> (bool, bool) {
        (self.wire.has(READABLE), self.wire.has(WRITABLE))
    }

    /// Whether a write may take something. Never during a handshake: when it is over, ask again.
    #[must_use]
    pub fn can_write(&self) -> bool {
        self.wire.has(WRITABLE) && !self.handshaking()
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub fn handshaking(&self) -> bool {
        self.channel
            .as_ref()
            .is_some_and(|channel| channel.handshaking())
    }

    /// Whether bytes are held back that the socket has not taken yet.
    #[must_use]
    pub fn unsent(&self) -> bool {
        self.channel
            .as_ref()
            .is_some_and(|channel| channel.wants_write())
    }

    /// Whether bytes that were written are held back, or came with them: what a handshake has to
    /// send is nobody's loss.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.unsent() && !self.handshaking()
    }

    /// Whether [`Link::finish`] would have to wait.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.handshaking() || (self.unsent() && !self.wire.has(WRITABLE))
    }

    /// Whether there is something to flush and the socket may take it.
    #[must_use]
    pub fn can_flush(&self) -> bool {
        self.wire.has(WRITABLE) && self.unsent() && !self.wire.has(SEVERED)
    }

    /// Reads into a buffer that is not empty. A plain link always asks the kernel, a TLS link
    /// only if an event has said that there may be something.
    ///
    /// # Panics
    /// If `into` is empty: the kernel's answer would look like the end of the stream.
    pub fn read(&mut self, kernel: &mut dyn Kernel, into: &mut [u8]) -> Progress {
        assert!(!into.is_empty(), "a read of no bytes cannot tell the end");
        match &mut self.channel {
            None => match self.wire.receive(kernel, into) {
                Ok(0) => Progress::Ended,
                Ok(count) => Progress::Moved(count),
                Err(error) => stopped(&error),
            },
            Some(channel) => secure::decrypt(channel, &mut self.wire, kernel, into),
        }
    }

    /// Writes. `Moved` under TLS means taken, maybe not sent: see [`Link::unsent`].
    ///
    /// # Panics
    /// If `from` is empty: that is nothing to be blocked or moved.
    pub fn write(&mut self, kernel: &mut dyn Kernel, from: &[u8]) -> Progress {
        assert!(!from.is_empty(), "a write of no bytes has no outcome");
        match &mut self.channel {
            None => match self.wire.send(kernel, from) {
                Ok(0) => Progress::Blocked,
                Ok(count) => Progress::Moved(count),
                Err(error) => stopped(&error),
            },
            Some(channel) => secure::encrypt(channel, &mut self.wire, kernel, from),
        }
    }

    /// Moves up to `most` bytes into an empty pipe. For plain links only.
    ///
    /// # Panics
    /// If the link is TLS, whose bytes are not those of the socket, or if `most` is 0.
    pub fn fill(&mut self, kernel: &mut dyn Kernel, pipe: Pipe, most: usize) -> Progress {
        assert!(
            self.channel.is_none() && most > 0,
            "only plain bytes can be spliced"
        );
        match self.wire.fill(kernel, pipe, most) {
            Ok(0) => Progress::Ended,
            Ok(count) => Progress::Moved(count),
            Err(error) => stopped(&error),
        }
    }

    /// Moves up to `most` bytes out of a pipe. For plain links only.
    ///
    /// # Panics
    /// As [`Link::fill`].
    pub fn pour(&mut self, kernel: &mut dyn Kernel, pipe: Pipe, most: usize) -> Progress {
        assert!(
            self.channel.is_none() && most > 0,
            "only plain bytes can be spliced"
        );
        match self.wire.pour(kernel, pipe, most) {
            Ok(0) => Progress::Blocked,
            Ok(count) => Progress::Moved(count),
            Err(error) => stopped(&error),
        }
    }

    /// Drives the handshake as far as the socket allows. A plain link is done at once. Reads and
    /// writes do the same when called too early, so that no order of events matters.
    pub fn handshake(&mut self, kernel: &mut dyn Kernel) -> Effort {
        match &mut self.channel {
            None => Effort::Done,
            Some(channel) => secure::shake(channel, &mut self.wire, kernel),
        }
    }

    /// Sends what is held back.
    pub fn flush(&mut self, kernel: &mut dyn Kernel) -> Effort {
        match &mut self.channel {
            None => Effort::Done,
            Some(channel) => secure::drain(channel, &mut self.wire, kernel),
        }
    }

    /// Says that no more bytes will come: close_notify, everything held back, then the end of the
    /// TCP stream. To be called again while blocked; once done it stays done.
    pub fn finish(&mut self, kernel: &mut dyn Kernel) -> Effort {
        if self.wire.finished {
            return Effort::Done;
        }
        if let Some(channel) = &mut self.channel
            && !planted(Bug::CloseNotifyUnsent)
        {
            if !self.wire.has(NOTIFIED) {
                channel.finish();
                self.wire.set(NOTIFIED);
            }
            let drained = secure::drain(channel, &mut self.wire, kernel);
            if drained != Effort::Done {
                return drained;
            }
        }
        match kernel.finish(self.wire.socket) {
            Ok(()) => {
                self.wire.finished = true;
                Effort::Done
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                Effort::Broke(Fault::Reset)
            }
            Err(error) => Effort::Broke(Fault::from_io(&error)),
        }
    }

    /// Says under TLS that the stream is whole, as far as the socket takes that at once. For a
    /// link that is about to be closed between two messages.
    pub fn farewell(&mut self, kernel: &mut dyn Kernel) {
        if let Some(channel) = &mut self.channel
            && !self.wire.has(NOTIFIED)
            && !channel.handshaking()
            && channel.fault().is_none()
        {
            channel.finish();
            self.wire.set(NOTIFIED);
            // Nobody is left who would care for a failure.
            secure::drain(channel, &mut self.wire, kernel);
        }
    }

    /// Looks at a parked connection, with one trial read: true while nothing has come that
    /// belongs to anyone. A TLS server may send tickets at any time; they are taken in. Any byte,
    /// the end and any fault make the connection useless.
    pub fn idle_check(&mut self, kernel: &mut dyn Kernel) -> bool {
        if planted(Bug::IdleCheckSkipped) {
            return true;
        }
        match &mut self.channel {
            None => {
                let trial = self.wire.receive(kernel, &mut [0]);
                matches!(trial, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            Some(channel) => secure::is_idle(channel, &mut self.wire, kernel),
        }
    }

    /// Closes. Sends nothing: without [`Link::finish`] before it, a TLS peer sees a stream that
    /// was cut, which is what it must see if the stream was.
    pub fn close(self, kernel: &mut dyn Kernel) {
        kernel.close(self.wire.socket);
    }

    /// Closes with a reset.
    pub fn abort(self, kernel: &mut dyn Kernel) {
        kernel.abort(self.wire.socket);
    }
}

fn stopped(error: &io::Error) -> Progress {
    if error.kind() == io::ErrorKind::WouldBlock {
        return Progress::Blocked;
    }
    Progress::Broke(Fault::from_io(error))
}

#[cfg(test)]
mod tests;
