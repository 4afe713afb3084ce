//! HTTP/1.1 without an ambiguity: what is let through, what is refused and why, byte for byte.
//!
//! The rules are data (`cases/*.case`, see `case.rs` for the format), delivered in every way that
//! a network can cut them, and each outcome is judged twice: against the case, and by an oracle
//! that knows no case but a second, independent reading of HTTP/1.1 (`reference.rs`).
//! The engine that runs in production does the same on the simulator's kernel (`engine.rs`).
//! Each is sent once more over real sockets to the program itself (`socket.rs`), and to other
//! proxies, to show where they differ (`matrix.rs`).

mod case;
mod cost;
mod delivery;
mod engine;
mod lane;
mod machine;
mod matrix;
mod mutate;
mod notation;
mod oracle;
mod program;
mod random;
mod reference;
mod socket;
mod stage;
mod trial;
mod verdict;

// The simulator's kernel.
#[path = "../sim/dial.rs"]
mod dial;
#[path = "../sim/faults.rs"]
mod faults;
#[path = "../sim/kernel.rs"]
mod kernel;
#[path = "../sim/link.rs"]
mod link;
#[path = "../sim/net.rs"]
mod net;
#[path = "../sim/pipes.rs"]
mod pipes;
#[path = "../sim/queue.rs"]
mod queue;
#[path = "../sim/trace.rs"]
mod trace;
#[path = "../sim/verbs.rs"]
mod verbs;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use machine::Machine;

/// Where the cases are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases")
}

#[test]
fn every_case_comes_out_as_it_says() {
    let cases = case::all(&folder());
    let mut machine = Machine::new();
    verdict::check_all(&cases, &mut machine);
    assert!(cases.len() >= 400);
}

/// A name that is there twice was copied and not changed.
#[test]
fn cases_have_names_of_their_own() {
    let cases = case::all(&folder());
    let name = |case: &case::Case| case.name.splitn(3, ':').skip(2).collect::<String>();
    let names: BTreeSet<String> = cases.iter().map(name).collect();
    assert_eq!(names.len(), cases.len());
}
