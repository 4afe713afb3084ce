//! HTTP/1.1 as bytes: reading heads, writing heads, walking chunks. No sockets, no clock, no state
//! of a connection.
//!
//! Layer 1: pure leaves over byte slices. Everything that two parsers could read in two ways is
//! refused here (RFC 9112 where it is strict, and stricter where it is not), and everything that
//! leaves is written anew in one canonical form, so that nobody behind us has to guess. Sessions,
//! probes and the admin server call in; nothing here calls out.

pub mod chunked;
pub mod emit;
pub mod head;
mod reason;

pub use reason::Reason;

/// The versions that are spoken; every other one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/1.0: no chunks, no interim responses, closes unless asked not to.
    Http10,
    /// HTTP/1.1.
    Http11,
}

/// What follows a head, RFC 9112 section 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// Nothing.
    None,
    /// This many bytes, at most 2^63-1.
    Length(u64),
    /// Chunks and a trailer section.
    Chunked,
    /// Everything until the sender closes. Responses only.
    UntilClose,
}

/// Which of the two sorts of message is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// From a client: what is wrong with it is answered with a 4xx, 501 or 505.
    Request,
    /// From a backend: whatever is wrong with it is our client's 502.
    Response,
}

impl Kind {
    /// The refusal of a message of this kind.
    #[must_use]
    pub const fn reject(self, reason: Reason) -> Reject {
        let status = match self {
            Self::Request => reason.status(),
            Self::Response => 502,
        };
        Reject { status, reason }
    }
}

/// A message that is not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// What the client is told: 400, 405, 413, 414, 417, 431, 501, 502 or 505.
    pub status: u16,
    /// What was wrong.
    pub reason: Reason,
}
