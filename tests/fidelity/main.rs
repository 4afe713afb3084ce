//! Is the fake kernel a kernel? Random socket scripts, played on the real one over loopback and
//! on fakes under three skies, all held against one specification of TCP (`truth`, `spec`).
//!
//! Two things are asked. Every outcome, real or fake, must be one that the specification allows;
//! and everything that the real kernel was seen to do (what was known, the verb, the outcome)
//! must be something that the fake does too, in some world. A script that fails is printed with
//! its seed, shrunk to the steps that matter.
//!
//! `TIDEGATE_SCRIPTS=100000 cargo test --test fidelity` plays more of them,
//! `TIDEGATE_SCRIPT=7` one.

#[path = "../sim/dial.rs"]
mod dial;
#[path = "../sim/faults.rs"]
mod faults;
#[path = "../sim/kernel.rs"]
mod kernel;
mod lies;
#[path = "../sim/link.rs"]
mod link;
mod marks;
#[path = "../sim/net.rs"]
mod net;
#[path = "../sim/pipes.rs"]
mod pipes;
mod player;
#[path = "../sim/queue.rs"]
mod queue;
mod script;
mod spec;
#[path = "../sim/trace.rs"]
mod trace;
mod truth;
#[path = "../sim/verbs.rs"]
mod verbs;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::SocketAddr;

use tidegate::base::time::Span;
use tidegate::os::MioKernel;

use faults::Fault;
use kernel::SimKernel;
use player::Player;
use player::Triple;
use script::Step;
use script::script;
use script::shrunk;
use truth::Sky;

#[test]
fn what_the_real_kernel_does_is_allowed_and_the_fake_does_it_too() {
    let seeds = seeds();
    let (real, fake) = std::thread::scope(|scope| {
        let fakes = scope.spawn(|| sweep_fakes(&seeds));
        let real = sweep_real(&seeds);
        (real, fakes.join().expect("the fakes are fine"))
    });
    println!(
        "{} kinds of outcome on the real kernel, {} on the fake",
        real.len(),
        fake.len()
    );
    let missing = real.iter().filter(|(triple, _)| !fake.contains(triple));
    let impossible: Vec<String> = missing
        .filter(|(triple, seed)| !reachable(**triple, **seed))
        .map(|(triple, seed)| format!("script {seed}: {triple:?}"))
        .collect();
    assert!(
        impossible.is_empty(),
        "{} outcomes of the real kernel that the fake never has:\n{}",
        impossible.len(),
        impossible.join("\n")
    );
}

/// Plays the scripts on the real kernel. Gives every kind of outcome, and a script that has it.
fn sweep_real(seeds: &[u64]) -> BTreeMap<Triple, u64> {
    let mut found = BTreeMap::new();
    for &seed in seeds {
        for triple in checked(seed, "real", |steps| on_real(seed, steps)) {
            found.entry(triple).or_insert(seed);
        }
    }
    found
}

fn sweep_fakes(seeds: &[u64]) -> BTreeSet<Triple> {
    let mut found = BTreeSet::new();
    for &seed in seeds {
        for climate in CLIMATES {
            let name = format!("{climate:?} fake");
            found.extend(checked(seed, &name, |steps| on_fake(seed, climate, steps)));
        }
    }
    found
}

/// Whether some world in which this script is played has this outcome.
fn reachable(triple: Triple, seed: u64) -> bool {
    let steps = script(seed);
    let mut worlds =
        (0..WORLDS).flat_map(|world| CLIMATES.map(|climate| (seed ^ world << 32, climate)));
    worlds.any(|(world, climate)| {
        let (triples, _) = on_fake(world, climate, &steps);
        triples.contains(&triple)
    })
}

/// Plays a seed's script, and if that goes wrong shrinks and shows it.
fn checked(
    seed: u64,
    name: &str,
    play: impl Fn(&[Step]) -> (Vec<Triple>, Result<String, String>),
) -> Vec<Triple> {
    let steps = script(seed);
    let (triples, verdict) = play(&steps);
    if let (Ok(log), true) = (&verdict, number("TIDEGATE_SCRIPT").is_some()) {
        println!("{name} kernel, script {seed}: {steps:?}\n{log}");
    }
    if let Err(first) = verdict {
        let shortest = shrunk(steps, |steps| play(steps).1.is_err());
        let again = play(&shortest).1.err();
        panic!(
            "{name} kernel, script {seed}: {}\nshortest: {shortest:?}",
            again.unwrap_or(first)
        );
    }
    triples
}

