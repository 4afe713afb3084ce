//! Would the tests find a bug if there were one? Each fault of `src/base/planted.rs` has happened
//! to a proxy that many rely on; here each is made live alone, and something must fail.
//!
//!     cargo test --features planted --test planted -- --nocapture
//!
//! builds every other test with the faults in it, makes sure that all pass while none is live, and
//! prints who found which and what that cost. `TIDEGATE_PLANTED=PostRetried,WindowLeaks` in front
//! of it hunts for these alone. An ordinary `cargo test` checks only that each fault has a place
//! and a history.

mod hunt;
mod list;

use std::path::Path;

use hunt::Hunt;
use list::Planted;

/// What has to be found in every run of the continuous integration, and quickly.
const CANARY: &str = "PostRetried";

/// So many at least.
const BUGS_MIN: usize = 40;

/// What finding a bug may cost, in seconds of processor time: the one in the middle, and any.
const SECONDS_MEDIAN_MAX: f64 = 10.0;
const SECONDS_MAX: f64 = 300.0;

fn bugs() -> Vec<Planted> {
    list::read(Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// Says how, in a build in which there is nothing to find.
fn is_planted() -> bool {
    if !cfg!(feature = "planted") {
        println!("no bug is planted here: cargo test --features planted --test planted");
    }
    cfg!(feature = "planted")
}

#[test]
fn every_bug_has_a_place_and_a_history() {
    let bugs = bugs();
    assert!(bugs.len() >= BUGS_MIN, "{} bugs", bugs.len());
    let known = tidegate::base::planted::Bug::ALL.map(|bug| format!("{bug:?}"));
    let names: Vec<_> = bugs.iter().map(|bug| bug.name.clone()).collect();
    assert_eq!(names, known, "the list `ALL` is not the enum");
    for bug in &bugs {
        let places = bug.places.len();
        assert!((1..=4).contains(&places), "{}: {:?}", bug.name, bug.places);
        let told = bug.history.ends_with('.') && bug.history.len() > 40;
        assert!(told, "{}: {:?} is no history", bug.name, bug.history);
    }
}

#[test]
fn the_canary_is_found() {
    if !is_planted() {
        return;
    }
    let hunt = Hunt::new(&["sim"]);
    hunt.assert_healthy();
    let found = hunt.find(CANARY);
    println!("{CANARY}: {found}");
    assert!(found.by.is_some(), "{CANARY} survives the simulator");
}

#[test]
fn every_bug_is_found() {
    if !is_planted() {
        return;
    }
    let hunt = Hunt::new(&hunt::EVERYTHING);
    hunt.assert_healthy();
    let wanted = std::env::var("TIDEGATE_PLANTED").ok();
    let bugs = bugs();
    let (mut survivors, mut costs) = (Vec::new(), Vec::new());
    for bug in &bugs {
        let is_wanted = |names: &String| names.split(',').any(|name| name == bug.name);
        if !wanted.as_ref().is_none_or(is_wanted) {
            continue;
        }
        let found = hunt.find(&bug.name);
        println!("{:<26} {found}", bug.name);
        costs.push(found.seconds);
        if found.by.is_none() {
            survivors.push(format!("{}: {}", bug.name, bug.history));
        }
    }
    costs.sort_by(f64::total_cmp);
    assert!(!costs.is_empty(), "no bug is called {wanted:?}");
    let (median, most) = (costs[costs.len() / 2], costs[costs.len() - 1]);
    let count = costs.len();
    println!("{count} bugs, processor seconds: {median:.1} in the middle, {most:.1} at most");
    assert!(survivors.is_empty(), "alive: {survivors:#?}");
    assert!(
        count < bugs.len() || median <= SECONDS_MEDIAN_MAX,
        "too dear"
    );
    assert!(most <= SECONDS_MAX, "too dear");
}
