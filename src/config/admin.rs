//! Where the admin interface is, and who may use it.

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::address::Address;

/// The admin interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: Address,
    /// A file with the token that requests have to bring along. Beyond loopback there has to be
    /// one. Default: none.
    pub token_file: Option<PathBuf>,
}

impl Admin {
    /// Where it listens unless somebody says otherwise: `127.0.0.1:9900`.
    #[must_use]
    pub fn usual_address() -> Address {
        Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 9900)))
    }

    /// Whether it is for this machine alone, or asks for a token.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.listen.is_local() || self.token_file.is_some()
    }
}
