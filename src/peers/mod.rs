//! The servers behind the balancer: who they are, whether they are well, who is next.
//!
//! Layer 1: pure. No socket and no clock; the engine connects and tells what came of it.

mod counts;
pub mod health;
pub mod idle;
mod peer;
pub mod rotation;

use crate::base::Fault;
use crate::base::arena::Arena;
use crate::base::time::Moment;
use health::Flip;
use health::Health;
use health::Thresholds;
use rotation::Rotation;

pub use counts::Counts;
pub use peer::Peer;
pub use peer::PeerId;
pub use peer::PoolId;
pub use peer::Standing;

/// All servers of all pools, each pool's in the order in which they were added.
#[derive(Debug, Default)]
pub struct Peers {
    table: Arena<Peer>,
    order: Vec<PeerId>,
    pools: Vec<Pool>,
    /// Requests that were given to servers that are gone.
    departed: u64,
    places: Places,
}

/// Which part of what servers are to be given is this loop's.
#[derive(Clone, Copy, Debug)]
struct Places {
    part: u64,
    of: u64,
}

impl Default for Places {
    /// All of it.
    fn default() -> Self {
        Self { part: 0, of: 1 }
    }
}

impl Places {
    /// Whether a server has all that this loop may give it. Every loop may give it one: a client
    /// cannot choose its loop, and would be turned away for ever.
    fn are_taken(self, peer: &Peer) -> bool {
        peer.max_conns.is_some_and(|most| {
            let most = u64::from(most);
            let more = u64::from(self.part < most % self.of);
            let most = (most / self.of + more).max(1);
            peer.in_flight + peer.dialling >= most
        })
    }
}

fn count(number: &mut u64, more: bool) {
    *number = if more {
        *number + 1
    } else {
        number.saturating_sub(1)
    };
}

/// Takes a server out of a list in the order in which they were added, which is that of their
/// generations until those begin anew.
fn strike(order: &mut Vec<PeerId>, id: PeerId) {
    match order.binary_search_by_key(&id.0.generation, |other| other.0.generation) {
        Ok(place) if order.get(place) == Some(&id) => {
            order.remove(place);
        }
        Ok(_) | Err(_) => order.retain(|other| *other != id),
    }
}

/// Servers that stand for each other.
#[derive(Debug)]
struct Pool {
    order: Vec<PeerId>,
    /// How many there have ever been.
    born: u32,
    rotation: Rotation,
    thresholds: Thresholds,
}

impl Peers {
    /// Adds a pool without servers; verdicts on them by these thresholds.
    pub fn add_pool(&mut self, thresholds: Thresholds) -> PoolId {
        self.pools.push(Pool {
            order: Vec::new(),
            born: 0,
            rotation: Rotation::default(),
            thresholds,
        });
        PoolId(self.pools.len() - 1)
    }

    /// Adds a server to its pool, behind the others. It takes part at once: the first verdict on
    /// it, which is due at once, counts alone. `None` if there is no such pool.
    pub fn add(&mut self, mut peer: Peer) -> Option<PeerId> {
        let (number, weight) = (self.pools.get(peer.pool.0)?.born + 1, peer.weight);
        let pool = self.pools.get_mut(peer.pool.0)?;
        pool.born = number;
        peer.number = number;
        let id = PeerId(self.table.insert(peer));
        self.order.push(id);
        pool.order.push(id);
        pool.rotation.insert(number, id, weight);
        Some(id)
    }

    /// Takes a server out for good. What is kept under its number has to be gone already.
    pub fn remove(&mut self, id: PeerId) -> Option<Peer> {
        let peer = self.table.remove(id.0)?;
        self.departed += peer.requests;
        strike(&mut self.order, id);
        if let Some(pool) = self.pools.get_mut(peer.pool.0) {
            strike(&mut pool.order, id);
            pool.rotation.remove(peer.number);
        }
        Some(peer)
    }

