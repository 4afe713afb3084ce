//! Round robin over the servers that are up: each pick is the next one after the last pick.
//!
//! With unequal weights it is the smooth one: every pick each server earns its weight, and the
//! richest pays all that was earned. Weights 5, 1 and 1 give a a b a c a a, never five in a row.
//!
//! The rotation holds only those that are up, so a pick costs the same however many are down, and
//! it ends even when all are: there is nothing to go round. When a server leaves or comes back,
//! the place of the next pick among the others stays what it was, so between two changes the
//! counts of any two servers differ by at most one.

use super::peer::PeerId;
use crate::base::planted::Bug;
use crate::base::planted::planted;

/// Whose turn it is.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// Each with its number in the pool, in the order of that.
    up: Vec<(u32, PeerId)>,
    cursor: usize,
    /// Of each in `up`.
    shares: Vec<Share>,
    /// Whether the shares differ, or are nothing; looked at again at the first pick after a change.
    weighted: Option<bool>,
}

/// What a server may claim.
#[derive(Clone, Copy, Debug)]
struct Share {
    weight: u16,
    /// What it has earned and not paid yet.
    credit: i64,
    /// It has enough for now: it keeps its place, and is passed over.
    full: bool,
}

impl Rotation {
    /// The next server, `tried` ones left out; `None` if there is no other.
    pub fn next(&mut self, tried: &[PeerId]) -> Option<PeerId> {
        if self.is_weighted() {
            return self.richest(tried);
        }
        for step in 0..self.up.len() {
            let at = (self.cursor + step) % self.up.len();
            let (_, id) = self.up[at];
            if !self.shares[at].full && !tried.contains(&id) {
                self.cursor = (at + 1) % self.up.len();
                return Some(id);
            }
        }
        None
    }

    /// The pick of smooth weighted round robin.
    fn richest(&mut self, tried: &[PeerId]) -> Option<PeerId> {
        let mut best: Option<usize> = None;
        let mut earned = 0;
        for (at, (_, id)) in self.up.iter().enumerate() {
            let Share { weight, full, .. } = self.shares[at];
            if weight == 0 || full || tried.contains(id) {
                continue;
            }
            self.shares[at].credit += i64::from(weight);
            earned += i64::from(weight);
            if best.is_none_or(|best| self.shares[at].credit > self.shares[best].credit) {
                best = Some(at);
            }
        }
        let best = best?;
        self.shares[best].credit -= earned;
        let (_, id) = self.up[best];
        Some(id)
    }

    /// Puts the server of that number into the rotation, at its place.
    pub(super) fn insert(&mut self, number: u32, id: PeerId, weight: u16) {
        let Err(place) = self.up.binary_search_by_key(&number, |(other, _)| *other) else {
            return;
        };
        self.up.insert(place, (number, id));
        let share = Share {
            weight,
            credit: 0,
            full: false,
        };
        self.shares.insert(place, share);
        self.weighted = None;
        if place < self.cursor {
            self.cursor += 1;
        }
    }

    /// Takes the server of that number out.
    pub(super) fn remove(&mut self, number: u32) {
        let Some(place) = self.place(number) else {
            return;
        };
        self.up.remove(place);
        self.shares.remove(place);
        self.weighted = None;
        if place < self.cursor && !planted(Bug::RotationSkewed) {
            self.cursor -= 1;
        }
        if self.cursor >= self.up.len() {
            self.cursor = 0;
        }
    }

    /// The server has enough for now, or could be given more again. Its place stays its own.
    pub(super) fn fill(&mut self, number: u32, full: bool) {
        let place = self.place(number);
        if let Some(share) = place.and_then(|at| self.shares.get_mut(at)) {
            share.full = full;
        }
    }

    /// The server has another weight. All accounts are closed: what was earned under
    /// the old weights would keep a server waiting, or favoured, for long under the new ones.
    pub(super) fn reweigh(&mut self, number: u32, weight: u16) {
        let Some(place) = self.place(number) else {
            return;
        };
        self.shares[place].weight = weight;
        for share in &mut self.shares {
            share.credit = 0;
        }
        self.weighted = None;
    }

    fn place(&self, number: u32) -> Option<usize> {
        let found = self.up.binary_search_by_key(&number, |(other, _)| *other);
        found.ok()
    }

    fn is_weighted(&mut self) -> bool {
        if let Some(known) = self.weighted {
            return known;
        }
        let first = self.shares.first().map_or(1, |share| share.weight);
        let weighted = first == 0 || self.shares.iter().any(|share| share.weight != first);
        self.weighted = Some(weighted);
        weighted
    }

