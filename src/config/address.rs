//! Where the program listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A place to listen at: an address or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// TCP; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket in the file system; the path is absolute.
    Unix(PathBuf),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl Address {
    /// Whether a second listener at the same address would be in the way.
    #[must_use]
    pub fn is_taken_by(&self, other: &Self) -> bool {
        // Port 0 is another one every time.
        self == other && !matches!(self, Self::Tcp(address) if address.port() == 0)
    }

    /// Whether one system cannot have listeners at both: they are equal, or one is every address
    /// of the other's kind.
    #[must_use]
    pub fn is_in_the_way_of(&self, other: &Self) -> bool {
        let every = match (self, other) {
            (Self::Tcp(one), Self::Tcp(two)) => {
                let all = one.ip().is_unspecified() || two.ip().is_unspecified();
                all && one.is_ipv4() == two.is_ipv4() && one.port() == two.port() && one.port() > 0
            }
            _ => false,
        };
        every || self.is_taken_by(other)
    }

    /// Whether nobody but this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
