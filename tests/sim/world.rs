//! A world with the balancer in its middle, and the phases of its life: everybody asks what they
//! have to ask, the weather clears, everybody is served, the program ends and nothing is left.

use std::cell::Cell;
use std::rc::Rc;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
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
use crate::scene::Kind;
use crate::scene::Part;
use crate::scene::Scene;
use crate::weather::Weather;

/// A world.
pub(crate) struct World {
    pub(crate) kernel: SimKernel,
    pub(crate) engine: Engine,
    pub(crate) ledger: Ledger,
    weather: Rc<Cell<Weather>>,
    clients: Vec<usize>,
    kind: Kind,
    pub(crate) turns: u64,
}

/// What came of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) hash: u64,
    pub(crate) requests: u64,
    pub(crate) answered: u64,
    pub(crate) broken: u64,
    pub(crate) refused: u64,
    pub(crate) executed: Vec<u64>,
    pub(crate) tally: Tally,
    pub(crate) fired: Vec<u64>,
}

impl World {
    /// The scene, with everybody in their place.
    pub(crate) fn new(scene: &Scene) -> Self {
        let mut kernel = SimKernel::new(scene.seed);
        kernel.bounds().strict = true;
        for (fault, rate) in Fault::ALL.into_iter().zip(scene.faults) {
            kernel.faults().set(fault, rate);
        }
        let weather = Rc::new(Cell::new(scene.weather));
        let ledger = Ledger::default();
        for number in 0..scene.origins {
            let (at, place) = (Scene::origin(number), usize::from(number));
            kernel.add(Box::new(Origin::new(at, place, &ledger, &weather)));
        }
        let enter = |part: &Part| {
            let (requests, body_max) = (part.requests, part.body_max);
            let client = Client::new(Scene::proxy(), &ledger, &weather, requests, body_max);
            kernel.add(Box::new(client))
        };
        let clients = scene.clients.iter().map(enter).collect();
        let engine = Engine::new(&scene.config(), None, scene.seed, &mut kernel)
            .unwrap_or_else(|error| panic!("seed {}: {error}", scene.seed));
        Self {
            kernel,
            engine,
            ledger,
            weather,
            clients,
            kind: scene.kind,
            turns: 0,
        }
    }

    /// From the first request to the end of the program.
    pub(crate) fn live(&mut self) {
        self.finish_clients();
        if self.kind == Kind::Stormy {
            self.recover();
        }
        self.stop();
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

    /// What came of it.
    pub(crate) fn history(mut self) -> History {
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

/// More turns than any world of this size needs: beyond it the loop is spinning.
const TURNS_MAX: u64 = 3_000_000;
