//! Which servers there are, by the names that operators use.

use super::hub::Hub;
use super::kernel::Kernel;
use super::turn::Engine;
use crate::admin::Refusal;
use crate::admin::Wanted;
use crate::admin::Whom;
use crate::base::time::Moment;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::Standing;

/// One server as changes leave it, whatever its health: for comparing what several engines, or
/// the same one at other times, hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id, like `app-1`.
    pub id: String,
    /// Its URL.
    pub url: String,
    /// Its share of the requests.
    pub weight: u16,
    /// Requests it is to be given at a time.
    pub max_conns: Option<u32>,
    /// Whether it takes part.
    pub wanted: Wanted,
}

impl Engine {
    /// All servers that are not being removed, as changes have left them.
    #[must_use]
    pub fn roster(&self) -> Vec<Entry> {
        let peers = &self.hub.peers;
        let known = peers.order().iter().filter_map(|id| {
            let peer = peers.get(*id)?;
            let wanted = match peer.standing {
                Standing::Enabled => Wanted::Enable,
                Standing::Draining => Wanted::Drain,
                Standing::Disabled => Wanted::Disable,
                Standing::Leaving(_) => return None,
            };
            Some(Entry {
                id: self.hub.peer_name(*id),
                url: peer.name.clone(),
                weight: peer.weight,
                max_conns: peer.max_conns,
                wanted,
            })
        });
        known.collect()
    }
}

impl Hub {
    /// The pool of that name.
    pub(super) fn pool_named(&self, name: &str) -> Result<PoolId, Refusal> {
        let at = self
            .rules
            .iter()
            .position(|rules| rules.name == name && !rules.gone);
        at.map(PoolId)
            .ok_or_else(|| Refusal::NoPool(name.to_owned()))
    }

    /// The server that is meant: by its id, or by host and port; then one that stays comes before
    /// one that is being removed.
    pub(super) fn peer_named(&self, whom: &Whom) -> Result<PeerId, Refusal> {
        let pool = self.pool_named(&whom.pool)?;
        let all = self.peers.of(pool);
        let number = whom.backend.strip_prefix(&whom.pool);
        let number = number.and_then(|rest| rest.strip_prefix('-')?.parse::<u32>().ok());
        let by_id = |id: &&PeerId| {
            let peer = self.peers.get(**id);
            peer.is_some_and(|peer| Some(peer.number) == number)
        };
        let by_place = |staying: bool| {
            move |id: &&PeerId| {
                let peer = self.peers.get(**id);
                peer.is_some_and(|peer| {
                    peer.is_leaving() != staying && is_place(&peer.name, peer.port, &whom.backend)
                })
            }
        };
        let found = all.iter().find(by_id);
        let found = found.or_else(|| all.iter().find(by_place(true)));
        let found = found.or_else(|| all.iter().find(by_place(false)));
        found
            .copied()
            .ok_or_else(|| Refusal::NoBackend(whom.clone()))
    }

    /// The id of a server, as people say it.
    pub(super) fn peer_name(&self, id: PeerId) -> String {
        self.peers.get(id).map_or_else(String::new, |peer| {
            format!("{}-{}", self.rules(peer.pool).name, peer.number)
        })
    }

    /// Whether that server has this id, also in a pool that was taken out.
    pub(super) fn is_called(&self, id: PeerId, whom: &Whom) -> bool {
        let pool = self.peers.get(id).map(|peer| &self.rules(peer.pool).name);
        pool == Some(&whom.pool) && self.peer_name(id) == whom.backend
    }

    /// When the first of those that leave is over its time.
    pub(super) fn leaving_due(&self) -> Option<Moment> {
        let due = |id: &PeerId| match self.peers.get(*id)?.standing {
            Standing::Leaving(due) => Some(due),
            Standing::Enabled | Standing::Draining | Standing::Disabled => None,
        };
        self.leaving.iter().filter_map(due).min()
    }

    /// Closes what is kept for later requests to that server.
    pub(super) fn close_kept(&mut self, id: PeerId, kernel: &mut dyn Kernel) {
        for connection in self.idle.empty(id) {
            if let Some(parked) = self.parked.remove(connection) {
                self.close(parked.link, kernel);
            }
        }
    }

    /// The state of a server may look different from here on.
    pub(super) fn changed(&mut self, id: PeerId) {
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(id);
        }
    }
}

/// Whether `name`, a URL, is at this host and port; the port may be left out if the URL does.
fn is_place(name: &str, port: u16, place: &str) -> bool {
    let authority = name.split_once("://").map_or(name, |(_, rest)| rest);
    authority.eq_ignore_ascii_case(place)
        || place.rsplit_once(':').is_some_and(|(host, number)| {
            authority.eq_ignore_ascii_case(host) && number.parse() == Ok(port)
        })
}

/// States that are told of in one turn: more are seen in the next report of the whole.
const CHANGES_MAX: usize = 64;
