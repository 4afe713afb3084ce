//! Where the admin interface is, and who may use it.

use std::fmt;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The admin interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: AdminAddress,
    /// A file with the token that requests have to bring along. Beyond loopback there has to be
    /// one. Default: none.
    pub token_file: Option<PathBuf>,
}

impl Admin {
    /// Whether it is for this machine alone, or asks for a token.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.listen.is_local() || self.token_file.is_some()
    }
}

/// An address for the admin interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// TCP; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket in the file system, for its owner alone.
    Unix(PathBuf),
}

impl Default for AdminAddress {
    /// `127.0.0.1:9900`.
    fn default() -> Self {
        Self::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 9900)))
    }
}

impl AdminAddress {
    /// Whether nobody but this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
