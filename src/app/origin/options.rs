//! What an origin serves, and where.

use std::net::Ipv4Addr;
use std::net::SocketAddr;

use crate::base::time::Span;

/// What an origin serves, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Where it listens. Default: `127.0.0.1:9001`.
    pub listen: SocketAddr,
    /// What it calls itself, in bodies and in `X-Origin`: a token, RFC 9110 section 5.6.2.
    /// Default: `A`.
    pub name: String,
    /// Bytes of a body; `None` for one line that names the server. Default: `None`.
    pub size: Option<u64>,
    /// From a request to its answer. Default: none.
    pub delay: Span,
    /// The status of every answer, 200 to 599. Default: 200.
    pub status: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)),
            name: "A".to_owned(),
            size: None,
            delay: Span::ZERO,
            status: 200,
        }
    }
}
