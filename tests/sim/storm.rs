//! The engine that runs in production, in worlds of the simulator: what is asked of a few of them
//! one by one. What is asked of all is `invariant`, and `sweep` goes through many.
//!
//! Calm worlds have faults that must not matter: there every request is answered whole and the
//! servers' counts differ by at most one. Stormy worlds have all faults: there a client may see a
//! refusal or a broken connection, but never a wrong byte, half an answer as a whole one, an
//! answer for somebody else, or a POST executed twice; nobody waits for ever; and once the
//! weather clears everything works again and everything that was opened gets closed.

use crate::frame;
use crate::scene::Kind;
use crate::scene::Scene;
use crate::sweep;

/// Scenes that once failed, or are here so that they never do: one a line, and why.
const PINS: &str = include_str!("pins");

#[test]
fn pinned_worlds_stay_well() {
    let lines = PINS.lines().filter(|line| !line.starts_with('#'));
    let mut count = 0;
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let (scene, why) = line
            .split_once(" : ")
            .unwrap_or_else(|| panic!("no reason: {line}"));
        let scene: Scene = scene
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(why.split_whitespace().count() >= 3, "no reason: {line}");
        frame::demand(&scene);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_seed_is_one_history() {
    for seed in 0..200 {
        let scene = Scene::draw(Kind::of(seed), seed);
        let [first, second] = [0; 2].map(|_| frame::demand(&scene));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// A history does not depend on how the program was compiled: `.ci/histories` compares two builds.
#[test]
fn histories_can_be_compared() {
    if sweep::setting("TIDEGATE_HASHES") != Some(1) {
        return;
    }
    for seed in 0..20 {
        let history = frame::demand(&Scene::draw(Kind::of(seed), seed));
        println!("seed {seed} history {:016x}", history.hash);
    }
}
