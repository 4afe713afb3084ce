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

/// All servers, in the order in which they were added.
#[derive(Debug)]
pub struct Peers {
    table: Arena<Peer>,
    order: Vec<PeerId>,
    rotation: Rotation,
    thresholds: Thresholds,
}

impl Peers {
    /// No servers yet; verdicts by these thresholds.
    #[must_use]
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            table: Arena::default(),
            order: Vec::new(),
            rotation: Rotation::default(),
            thresholds,
        }
    }

    /// Adds a server behind the others. It takes part at once: the first verdict on it, which is
    /// due at once, counts alone.
    pub fn add(&mut self, peer: Peer) -> PeerId {
        let id = PeerId(self.table.insert(peer));
        self.order.push(id);
        self.rotation.insert(self.order.len() - 1, id, &self.order);
        id
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

    /// All numbers, in order.
    #[must_use]
    pub fn order(&self) -> &[PeerId] {
        &self.order
    }

    /// How many are up.
    #[must_use]
    pub const fn up(&self) -> usize {
        self.rotation.len()
    }

    /// True if this server is in the rotation.
    #[must_use]
    pub fn is_up(&self, id: PeerId) -> bool {
        self.get(id).is_some_and(|peer| peer.health.up)
    }

    /// The next server whose turn it is, `tried` ones left out. Ends after one lap.
    pub fn next(&mut self, tried: &[PeerId]) -> Option<PeerId> {
        self.rotation.next(tried)
    }

    /// A connection to the server came about, by a probe or for a request.
    pub fn passed(&mut self, id: PeerId, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let flip = peer.health.passed(self.thresholds, now);
        self.follow(id, flip);
        flip
    }

    /// A connection to the server did not come about.
    pub fn failed(&mut self, id: PeerId, fault: Fault, now: Moment) -> Option<Flip> {
        let peer = self.table.get_mut(id.0)?;
        let flip = peer.health.failed(self.thresholds, fault, now);
        self.follow(id, flip);
        flip
    }

    fn follow(&mut self, id: PeerId, flip: Option<Flip>) {
        let Some(at) = self.order.iter().position(|other| *other == id) else {
            return;
        };
        match flip {
            Some(Flip::Up) => self.rotation.insert(at, id, &self.order),
            Some(Flip::Down(_)) => self.rotation.remove(id),
            None => {}
        }
    }
}