    /// How many are up.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.up.len()
    }

    /// True if somebody may get something: is up, and has a weight.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.shares.iter().any(|share| share.weight > 0)
    }

    /// True if nobody is up.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.up.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::arena::Key;
    use crate::base::random::Random;

    fn number(at: usize) -> u32 {
        u32::try_from(at).unwrap()
    }

    fn ids(count: u32) -> Vec<PeerId> {
        (0..count)
            .map(|index| {
                PeerId(Key {
                    index,
                    generation: 1,
                })
            })
            .collect()
    }

    fn rotation(order: &[PeerId]) -> Rotation {
        let mut rotation = Rotation::default();
        for (at, id) in order.iter().enumerate() {
            rotation.insert(number(at), *id, 1);
        }
        rotation
    }

    #[test]
    fn goes_round_in_order() {
        let order = ids(3);
        let mut rotation = rotation(&order);
        let picked: Vec<u32> = (0..7)
            .map(|_| rotation.next(&[]).unwrap().0.index)
            .collect();
        assert_eq!(picked, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[test]
    fn ends_when_everyone_is_down_or_tried() {
        let order = ids(3);
        let mut rotation = rotation(&order);
        assert_eq!(rotation.next(&order), None);
        for id in &order {
            rotation.remove(id.0.index);
        }
        assert_eq!(rotation.next(&[]), None);
    }

    /// A place is searched for, not counted out: looking every server up in the whole list for
    /// every other one made ten thousand take minutes to add.
    #[test]
    fn goes_round_ten_thousand() {
        let order = ids(10_000);
        let mut rotation = rotation(&order);
        rotation.remove(number(5_000));
        rotation.insert(number(5_000), order[5_000], 1);
        let picked: Vec<PeerId> = order.iter().filter_map(|_| rotation.next(&[])).collect();
        assert_eq!(picked, order);
    }

    #[test]
    fn moves_past_a_dead_one() {
        let order = ids(3);
        let mut rotation = rotation(&order);
        rotation.remove(number(1));
        let picked: Vec<u32> = (0..4)
            .map(|_| rotation.next(&[]).unwrap().0.index)
            .collect();
        assert_eq!(picked, [0, 2, 0, 2]);
    }

    #[test]
    fn who_leaves_or_comes_back_costs_nobody_a_turn() {
        let order = ids(4);
        let mut rotation = rotation(&order);
        assert_eq!(rotation.next(&[]), Some(order[0]));
        assert_eq!(rotation.next(&[]), Some(order[1]));
        rotation.remove(number(0));
        assert_eq!(rotation.next(&[]), Some(order[2]));
        rotation.insert(0, order[0], 1);
        assert_eq!(rotation.next(&[]), Some(order[3]));
        assert_eq!(rotation.next(&[]), Some(order[0]));
    }

    fn weighted(weights: &[u16]) -> (Vec<PeerId>, Rotation) {
        let order = ids(u32::try_from(weights.len()).unwrap());
        let mut rotation = Rotation::default();
        for (at, weight) in weights.iter().enumerate() {
            rotation.insert(number(at), order[at], *weight);
        }
        (order, rotation)
    }

    #[test]
    fn weights_are_kept_smoothly() {
        let (_, mut rotation) = weighted(&[5, 1, 1]);
        let picked: Vec<u32> = (0..14)
            .map(|_| rotation.next(&[]).unwrap().0.index)
            .collect();
        assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_weight_of_nothing_gets_nothing() {
        let (order, mut rotation) = weighted(&[0, 2]);
        assert_eq!(rotation.next(&[]), Some(order[1]));
        assert_eq!(rotation.next(&order[1..]), None);
        let (_, mut rotation) = weighted(&[0, 0]);
        assert_eq!(rotation.next(&[]), None);
    }

    #[test]
    fn weighted_servers_come_and_go() {
        let (order, mut rotation) = weighted(&[3, 1, 2]);
        rotation.next(&[]);
        rotation.remove(number(2));
        for _ in 0..3 {
            let mut counts = [0; 3];
            for _ in 0..400 {
                counts[rotation.next(&[]).unwrap().0.index as usize] += 1;
            }
            assert_eq!(counts, [300, 100, 0]);
        }
        rotation.remove(number(0));
        assert_eq!(rotation.next(&[]), Some(order[1]));
        assert_eq!(rotation.next(&order[1..]), None);
    }

    #[test]
    fn between_changes_counts_differ_by_at_most_one() {
        let mut random = Random::new(11);
        let order = ids(7);
        let mut rotation = rotation(&order);
        for _ in 0..2_000 {
            let at = usize::try_from(random.below(7)).unwrap();
            if random.permille(500) {
                rotation.remove(number(at));
            } else {
                rotation.insert(number(at), order[at], 1);
            }
            let mut counts = [0_u32; 7];
            for _ in 0..random.below(40) {
                if let Some(id) = rotation.next(&[]) {
                    counts[id.0.index as usize] += 1;
                }
            }
            let up = rotation.up.iter().map(|(_, id)| id);
            let counts: Vec<u32> = up.map(|id| counts[id.0.index as usize]).collect();
            let spread = counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0);
            assert!(spread <= 1, "{counts:?}");
        }
    }

    #[test]
    fn a_new_weight_counts_from_the_next_pick_on() {
        let (order, mut rotation) = weighted(&[1, 1, 1]);
        rotation.next(&[]);
        for weights in [[256, 1, 1], [1, 1, 1], [0, 3, 1], [2, 2, 0], [1, 1, 1]] {
            for (id, weight) in order.iter().zip(weights) {
                rotation.reweigh(id.0.index, weight);
            }
            let total = weights.iter().sum::<u16>();
            let mut counts = [0; 3];
            for _ in 0..total {
                counts[rotation.next(&[]).unwrap().0.index as usize] += 1;
            }
            assert_eq!(counts, weights);
        }
    }
}
