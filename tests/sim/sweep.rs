//! Many worlds at once, one per thread at a time, and what they came to: how much was simulated,
//! how fast, what went wrong how often, which invariant was asked for how often.
//!
//! ```text
//! cargo test --test sim sweep -- --nocapture
//! TIDEGATE_SEED=7            that world only
//! TIDEGATE_FROM=1000         begins with that seed
//! TIDEGATE_SEEDS=50000       so many seeds at least
//! TIDEGATE_REQUESTS=5000000  so many requests at least
//! TIDEGATE_SECONDS=3600      until so much time has passed, whatever the other two say
//! ```

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::cover::Trouble;
use crate::diary::Sight;
use crate::faults::Fault;
use crate::frame;
use crate::frame::Failure;
use crate::invariant::Invariant;
use crate::scene::Kind;
use crate::scene::Scene;
use crate::weather::Misdeed;
use crate::world::History;

/// How far a sweep goes.
#[derive(Clone, Copy, Debug)]
struct Goal {
    from: u64,
    seeds: u64,
    requests: u64,
    /// Overrides the other two.
    time: Option<Duration>,
}

/// What many worlds came to.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    requests: u64,
    answered: u64,
    refused: u64,
    broken: u64,
    turns: u64,
    /// Milliseconds.
    simulated: u64,
    processor: Duration,
    fired: Vec<u64>,
    done: Vec<u64>,
    asked: Vec<u64>,
    struck: Vec<u64>,
    seen: Vec<u64>,
    shaken: Vec<u64>,
}

impl Goal {
    /// What the environment says, or the usual.
    fn new() -> Self {
        if let Some(seed) = setting("TIDEGATE_SEED") {
            return Self {
                from: seed,
                seeds: 1,
                requests: 0,
                time: None,
            };
        }
        Self {
            from: setting("TIDEGATE_FROM").unwrap_or(0),
            seeds: setting("TIDEGATE_SEEDS").unwrap_or(SEEDS),
            requests: setting("TIDEGATE_REQUESTS").unwrap_or(REQUESTS),
            time: setting("TIDEGATE_SECONDS").map(Duration::from_secs),
        }
    }

    fn is_reached(&self, total: &Total, started: Instant) -> bool {
        match self.time {
            Some(time) => started.elapsed() >= time,
            None => total.seeds >= self.seeds && total.requests >= self.requests,
        }
    }
}

impl Total {
    fn add(&mut self, history: &History) {
        self.seeds += 1;
        self.requests += history.requests;
        self.answered += history.answered;
        self.refused += history.refused;
        self.broken += history.broken;
        self.turns += history.turns;
        self.simulated += history.span.0 / 1_000_000;
        sum(&mut self.fired, &history.fired);
        sum(&mut self.done, &history.done);
        sum(&mut self.asked, &history.asked);
        sum(&mut self.struck, &history.struck);
        sum(&mut self.seen, &history.seen);
        sum(&mut self.shaken, &history.shaken);
    }