    /// Requests that were given to servers that are gone.
    #[must_use]
    pub const fn departed(&self) -> u64 {
        self.departed
    }

    /// The servers of a pool, in the order in which they were added.
    #[must_use]
    pub fn of(&self, pool: PoolId) -> &[PeerId] {
        self.pools.get(pool.0).map_or(&[], |pool| &pool.order)
    }

    /// The operator wants something else of a server.
    pub fn stand(&mut self, id: PeerId, standing: Standing, now: Moment) {
        if let Some(peer) = self.table.get_mut(id.0) {
            peer.standing = standing;
            peer.since = now;
        }
        self.settle(id);
    }

    /// The operator gives a server another share of its pool's requests.
    pub fn reweigh(&mut self, id: PeerId, weight: u16) {
        let Some(peer) = self.table.get_mut(id.0) else {
            return;
        };
        peer.weight = weight;
        if let Some(pool) = self.pools.get_mut(peer.pool.0) {
            pool.rotation.reweigh(peer.number, weight);
        }
    }

    /// Verdicts on the servers of a pool are by these thresholds from here on.
    pub fn judge(&mut self, pool: PoolId, thresholds: Thresholds) {
        if let Some(pool) = self.pools.get_mut(pool.0) {
            pool.thresholds = thresholds;
        }
    }

    /// A server is watched from here on, or is not any more: what was bad is still believed, unless
    /// `blindly`, and what was good is not.
    pub fn forget_health(&mut self, id: PeerId, blindly: bool) {
        if let Some(peer) = self.table.get_mut(id.0)
            && (peer.health.up || blindly)
        {
            peer.health = Health::default();
        }
        self.settle(id);
    }

    /// The server under this number.
    #[must_use]
    pub fn get(&self, id: PeerId) -> Option<&Peer> {
        self.table.get(id.0)
    }

