//! The only place that knows which timeout runs when.
//!
//! A session has one deadline: the moment it was last touched plus the span that counts for what
//! it waits for. Bytes that move touch it in either direction, so a long one-way transfer is not
//! cut for the silence of the other way; a head that trickles in does not, so a client or server
//! that sends a byte at a time gains nothing.

use super::step::Timeouts;
use crate::base::time::Span;

/// How long a closed connection is read, so that the last answer is not reset away: RFC 9112
/// section 9.6 asks for it and names no time; nginx takes 5 s between bytes, 30 s in all.
pub const LINGER: Span = Span::seconds(2);

/// What an HTTP session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The first byte of the first request.
    FirstHead,
    /// The first byte of the next request.
    NextHead,
    /// The rest of a request head.
    Head,
    /// A server connection.
    Dial,
    /// The client takes bytes.
    ClientTakes,
    /// The client sends its body.
    ClientSends,
    /// The server takes the request and begins its answer.
    Response,
    /// The server goes on with its answer.
    ResponseBody,
    /// The client has been told that the connection ends.
    Linger,
}

/// How long that may take.
#[must_use]
pub const fn http(timeouts: &Timeouts, waiting: Waiting) -> Span {
    match waiting {
        Waiting::FirstHead | Waiting::Head => timeouts.client.head,
        Waiting::NextHead => timeouts.client.idle,
        Waiting::Dial => timeouts.server.connect,
        Waiting::ClientTakes => timeouts.client.write,
        Waiting::ClientSends => timeouts.client.read,
        Waiting::Response => timeouts.server.response,
        Waiting::ResponseBody => timeouts.server.read,
        Waiting::Linger => LINGER,
    }
}

/// How long both ways of a tunnel may be silent.
#[must_use]
pub const fn tunnel(timeouts: &Timeouts) -> Span {
    timeouts.client.tunnel
}