    /// What was to happen and never did.
    fn never(&self) -> Vec<String> {
        let faults = Fault::ALL
            .into_iter()
            .filter(|fault| *fault != Fault::ResolveFailed && self.fired[*fault as usize] == 0);
        let misdeeds = Misdeed::ALL
            .into_iter()
            .filter(|misdeed| self.done[*misdeed as usize] == 0);
        let invariants = Invariant::ALL.into_iter().filter(|invariant| {
            !Invariant::UNASKED.contains(invariant) && self.asked[*invariant as usize] == 0
        });
        let troubles = Trouble::ALL
            .into_iter()
            .filter(|trouble| self.struck[*trouble as usize] == 0)
            .map(|trouble| format!("{trouble:?} of TLS"));
        let sights = Sight::ALL
            .into_iter()
            .filter(|sight| self.seen[*sight as usize] == 0)
            .map(|sight| format!("{sight:?}"));
        faults
            .map(|fault| format!("{fault:?}"))
            .chain(troubles)
            .chain(sights)
            .chain(misdeeds.map(|misdeed| format!("{misdeed:?}")))
            .chain(invariants.map(|invariant| format!("{invariant}")))
            .collect()
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.processor.as_secs_f64().max(1e-9);
        writeln!(f, "{:>12} worlds", self.seeds)?;
        writeln!(f, "{:>12} requests", self.requests)?;
        writeln!(f, "{:>12} answered whole", self.answered)?;
        writeln!(f, "{:>12} refused", self.refused)?;
        writeln!(f, "{:>12} broken", self.broken)?;
        writeln!(f, "{:>12} turns of the loop", self.turns)?;
        writeln!(f, "{:>12} seconds in the worlds", self.simulated / 1_000)?;
        writeln!(f, "{seconds:>12.1} seconds of a processor")?;
        writeln!(
            f,
            "{:>12.0} requests per second of a processor",
            self.requests as f64 / seconds
        )?;
        for fault in Fault::ALL {
            writeln!(f, "{:>12} fault {fault:?}", self.fired[fault as usize])?;
        }
        for misdeed in Misdeed::ALL {
            writeln!(f, "{:>12} misdeed {misdeed:?}", self.done[misdeed as usize])?;
        }
        for trouble in Trouble::ALL {
            writeln!(
                f,
                "{:>12} of TLS {trouble:?}",
                self.struck[trouble as usize]
            )?;
        }
        writeln!(f, "{:>12} TLS handshakes", self.shaken[0])?;
        writeln!(f, "{:>12} TLS probes", self.shaken[1])?;
        for sight in Sight::ALL {
            writeln!(f, "{:>12} seen {sight:?}", self.seen[sight as usize])?;
        }
        for invariant in Invariant::ALL {
            writeln!(
                f,
                "{:>12} asked for {invariant}",
                self.asked[invariant as usize]
            )?;
        }
        Ok(())
    }
}

/// Lives through worlds until the goal is reached or one fails.
fn sweep(goal: Goal) -> Result<Total, Box<Failure>> {
    let started = now();
    let next = AtomicU64::new(goal.from);
    let over = AtomicBool::new(false);
    let total = Mutex::new(Total::default());
    let failed = Mutex::new(None::<Box<Failure>>);
    let work = || {
        let before = processor_time();
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            match frame::live(&Scene::draw(Kind::of(seed), seed)) {
                Ok(history) => {
                    let mut total = total.lock().expect("nobody panics while adding");
                    total.add(&history);
                    if goal.is_reached(&total, started) {
                        over.store(true, Ordering::Relaxed);
                    }
                }
                Err(failure) => {
                    over.store(true, Ordering::Relaxed);
                    *failed.lock().expect("nobody panics while adding") = Some(failure);
                }
            }
        }
        let spent = processor_time().saturating_sub(before);
        total.lock().expect("nobody panics while adding").processor += spent;
    };
    let threads = match goal.seeds {
        0 | 1 => 1,
        _ => std::thread::available_parallelism().map_or(1, |count| count.get().min(8)),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    match failed.into_inner().expect("nobody panics while adding") {
        Some(failure) => Err(failure),
        None => Ok(total.into_inner().expect("nobody panics while adding")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a sweep takes real time, and may be told how much"
)]
fn now() -> Instant {
    Instant::now()
}

/// How long this thread has run, where the system tells.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split_whitespace().next();
    Duration::from_nanos(first.and_then(|word| word.parse().ok()).unwrap_or(0))
}

/// A number from the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn sum(into: &mut Vec<u64>, counts: &[u64]) {
    into.resize(counts.len(), 0);
    for (sum, count) in into.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// What every `cargo test` goes through.
const SEEDS: u64 = 2_000;
const REQUESTS: u64 = 1_000_000;

/// In fewer worlds something may be missing by chance.
const MANY: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweep_through_many_worlds() {
        let total =
            sweep(Goal::new()).unwrap_or_else(|failure| panic!("{}", frame::report(&failure)));
        println!("{total}");
        let never = total.never();
        assert!(
            total.seeds < MANY || never.is_empty(),
            "never seen: {never:?}"
        );
    }
}