    /// The server under this number, to change.
    pub fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.table.get_mut(id.0)
    }

    /// The server that another loop knows under this key. Both have added the same ones in the
    /// same order, so generations agree; places need not, as servers leave when they are idle.
    #[must_use]
    pub fn twin(&self, other: PeerId) -> PeerId {
        if self.get(other).is_some() {
            return other;
        }
        let generation = other.0.generation;
        let mut all = self.order.iter();
        let found = all.find(|id| id.0.generation == generation);
        found.copied().unwrap_or(other)
    }

    /// All numbers, in order, whatever the pool.
    #[must_use]
    pub fn order(&self) -> &[PeerId] {
        &self.order
    }

    /// How many of a pool there are.
    #[must_use]
    pub fn len(&self, pool: PoolId) -> usize {
        self.pools.get(pool.0).map_or(0, |pool| pool.order.len())
    }

    /// How many of a pool are up.
    #[must_use]
    pub fn up(&self, pool: PoolId) -> usize {
        self.pools.get(pool.0).map_or(0, |pool| pool.rotation.len())
    }

    /// True if a request to that pool would be given to somebody, at the latest when one of those
    /// that run has ended.
    #[must_use]
    pub fn serves(&self, pool: PoolId) -> bool {
        let pool = self.pools.get(pool.0);
        pool.is_some_and(|pool| pool.rotation.serves())
    }

    /// True if somebody of that pool could be given a request if it had fewer.
    #[must_use]
    pub fn is_busy(&self, pool: PoolId) -> bool {
        let mut all = self.of(pool).iter();
        all.any(|id| {
            let peer = self.get(*id).filter(|peer| peer.takes_part());
            peer.is_some_and(|peer| peer.weight > 0 && self.places.are_taken(peer))
        })
    }

    /// True if this server has as much as it is to be given.
    #[must_use]
    pub fn is_full(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(|peer| self.places.are_taken(peer))
    }

    /// The server is to be given so many requests at a time, by all loops together.
    pub fn bound(&mut self, id: PeerId, most: Option<u32>) {
        if let Some(peer) = self.table.get_mut(id.0) {
            peer.max_conns = most;
        }
        self.settle(id);
    }

    /// A connection to the server is being made, or not any more, for a request.
    pub fn dials(&mut self, id: PeerId, begins: bool) {
        debug_assert!(!begins || !self.is_full(id), "{id:?} has enough");
        self.moves(id, |peer| count(&mut peer.dialling, begins));
    }

    /// The server has a request more, or less.
    pub fn carries(&mut self, id: PeerId, begins: bool) {
        self.moves(id, |peer| count(&mut peer.in_flight, begins));
    }

    fn moves(&mut self, id: PeerId, how: impl FnOnce(&mut Peer)) {
        let Some(peer) = self.table.get_mut(id.0) else {
            return;
        };
        how(peer);
        if peer.max_conns.is_some() {
            self.settle(id);
        }
    }

    /// True if this server is in the rotation: up, and not taken out by the operator.
    #[must_use]
    pub fn is_up(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(Peer::takes_part)
    }

    /// True if this server may be given one more now: it is up, and not full.
    #[must_use]
    pub fn takes_more(&self, id: PeerId) -> bool {
        self.is_up(id) && !self.is_full(id)
    }

    /// True if there is this server and the operator lets it take part.
    #[must_use]
    pub fn is_enabled(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(Peer::is_enabled)
    }

    /// Goes on as far in every pool as makes this the start of share `part` of `of`.
    pub fn rotate(&mut self, part: usize, of: usize) {
        self.places = Places {
            part: part as u64,
            of: of.max(1) as u64,
        };
        for pool in &mut self.pools {
            for _ in 0..pool.rotation.len() * part / of.max(1) {
                pool.rotation.next(&[]);
            }
        }
    }

    /// The next server of a pool whose turn it is, `tried` ones left out. Ends after one lap.
    pub fn next(&mut self, pool: PoolId, tried: &[PeerId]) -> Option<PeerId> {
        self.pools.get_mut(pool.0)?.rotation.next(tried)
    }

    /// Whom [`Peers::next`] would name for one request that fails everywhere, at most so many.
    /// Nobody's turn is used up.
    #[must_use]
    pub fn turns(&self, pool: PoolId, most: usize) -> Vec<PeerId> {
        let mut rotation = self
            .pools
            .get(pool.0)
            .map_or_else(Rotation::default, |pool| pool.rotation.clone());
        let mut turns = Vec::new();
        while let Some(id) = rotation.next(&turns).filter(|_| turns.len() < most) {
            turns.push(id);
        }
        turns
    }

    /// A connection to the server came about, by a probe or for a request.
    pub fn passed(&mut self, id: PeerId, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let pool = self.pools.get_mut(peer.pool.0)?;
        let flip = peer.health.passed(pool.thresholds, now);
        self.settle_after(id, flip, now);
        flip
    }

    /// A connection to the server did not come about.
    pub fn failed(&mut self, id: PeerId, fault: Fault, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let pool = self.pools.get_mut(peer.pool.0)?;
        let flip = peer.health.failed(pool.thresholds, fault, now);
        self.settle_after(id, flip, now);
        flip
    }

    fn settle_after(&mut self, id: PeerId, flip: Option<Flip>, now: Moment) {
        if flip.is_none() {
            return;
        }
        if let Some(peer) = self.table.get_mut(id.0).filter(|peer| peer.is_enabled()) {
            peer.since = now;
        }
        self.settle(id);
    }

    /// In the rotation or not, by its health and by what the operator wants.
    fn settle(&mut self, id: PeerId) {
        let Some(peer) = self.table.get(id.0) else {
            return;
        };
        let Some(pool) = self.pools.get_mut(peer.pool.0) else {
            return;
        };
        if peer.takes_part() {
            pool.rotation.insert(peer.number, id, peer.weight);
            pool.rotation.fill(peer.number, self.places.are_taken(peer));
        } else {
            pool.rotation.remove(peer.number);
        }
    }
}
