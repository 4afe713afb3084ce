//! What the program shall be from here on: a configuration that was read anew, and everything that
//! comes from files made ready, so that applying it takes no time.

use std::net::IpAddr;

use crate::config::Address;
use crate::config::Config;
use crate::config::file::Spot;
use crate::tls::Identity;
use crate::tls::Trust;

/// A configuration that was read anew. Made by the program off the loop, applied by every engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// All of it.
    pub config: Config,
    /// By position of the pool: whom it trusts. Without an entry a pool goes on trusting whom it
    /// has trusted, if anybody.
    pub trust: Vec<Option<Trust>>,
    /// By position of the listener: who it is to clients under TLS, `None` for one in the clear.
    /// Without an entry a listener goes on as it was.
    pub identities: Vec<Option<Identity>>,
    /// What requests to the admin interface have to bring along, if anything.
    pub token: Option<String>,
    /// Names that are new, and the addresses that they have: a pool whose servers are all new would
    /// have nobody to ask until they are looked up.
    pub names: Vec<(String, Vec<IpAddr>)>,
    /// By position of the listener: where it really is, for loops that follow another one; empty
    /// for the one that finds out.
    pub addresses: Vec<Address>,
    /// Where the file names the listeners and the pools, by their positions, for complaints about
    /// them; empty without a file.
    pub spots: [Vec<Option<Spot>>; 2],
}

impl Plan {
    /// A complaint about the listener at that position.
    pub(super) fn of_listener(&self, at: usize, what: &str) -> String {
        said(self.spots[0].get(at), what)
    }

    /// A complaint about the pool at that position.
    pub(super) fn of_pool(&self, at: usize, what: &str) -> String {
        said(self.spots[1].get(at), what)
    }
}

fn said(spot: Option<&Option<Spot>>, what: &str) -> String {
    let spot = spot.and_then(Option::as_ref);
    spot.map_or_else(|| what.to_owned(), |spot| spot.say(what))
}
