//! The engine that runs in production, in worlds of the simulator.
//!
//! Calm worlds have faults that must not matter: there every request is answered whole and the
//! servers' counts differ by at most one. Stormy worlds have all faults: there a client may see a
//! refusal or a broken connection, but never a wrong byte, half an answer as a whole one, an
//! answer for somebody else, or a POST executed twice; nobody waits for ever; and once the
//! weather clears everything works again and everything that was opened gets closed.

use crate::faults::Fault;
use crate::scene::Kind;
use crate::scene::Scene;
use crate::world::History;
use crate::world::World;

fn live(seed: u64, kind: Kind) -> History {
    let mut world = World::new(&Scene::draw(kind, seed));
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.live()));
    if let Err(panic) = lived {
        let kind = kind.name();
        let (turns, tail) = (world.turns, world.kernel.trace().tail());
        eprintln!(
            "{kind} seed {seed}, turn {turns}; to see it again: \
             TIDEGATE_SEED={seed} cargo test --test sim {kind}\n{tail}"
        );
        std::panic::resume_unwind(panic);
    }
    world.history()
}

/// The seeds to go through: one if `TIDEGATE_SEED` names it, as many as `TIDEGATE_SEEDS` says, or
/// the usual number.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    match number("TIDEGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDEGATE_SEEDS").unwrap_or(usual),
    }
}

#[test]
fn calm_worlds_answer_everything_and_serve_evenly() {
    let mut requests = 0;
    for seed in seeds(200) {
        let history = live(seed, Kind::Calm);
        assert_eq!((history.broken, history.refused), (0, 0), "seed {seed}");
        assert_eq!(history.answered, history.requests, "seed {seed}");
        let most = history.executed.iter().max().copied().unwrap_or(0);
        let least = history.executed.iter().min().copied().unwrap_or(0);
        assert!(most - least <= 1, "seed {seed}: {:?}", history.executed);
        requests += history.requests;
    }
    println!("calm: {requests} requests");
}

#[test]
fn stormy_worlds_break_nothing_that_is_not_seen() {
    let (mut requests, mut answered) = (0, 0);
    let mut fired = vec![0; Fault::ALL.len()];
    let range = seeds(400);
    let many = range.end - range.start >= 400;
    for seed in range {
        let history = live(seed, Kind::Stormy);
        requests += history.requests;
        answered += history.answered;
        for (sum, count) in fired.iter_mut().zip(&history.fired) {
            *sum += count;
        }
    }
    println!("stormy: {requests} requests, {answered} answered whole");
    let never: Vec<_> = Fault::ALL
        .into_iter()
        .filter(|fault| fired[*fault as usize] == 0)
        .collect();
    let expected = [Fault::ResolveFailed];
    assert!(!many || never == expected, "these never fired: {never:?}");
}

#[test]
fn a_seed_is_one_history() {
    for seed in seeds(10) {
        let [first, second] = [0; 2].map(|_| live(seed, Kind::Stormy));
        assert_eq!(first, second, "seed {seed}");
    }
}