fn on_real(seed: u64, steps: &[Step]) -> (Vec<Triple>, Result<String, String>) {
    let mut kernel = MioKernel::new().expect("an epoll set");
    let mut triples = Vec::new();
    let (sky, glance) = (Sky::Clear, Span::ZERO);
    let at = address(seed);
    let verdict = Player::play(&mut kernel, sky, glance, at, steps, &mut triples);
    (triples, verdict)
}

fn on_fake(seed: u64, climate: Climate, steps: &[Step]) -> (Vec<Triple>, Result<String, String>) {
    let mut kernel = SimKernel::new(seed);
    kernel.bounds().strict = false;
    kernel.bounds().buffer = BUFFERS + kernel.faults().index(8 * BUFFERS);
    let (sky, faults, rate): (_, &[Fault], _) = match climate {
        Climate::Calm => (Sky::Clear, &[], 0),
        Climate::Prompt => (Sky::Clear, &[Fault::Raced, Fault::Crowded], 900),
        Climate::Hazy => (Sky::Hazy, &Fault::HARMLESS, 200),
        Climate::Stormy => (Sky::Stormy, &Fault::ALL, 60),
    };
    // Stale events are more than a kernel may do, of what never comes nothing can be said, and
    // a clock that jumps says nothing of sockets.
    let silent = [
        Fault::Stale,
        Fault::Silenced,
        Fault::ConnectNever,
        Fault::Gap,
    ];
    for fault in faults.iter().filter(|fault| !silent.contains(fault)) {
        kernel.faults().set(*fault, rate);
    }
    let mut triples = Vec::new();
    let glance = Span(60_000);
    let at = address(seed);
    let mut verdict = Player::play(&mut kernel, sky, glance, at, steps, &mut triples);
    if verdict.is_ok() && (kernel.census() != 0 || kernel.misuses() != 0) {
        verdict = Err("sockets are left".to_owned());
    }
    (triples, verdict)
}

/// A loopback address for each script, so that connections that linger in TIME_WAIT never make
/// ports scarce, and nobody else is ever met.
fn address(seed: u64) -> SocketAddr {
    let spread = u16::try_from(seed % 60_000).expect("below 60000") + 2_000;
    let [high, low] = spread.to_be_bytes();
    SocketAddr::from(([127, 7, high, low], 0))
}

fn seeds() -> Vec<u64> {
    if let Some(seed) = number("TIDEGATE_SCRIPT") {
        return vec![seed];
    }
    let usual = 0..number("TIDEGATE_SCRIPTS").unwrap_or(2_000);
    PINNED.into_iter().chain(usual).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The weather of a fake world.
#[derive(Clone, Copy, Debug)]
enum Climate {
    /// Nothing goes wrong.
    Calm,
    /// Nothing goes wrong, and nothing takes long: most like loopback.
    Prompt,
    /// Everything is late and cut to pieces.
    Hazy,
    /// Everything goes wrong.
    Stormy,
}

const CLIMATES: [Climate; 4] = [
    Climate::Calm,
    Climate::Prompt,
    Climate::Hazy,
    Climate::Stormy,
];

/// Scripts that once showed something that the fake did not do: errors that no event had told of
/// (212), `finish` after both ends (384, 470), an event after `finish` (130), an end that waits
/// behind bytes for which there is no room (28, 371), bytes lost in the queue of a writer that
/// resets (2051, 2682), no event for what has passed (2150, 1120), a write that is taken although
/// the one before was not (14164), a reset while the own end is not through (16593, 29893).
const PINNED: [u64; 13] = [
    212, 384, 470, 130, 28, 371, 2051, 2682, 2150, 1120, 14_164, 16_593, 29_893,
];

/// Bytes that a direction of a fake connection holds at least, when no fault makes it smaller.
const BUFFERS: usize = 64 * 1024;

/// Worlds in which an outcome that the sweep did not meet is looked for.
const WORLDS: u64 = 300;
