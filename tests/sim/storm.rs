//! The engine that runs in production, in worlds of the simulator.
//!
//! Calm worlds have faults that must not matter: there every request is answered whole and the
//! servers' counts differ by at most one. Stormy worlds have all faults: there a client may see a
//! refusal or a broken connection, but never a wrong byte, half an answer as a whole one, an
//! answer for somebody else, or a POST executed twice; nobody waits for ever; and once the
//! weather clears everything works again and everything that was opened gets closed.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use tidegate::base::random::Random;
use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Scheme;
use tidegate::engine::Census;
use tidegate::engine::Engine;
use tidegate::engine::Turn;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::tally::Tally;

use crate::client::Client;
use crate::faults::Fault;
use crate::kernel::SimKernel;
use crate::ledger::Ledger;
use crate::origin::Origin;
use crate::weather::Weather;

/// More turns than any world of this size needs: beyond it the loop is spinning.
const TURNS_MAX: u64 = 3_000_000;

/// A world with the balancer in its middle.
struct World {
    kernel: SimKernel,
    engine: Engine,
    ledger: Ledger,
    weather: Rc<Cell<Weather>>,
    clients: Vec<usize>,
    turns: u64,
}

/// What came of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
struct History {
    hash: u64,
    requests: u64,
    answered: u64,
    broken: u64,
    refused: u64,
    executed: Vec<u64>,
    tally: Tally,
    fired: Vec<u64>,
}

impl World {
    fn new(seed: u64, stormy: bool) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let mut kernel = SimKernel::new(seed);
        kernel.bounds().strict = true;
        let faults = kernel.faults();
        let weather = if stormy {
            Weather::stormy(faults, &mut random)
        } else {
            Weather::calm(faults, &mut random)
        };
        let weather = Rc::new(Cell::new(weather));
        let ledger = Ledger::default();
        let proxy = SocketAddr::from(([127, 0, 0, 1], 8000));
        let mut config = Config {
            listeners: vec![proxy],
            ..Config::default()
        };
        config.max_connections = usize::try_from(4 + random.below(30)).expect("small");
        for number in 0..1 + random.below(4) {
            let last = u8::try_from(number).expect("small");
            let at = SocketAddr::from(([10, 1, 0, last], 80));
            let host = Host::Address(at.ip());
            config.backends.push(Backend {
                scheme: Scheme::Http,
                host,
                port: 80,
            });
            kernel.add(Box::new(Origin::new(
                at,
                usize::from(last),
                &ledger,
                &weather,
            )));
        }
        let clients = (0..2 + random.below(8))
            .map(|_| {
                let left = usize::try_from(5 + random.below(30)).expect("small");
                let most = match random.below(100) {
                    0..=2 => 1_500_000,
                    3..=12 => 200_000,
                    _ => 3_000,
                };
                kernel.add(Box::new(Client::new(proxy, &ledger, &weather, left, most)))
            })
            .collect();
        let engine = Engine::new(&config, None, seed, &mut kernel)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        Self {
            kernel,
            engine,
            ledger,
            weather,
            clients,
            turns: 0,
        }
    }

    fn turn(&mut self) -> Turn {
        self.engine.assert_settled();
        self.turns += 1;
        assert!(self.turns < TURNS_MAX, "the loop spins");
        self.engine.turn(&mut self.kernel)
    }

    fn finish_clients(&mut self) {
        let done = |kernel: &SimKernel, number: &usize| kernel.actor::<Client>(*number).is_done();
        while !self.clients.iter().all(|number| done(&self.kernel, number)) {
            assert_eq!(self.turn(), Turn::Goes);
        }
    }

    fn pass(&mut self, span: Span) {
        let until: Moment = self.kernel.now() + span;
        while self.kernel.now() < until {
            assert_eq!(self.turn(), Turn::Goes);
        }
    }

    /// The weather clears: what was broken recovers, and everybody is served.
    fn recover(&mut self) {
        self.kernel.faults().calm();
        let mut weather = self.weather.get();
        weather.clear();
        self.weather.set(weather);
        self.pass(Span::seconds(120));
        let (before, asked) = (self.ledger.borrow().answered, 5 * self.clients.len() as u64);
        for number in &self.clients {
            self.kernel.actor_mut::<Client>(*number).give(5);
        }
        self.finish_clients();
        let answered = self.ledger.borrow().answered - before;
        assert_eq!(answered, asked, "after the storm everything is answered");
    }

    /// The program ends, and nothing is left.
    fn stop(&mut self) {
        self.kernel.guest().news.push_back(News::Stop);
        loop {
            match self.turn() {
                Turn::Goes => {}
                Turn::Stopped { cut } => break assert_eq!(cut, 0, "nobody had to be cut off"),
                Turn::Unresolvable => panic!("there are no names here"),
            }
        }
        assert_eq!(self.engine.census(), Census::default());
        assert_eq!(self.kernel.census(), 0, "sockets are left");
        assert_eq!(self.kernel.misuses(), 0);
    }

    fn history(mut self) -> History {
        let fired = Fault::ALL
            .map(|fault| self.kernel.faults().fired(fault))
            .to_vec();
        let book = self.ledger.borrow();
        History {
            hash: self.kernel.trace().hash(),
            requests: book.total(),
            answered: book.answered,
            broken: book.broken,
            refused: book.refused.iter().map(|(_, count)| count).sum(),
            executed: book.executed.clone(),
            tally: self.engine.tally().clone(),
            fired,
        }
    }
}

fn live(seed: u64, stormy: bool) -> History {
    let mut world = World::new(seed, stormy);
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.finish_clients();
        if stormy {
            world.recover();
        }
        world.stop();
    }));
    if let Err(panic) = lived {
        let kind = if stormy { "stormy" } else { "calm" };
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
        let history = live(seed, false);
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
        let history = live(seed, true);
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
        assert_eq!(live(seed, true), live(seed, true), "seed {seed}");
    }
}
