//! One server: where it is, how it is, what it has been given.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::counts::Counts;
use super::health::Health;
use crate::base::arena::Key;
use crate::base::time::Moment;

/// A server, by number. A server that is removed and added again gets another one, so it inherits
/// neither connections nor health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub Key);

/// A pool, by its position in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolId(pub usize);

/// What the operator wants of a server, whatever its health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It takes part.
    #[default]
    Enabled,
    /// It ends what it has and gets nothing new; it is still watched.
    Draining,
    /// It gets nothing new and is not watched.
    Disabled,
    /// It ends what it has, and then it is gone; at this moment at the latest.
    Leaving(Moment),
}

/// One server.
#[derive(Debug)]
pub struct Peer {
    /// The servers it stands among.
    pub pool: PoolId,
    /// Its number in its pool, from 1 on; never given to another server there.
    pub number: u32,
    /// Its share of their requests.
    pub weight: u16,
    /// How many requests it is to be given at a time, by all loops together; `None` if there is no
    /// bound. Each loop has its part of them, see [`super::Peers::rotate`].
    pub max_conns: Option<u32>,
    /// What the operator wants of it.
    pub standing: Standing,
    /// When its state, as it is shown, changed last.
    pub since: Moment,
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
    /// Connections to it that are being made, for requests.
    pub dialling: u64,
    /// Attempts on it that failed.
    pub failures: u64,
    /// What has happened on it.
    pub counts: Counts,
    /// When it is probed next.
    pub probe_due: Moment,
    /// Whether a probe runs.
    pub probing: bool,
}

impl Peer {
    /// True if it may be given something new.
    #[must_use]
    pub const fn takes_part(&self) -> bool {
        self.health.up && self.is_enabled()
    }

    /// True if the operator lets it take part.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        matches!(self.standing, Standing::Enabled)
    }

    /// True if it is watched.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        matches!(self.standing, Standing::Enabled | Standing::Draining)
    }

    /// True if it goes as soon as it has ended what it has.
    #[must_use]
    pub const fn is_leaving(&self) -> bool {
        matches!(self.standing, Standing::Leaving(_))
    }

    /// The next address to try, from the preferred one on; `None` if there is no other.
    #[must_use]
    pub fn address(&self, tried: &[IpAddr]) -> Option<SocketAddr> {
        if tried.len() >= ADDRESSES_TRIED_MAX {
            return None;
        }
        let (before, from) = self
            .addresses
            .split_at(self.preferred.min(self.addresses.len()));
        let address = from
            .iter()
            .chain(before)
            .find(|address| !tried.contains(address))?;
        Some(SocketAddr::new(*address, self.port))
    }

    /// That address answered: it is the first to try from now on.
    pub fn prefer(&mut self, address: Option<&IpAddr>) {
        if let Some(at) = self
            .addresses
            .iter()
            .position(|known| Some(known) == address)
        {
            self.preferred = at;
        }
    }

    /// That address failed: it is not the first to try any more, if there is another.
    pub fn avoid(&mut self, address: IpAddr) {
        if self.addresses.get(self.preferred) == Some(&address) {
            self.preferred = (self.preferred + 1) % self.addresses.len();
        }
    }
}

/// How many addresses of one name an attempt goes through before it counts as failed.
const ADDRESSES_TRIED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(count: u8) -> Peer {
        let addresses = (0..count)
            .map(|last| IpAddr::from([10, 0, 0, last]))
            .collect();
        Peer {
            pool: PoolId::default(),
            number: 1,
            weight: 1,
            max_conns: None,
            standing: Standing::Enabled,
            since: Moment::default(),
            name: String::new(),
            lookup: None,
            port: 80,
            authority: String::new(),
            own_host: false,
            tls_name: None,
            addresses,
            preferred: 0,
            health: Health::default(),
            requests: 0,
            in_flight: 0,
            dialling: 0,
            failures: 0,
            counts: Counts::default(),
            probe_due: Moment::default(),
            probing: false,
        }
    }

    #[test]
    fn two_attempts_that_agree_do_not_undo_each_other() {
        let mut peer = peer(2);
        let [dead, alive] = [0, 1].map(|last| IpAddr::from([10, 0, 0, last]));
        assert_eq!(peer.address(&[]).map(|at| at.ip()), Some(dead));
        for _ in 0..2 {
            peer.avoid(dead);
            peer.prefer(Some(&alive));
        }
        assert_eq!(peer.address(&[]).map(|at| at.ip()), Some(alive));
        assert_eq!(peer.address(&[alive]).map(|at| at.ip()), Some(dead));
        // An attempt that began before still gets the address that it has not tried.
        assert_eq!(peer.address(&[dead]).map(|at| at.ip()), Some(alive));
        assert_eq!(peer.address(&[dead, alive]), None);
    }

    #[test]
    fn a_name_without_addresses_has_none_to_try() {
        let mut peer = peer(0);
        assert_eq!(peer.address(&[]), None);
        peer.avoid(IpAddr::from([10, 0, 0, 1]));
        peer.prefer(None);
        assert_eq!(peer.preferred, 0);
    }
}
