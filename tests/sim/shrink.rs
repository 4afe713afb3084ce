//! Makes a failing scene smaller: fewer people, fewer requests, less that goes wrong, smaller
//! bodies, again and again, as long as it still fails. What is left is what the failure needs.

use crate::cover::Dress;
use crate::cover::Tls;
use crate::cover::Trouble;
use crate::faults::Fault;
use crate::knob::Knob;
use crate::scene::Part;
use crate::scene::Scene;
use crate::weather::Misdeed;

/// The smallest scene that was found to fail. At most [`TRIES_MAX`] worlds are lived through.
pub(crate) fn shrink(scene: &Scene, fails: &dyn Fn(&Scene) -> bool) -> Scene {
    let mut least = scene.clone();
    let mut tries = 0;
    loop {
        let mut smaller = false;
        // By position, because each success changes what comes behind it.
        let mut at = 0;
        while let Some(candidate) = candidates(&least).into_iter().nth(at) {
            tries += 1 + OTHER_DICE;
            if tries > TRIES_MAX {
                return least;
            }
            match fallen(candidate, fails) {
                Some(candidate) => (least, smaller) = (candidate, true),
                None => at += 1,
            }
        }
        if !smaller {
            return least;
        }
    }
}

/// The scene, if it fails: with its own dice, or with others, because whatever is left out changes
/// what the dice are thrown for.
fn fallen(scene: Scene, fails: &dyn Fn(&Scene) -> bool) -> Option<Scene> {
    let seed = scene.seed;
    let others = (1..=OTHER_DICE).map(u64::from);
    std::iter::once(seed).chain(others).find_map(|seed| {
        let next = Scene {
            seed,
            ..scene.clone()
        };
        fails(&next).then_some(next)
    })
}

/// Scenes that are each smaller in one way, the boldest first.
fn candidates(scene: &Scene) -> Vec<Scene> {
    let mut found = Vec::new();
    let mut shrunk = |change: &dyn Fn(&mut Scene)| {
        let mut next = scene.clone();
        change(&mut next);
        if next != *scene {
            found.push(next);
        }
    };
    let count = scene.clients.len();
    if count > 3 {
        shrunk(&|next| next.clients.truncate(count / 2));
        shrunk(&|next| next.clients = next.clients.split_off(count / 2));
    }
    for at in (0..count).filter(|_| count > 1) {
        shrunk(&|next| {
            next.clients.remove(at);
        });
    }
    for change in [|_| 1, |count: usize| count.div_ceil(2)] {
        shrunk(&|next| each(next, |part| part.requests = change(part.requests)));
    }
    for at in 0..count {
        shrunk(&|next| next.clients[at].requests = (next.clients[at].requests - 1).max(1));
    }
    shrunk(&|next| next.faults = [0; Fault::ALL.len()]);
    for fault in Fault::ALL {
        shrunk(&|next| next.faults[fault as usize] = 0);
    }
    for misdeed in Misdeed::ALL {
        shrunk(&|next| next.weather.set(misdeed, 0));
    }
    shrunk(&|next| next.dress = Dress::default());
    shrunk(&|next| next.dress.front = Tls::None);
    shrunk(&|next| next.dress.back = Tls::None);
    for trouble in Trouble::ALL {
        shrunk(&|next| next.dress.rates[trouble as usize] = 0);
    }
    for (knob, usual) in Knob::ALL {
        shrunk(&|next| next.knobs.set(knob, usual));
    }
    shrunk(&|next| next.origins = 1);
    shrunk(&|next| next.origins = (next.origins - 1).max(1));
    shrunk(&|next| next.changes = 0);
    shrunk(&|next| next.changes /= 2);
    shrunk(&|next| next.changes = next.changes.saturating_sub(1));
    shrunk(&|next| next.parting = 0);
    shrunk(&|next| each(next, |part| part.body_max = 0));
    shrunk(&|next| each(next, |part| part.body_max /= 2));
    found
}

fn each(scene: &mut Scene, change: impl Fn(&mut Part)) {
    scene.clients.iter_mut().for_each(change);
}

/// So many worlds take seconds.
const TRIES_MAX: u32 = 4_000;

/// Seeds that are tried for each scene beside its own.
const OTHER_DICE: u32 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Kind;

    #[test]
    fn what_a_failure_does_not_need_is_left_out() {
        let mut found = 0;
        for seed in 0..50 {
            let scene = Scene::draw(Kind::Stormy, seed);
            let fails = |scene: &Scene| {
                let asked: usize = scene.clients.iter().map(|part| part.requests).sum();
                asked >= 7 && scene.faults[Fault::ShortRead as usize] > 0
            };
            if !fails(&scene) {
                continue;
            }
            found += 1;
            let least = shrink(&scene, &fails);
            assert!(fails(&least));
            assert!(
                candidates(&least).iter().all(|next| !fails(next)),
                "{least}"
            );
            let rates = least.faults.iter().filter(|rate| **rate > 0).count();
            let asked: usize = least.clients.iter().map(|part| part.requests).sum();
            assert_eq!((rates, asked, least.origins), (1, 7, 1), "{least}");
        }
        assert!(found > 5, "{found} scenes failed");
    }
}
