//! One server: where it is, how it is, what it has been given.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::health::Health;
use crate::base::arena::Key;
use crate::base::time::Moment;

/// A server, by number. A server that is removed and added again gets another one, so it inherits
/// neither connections nor health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub Key);

/// One server.
#[derive(Debug)]
pub struct Peer {
    /// What the user calls it: its URL.
    pub name: String,
    /// The host to look up, unless it is an address.
    pub lookup: Option<String>,
    /// The port on every address.
    pub port: u16,
    /// What it is called in `Host`: host, and port unless it is the scheme's own.
    pub authority: String,
    /// Whether it is always called so, rather than what the client says.
    pub own_host: bool,
    /// The name its certificate must have; `None` for servers without TLS.
    pub tls_name: Option<String>,
    /// All its addresses; empty until the name is looked up.
    pub addresses: Vec<IpAddr>,
    /// Position in `addresses` of the one that answered last.
    pub preferred: usize,
    /// Well or not.
    pub health: Health,
    /// Requests, or tunnels, given to it.
    pub requests: u64,
    /// Requests or tunnels on it now.
    pub in_flight: u64,
    /// Attempts on it that failed.
    pub failures: u64,
    /// When it is probed next.
    pub probe_due: Moment,
    /// Whether a probe runs.
    pub probing: bool,
}

impl Peer {
    /// The address to try after `failed` others have failed; `None` after the last one.
    #[must_use]
    pub fn address(&self, failed: usize) -> Option<SocketAddr> {
        if failed >= self.addresses.len().min(ADDRESSES_TRIED_MAX) {
            return None;
        }
        let at = (self.preferred + failed) % self.addresses.len();
        Some(SocketAddr::new(self.addresses[at], self.port))
    }

    /// That address answered: it is the first to try from now on.
    pub fn prefer(&mut self, failed: usize) {
        if !self.addresses.is_empty() {
            self.preferred = (self.preferred + failed) % self.addresses.len();
        }
    }
}

/// How many addresses of one name an attempt goes through before it counts as failed.
const ADDRESSES_TRIED_MAX: usize = 4;
