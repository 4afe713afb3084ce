//! Random socket scripts: what a caller could do with a few connections, in any order.
//!
//! A step whose socket does not exist is passed over, so that any part of a script is a script.

use tidegate::base::random::Random;

/// One end of one connection: end 0 connected, end 1 accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At(pub(crate) usize, pub(crate) usize);

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Connect to the listener, or to where it was.
    Connect(usize),
    /// Connect to a port at which nobody listens.
    ConnectDesert(usize),
    Accept,
    /// Close the listener.
    Unlisten,
    Established(At),
    Read(At, usize),
    /// Read until there is nothing more.
    Drain(At),
    Write(At, usize),
    /// Write until nothing more is taken.
    Fill(At),
    Finish(At),
    Close(At),
    Abort(At),
    /// Look what is ready, and wait for nothing.
    Look,
    /// Wait until everything has been announced that has to be.
    Settle,
}

/// The script of a seed: first something that connects, mostly, then anything.
pub(crate) fn script(seed: u64) -> Vec<Step> {
    let mut random = Random::new(seed);
    let connections = 1 + index(&mut random, 3) * index(&mut random, 2);
    let mut steps = Vec::new();
    for number in 0..connections {
        if random.permille(900) {
            steps.push(Step::Connect(number));
        }
        if random.permille(600) {
            steps.push(Step::Settle);
        }
        if random.permille(800) {
            steps.push(Step::Accept);
        }
    }
    for _ in 0..2 + index(&mut random, 22) {
        steps.push(step(&mut random, connections));
    }
    steps
}

fn step(random: &mut Random, connections: usize) -> Step {
    let number = index(random, connections);
    let at = At(number, index(random, 2));
    match random.below(1000) {
        0..40 => Step::Connect(number),
        40..70 => Step::ConnectDesert(number),
        70..150 => Step::Accept,
        150..165 => Step::Unlisten,
        165..200 => Step::Established(at),
        200..330 => Step::Read(at, size(random)),
        330..380 => Step::Drain(at),
        380..570 => Step::Write(at, size(random)),
        570..580 => Step::Fill(at),
        580..680 => Step::Finish(at),
        680..740 => Step::Close(at),
        740..780 => Step::Abort(at),
        780..840 => Step::Look,
        _ => Step::Settle,
    }
}

fn size(random: &mut Random) -> usize {
    match random.below(10) {
        0 => 1,
        1..7 => 1 + index(random, 40),
        7..9 => 1 + index(random, 1500),
        _ => 1 + index(random, 60_000),
    }
}

fn index(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(count as u64)).expect("below a usize")
}

/// The shortest script that still `fails`, by leaving out steps.
pub(crate) fn shrunk(mut steps: Vec<Step>, fails: impl Fn(&[Step]) -> bool) -> Vec<Step> {
    let mut width = steps.len().div_ceil(2);
    while width > 0 {
        let mut start = 0;
        while start < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(start..steps.len().min(start + width));
            if fails(&fewer) {
                steps = fewer;
            } else {
                start += width;
            }
        }
        width /= 2;
    }
    steps
}
