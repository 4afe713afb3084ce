//! The servers behind the balancer: who they are, whether they are well, who is next.
//!
//! Layer 1: pure. No socket and no clock; the engine connects and tells what came of it.

pub mod health;
pub mod idle;
mod peer;
pub mod rotation;

use crate::base::Fault;
use crate::base::arena::Arena;
use crate::base::time::Moment;
use health::Flip;
use health::Thresholds;
use rotation::Rotation;

pub use peer::Peer;
pub use peer::PeerId;
pub use peer::PoolId;

/// All servers of all pools, each pool's in the order in which they were added.
#[derive(Debug, Default)]
pub struct Peers {
    table: Arena<Peer>,
    order: Vec<PeerId>,
    pools: Vec<Pool>,
}

/// Servers that stand for each other.
#[derive(Debug)]
struct Pool {
    order: Vec<PeerId>,
    rotation: Rotation,
    thresholds: Thresholds,
}

impl Peers {
    /// Adds a pool without servers; verdicts on them by these thresholds.
    pub fn add_pool(&mut self, thresholds: Thresholds) -> PoolId {
        self.pools.push(Pool {
            order: Vec::new(),
            rotation: Rotation::default(),
            thresholds,
        });
        PoolId(self.pools.len() - 1)
    }

    /// Adds a server to its pool, behind the others. It takes part at once: the first verdict on
    /// it, which is due at once, counts alone. `None` if there is no such pool.
    pub fn add(&mut self, peer: Peer) -> Option<PeerId> {
        let weight = peer.weight;
        let pool = self.pools.get_mut(peer.pool.0)?;
        let id = PeerId(self.table.insert(peer));
        self.order.push(id);
        pool.order.push(id);
        pool.rotation.insert(pool.order.len() - 1, id, weight);
        Some(id)
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

    /// True if this server is in the rotation.
    #[must_use]
    pub fn is_up(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(|peer| peer.health.up)
    }

    /// Goes on as far in every pool as makes this the start of share `part` of `of`.
    pub fn rotate(&mut self, part: usize, of: usize) {
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

    /// A connection to the server came about, by a probe or for a request.
    pub fn passed(&mut self, id: PeerId, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let pool = self.pools.get_mut(peer.pool.0)?;
        let flip = peer.health.passed(pool.thresholds, now);
        pool.follow(id, peer.weight, flip);
        flip
    }

    /// A connection to the server did not come about.
    pub fn failed(&mut self, id: PeerId, fault: Fault, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let pool = self.pools.get_mut(peer.pool.0)?;
        let flip = peer.health.failed(pool.thresholds, fault, now);
        pool.follow(id, peer.weight, flip);
        flip
    }
}

impl Pool {
    fn follow(&mut self, id: PeerId, weight: u16, flip: Option<Flip>) {
        let Some(at) = self.order.iter().position(|other| *other == id) else {
            return;
        };
        match flip {
            Some(Flip::Up) => self.rotation.insert(at, id, weight),
            Some(Flip::Down(_)) => self.rotation.remove(id),
            None => {}
        }
    }
}
