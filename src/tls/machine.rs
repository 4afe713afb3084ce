//! What a [`Channel`] drives: one end of TLS, whoever has made it.
//!
//! In production that is always the library. The simulator has a toy with the same habits, which
//! costs a hundredth of the work and has no keys, so that worlds under TLS stay quick and equal
//! for equal seeds. The seam costs one indirect call per read, record or write.
//!
//! [`Channel`]: super::channel::Channel

use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;

use rustls::Connection;
use rustls::HandshakeKind;

use crate::base::TlsFault;

/// One end of a TLS connection, with the habits of `rustls::Connection`.
pub trait Machine: fmt::Debug {
    /// Takes ciphertext from one read of `from`; 0 says that the transport has ended.
    ///
    /// # Errors
    /// Those of `from`, `Other` while too much plaintext waits, and `InvalidData` if a message
    /// is larger than can be collected.
    fn take(&mut self, from: &mut dyn Read) -> io::Result<usize>;

    /// Decrypts what is complete. True if close_notify has come.
    ///
    /// # Errors
    /// Why the connection cannot go on. An alert that tells the peer may be waiting then, and so
    /// may plaintext from before the flaw.
    fn digest(&mut self) -> Result<bool, Complaint>;

    /// Gives ciphertext to one write of `to`: 0 if there was none.
    ///
    /// # Errors
    /// Those of `to`.
    fn give(&mut self, to: &mut dyn Write) -> io::Result<usize>;

    /// Reads plaintext: 0 if there is none.
    fn read(&mut self, into: &mut [u8]) -> usize;

    /// Encrypts plaintext, as much as there is room for, maybe nothing.
    fn write(&mut self, from: &[u8]) -> usize;

    /// Whether plaintext waits.
    fn holds_plaintext(&mut self) -> bool;

    /// Says that no more plaintext will come. Once is enough, more often does no harm.
    fn notify(&mut self);

    /// Whether the handshake is still going on.
    fn handshaking(&self) -> bool;

    /// Whether there is something to give.
    fn wants_write(&self) -> bool;

    /// Whether an earlier session was taken up again.
    fn resumed(&self) -> bool;
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What an operator can act on.
    pub fault: TlsFault,
    /// The same in the library's words, for a log.
    pub words: String,
}

impl Machine for Connection {
    fn take(&mut self, from: &mut dyn Read) -> io::Result<usize> {
        self.read_tls(from)
    }

    fn digest(&mut self) -> Result<bool, Complaint> {
        match self.process_new_packets() {
            Ok(state) => Ok(state.peer_has_closed()),
            Err(error) => Err(Complaint {
                fault: fault(&error),
                words: error.to_string(),
            }),
        }
    }

    fn give(&mut self, to: &mut dyn Write) -> io::Result<usize> {
        self.write_tls(to)
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        self.reader().read(into).unwrap_or(0)
    }

    fn write(&mut self, from: &[u8]) -> usize {
        self.writer().write(from).unwrap_or(0)
    }

    /// Asks the library itself: what it reports after processing is missing when processing
    /// fails, although records before the bad one were good.
    fn holds_plaintext(&mut self) -> bool {
        (self.reader().into_first_chunk()).is_ok_and(|chunk| !chunk.is_empty())
    }

    fn notify(&mut self) {
        self.send_close_notify();
    }

    fn handshaking(&self) -> bool {
        self.is_handshaking()
    }

    fn wants_write(&self) -> bool {
        match self {
            Self::Client(connection) => connection.wants_write(),
            Self::Server(connection) => connection.wants_write(),
        }
    }

    fn resumed(&self) -> bool {
        self.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

/// What an operator can act on: the certificate, the peer's refusal, or the rest.
fn fault(error: &rustls::Error) -> TlsFault {
    use rustls::Error as Cause;

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's list is open-ended"
    )]
    match error {
        Cause::InvalidCertificate(_)
        | Cause::InvalidCertRevocationList(_)
        | Cause::NoCertificatesPresented => TlsFault::Certificate,
        Cause::AlertReceived(_) => TlsFault::Alert,
        _ => TlsFault::Protocol,
    }
}
