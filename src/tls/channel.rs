//! One TLS connection as a machine over bytes.
//!
//! Made by [`super::ClientTls`] and [`super::ServerTls`], driven by `engine::link`. Two habits of
//! the library are traps, and closed off here: records must be processed after every single read,
//! or ciphertext piles up without bound (RUSTSEC-2020-0019), and its ready-made stream adapters
//! may loop for ever on a socket that does not block (RUSTSEC-2024-0336), so none is used.

use std::io;
use std::io::Read;
use std::io::Write;

use super::machine::Complaint;
use super::machine::Machine;
use crate::base::Fault;
use crate::base::TlsFault;
use crate::base::planted::Bug;
use crate::base::planted::planted;

/// One end of a TLS connection.
///
/// Ciphertext passes through [`Channel::absorb`] and [`Channel::emit`], plaintext through
/// [`Channel::read`] and [`Channel::write`]. Whatever has gone wrong is told by `read`, after the
/// plaintext that came before it. After every `absorb` there may be something to emit that nobody
/// wrote: handshake messages, tickets, alerts.
#[derive(Debug)]
pub struct Channel {
    machine: Box<dyn Machine>,
    end: End,
    complaint: Option<Complaint>,
    /// Plaintext can be read without absorbing more.
    waiting: bool,
    /// `read` has told how the stream ended.
    told: bool,
}

impl Channel {
    pub(super) fn new(machine: Box<dyn Machine>) -> Self {
        Self {
            machine,
            end: End::Open,
            complaint: None,
            waiting: false,
            told: false,
        }
    }

    /// Takes ciphertext from one read of `from` and decrypts what is complete. 0 says that the
    /// transport has ended, or that nothing is taken any more because the stream has.
    ///
    /// # Errors
    /// Those of `from`, and `Other` while more than 16 KiB of plaintext wait: read those first.
    /// Bytes that are no TLS are not an error of the transport; [`Channel::read`] tells.
    pub fn absorb(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        if self.end != End::Open {
            return Ok(0);
        }
        let taken = match self.machine.take(from) {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // A handshake message larger than the library is willing to collect.
                self.end = End::Broken(Fault::Tls(TlsFault::Protocol));
                return Ok(0);
            }
            Err(error) => return Err(error),
        };
        match self.machine.digest() {
            Ok(true) => self.end = End::Closed,
            Ok(false) if taken == 0 && planted(Bug::CutStreamLooksClosed) => self.end = End::Closed,
            Ok(false) if taken == 0 => self.end = End::Broken(Fault::Ended),
            Ok(false) => {}
            Err(complaint) => {
                self.end = End::Broken(Fault::Tls(complaint.fault));
                self.complaint = Some(complaint);
            }
        }
        self.look();
        Ok(taken)
    }

    /// Gives ciphertext to one write of `to`: 0 if there was none.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn emit(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        self.machine.give(to)
    }

    /// Reads plaintext. Before the handshake is complete, certificate and name included, there is
    /// none, whatever the peer has sent.
    pub fn read(&mut self, into: &mut [u8]) -> Outcome {
        if self.waiting && !into.is_empty() {
            let count = self.machine.read(into);
            self.look();
            if count > 0 {
                return Outcome::Moved(count);
            }
        }
        let outcome = match self.end {
            End::Open => return Outcome::Empty,
            // A stream that ends before it has begun did not end well.
            End::Closed if self.handshaking() => Outcome::Broke(Fault::Ended),
            End::Closed => Outcome::Ended,
            End::Broken(fault) => Outcome::Broke(fault),
        };
        self.told = true;
        outcome
    }

    /// Encrypts plaintext, as much as fits: 0 if [`crate::limits::TLS_BUFFER_BYTES`] are waiting to
    /// be emitted, or while shaking hands.
    pub fn write(&mut self, from: &[u8]) -> usize {
        if self.handshaking() {
            return 0;
        }
        self.machine.write(from)
    }

    /// Says that no more plaintext will come (close_notify, RFC 8446 section 6.1). Once; emitted
    /// like everything else.
    pub fn finish(&mut self) {
        self.machine.notify();
    }

    /// Whether the handshake is still going on.
    #[must_use]
    pub fn handshaking(&self) -> bool {
        self.machine.handshaking()
    }

    /// Whether there is something to emit.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.machine.wants_write()
    }

    /// Whether [`Channel::read`] has news that needs no more ciphertext: plaintext, or how the
    /// stream ended, unless it was told.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.waiting || (self.end != End::Open && !self.told)
    }

    /// Whether more ciphertext may come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.end == End::Open
    }

    /// Whether the peer has said that no more will come. If the transport ends without that, the
    /// stream was cut, maybe by an attacker.
    #[must_use]
    pub fn closed_cleanly(&self) -> bool {
        self.end == End::Closed
    }

    /// Why the connection cannot go on, if so.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        match self.end {
            End::Open | End::Closed => None,
            End::Broken(fault) => Some(fault),
        }
    }

    /// The fault in the library's words, for a log.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        self.complaint
            .as_ref()
            .map(|complaint| complaint.words.clone())
    }

    /// Whether an earlier session was taken up again, without a certificate and its check.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.machine.resumed()
    }

    fn look(&mut self) {
        self.waiting = !self.handshaking() && self.machine.holds_plaintext();
    }
}

/// What came of reading plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So many bytes, at least one.
    Moved(usize),
    /// Nothing: absorb more.
    Empty,
    /// The peer has said that no more will come.
    Ended,
    /// The stream was cut ([`Fault::Ended`]) or is no good. Final.
    Broke(Fault),
}

/// How the incoming stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// More may come.
    Open,
    /// close_notify has come.
    Closed,
    /// No more can come.
    Broken(Fault),
}
