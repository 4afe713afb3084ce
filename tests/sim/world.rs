//! A world with the balancer in its middle, and the phases of its life: everybody asks what they
//! have to ask, the weather clears, everybody is served, the program ends and nothing is left.

use std::cell::Cell;
use std::rc::Rc;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::config::Config;
use tidegate::engine::Census;
use tidegate::engine::Engine;
use tidegate::engine::Turn;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::tally::Tally;

use crate::canary::Sabotage;
use crate::canary::Saboteur;
use crate::client::Client;
use crate::cover::Cover;
use crate::cover::Trouble;
use crate::faults::Fault;
use crate::invariant::Invariant;
use crate::kernel::SimKernel;
use crate::ledger::Ledger;
use crate::origin::Origin;
use crate::scene::Kind;
use crate::scene::Part;
use crate::scene::Scene;
use crate::watch::Watch;
use crate::weather::Misdeed;
use crate::weather::Weather;

/// A world.
pub(crate) struct World {
    pub(crate) kernel: SimKernel,
    pub(crate) engine: Engine,
    pub(crate) ledger: Ledger,
    weather: Rc<Cell<Weather>>,
    cover: Rc<Cover>,
    clients: Vec<usize>,
    kind: Kind,
    watch: Watch,
    pub(crate) turns: u64,
    parting: usize,
    sabotage: Option<Sabotage>,
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
    pub(crate) turns: u64,
    /// How long it lasted, by its own clock.
    pub(crate) span: Span,
    pub(crate) fired: Vec<u64>,
    /// By misdeed: how often it was done.
    pub(crate) done: [u64; Misdeed::ALL.len()],
    /// By invariant: how often it was asked for.
    pub(crate) asked: [u64; Invariant::ALL.len()],
    /// By trouble of TLS: how often it struck.
    pub(crate) struck: [u64; Trouble::ALL.len()],
    /// Handshakes that actors completed, and those of them that were only probes.
    pub(crate) shaken: [u64; 2],
}

impl World {
    /// The scene, with everybody in their place.
    pub(crate) fn new(scene: &Scene, sabotage: Option<Sabotage>) -> Self {
        let mut kernel = SimKernel::new(scene.seed);
        kernel.bounds().strict = true;
        for (fault, rate) in Fault::ALL.into_iter().zip(scene.faults) {
            kernel.faults().set(fault, rate);
        }
        let weather = Rc::new(Cell::new(scene.weather));
        let ledger = Ledger::default();
        let cover = Cover::new(&scene.dress, scene.seed);
        for number in 0..scene.origins {
            let (at, place) = (Scene::origin(number), usize::from(number));
            kernel.add(Box::new(Origin::new(at, place, &ledger, &weather, &cover)));
        }
        let enter = |part: &Part| {
            let (requests, body_max) = (part.requests, part.body_max);
            let at = Scene::proxy();
            let client = Client::new(at, &ledger, &weather, &cover, requests, body_max);
            kernel.add(Box::new(client))
        };
        let clients = scene.clients.iter().map(enter).collect();
        let mut engine = Engine::new(
            &scene.config(),
            &[cover.client_tls()],
            scene.seed,
            &mut kernel,
        )
        .unwrap_or_else(|error| panic!("seed {}: {error}", scene.seed));
        if let Some(tls) = cover.server_tls() {
            engine.terminate(0, tls);
        }
        Self {
            kernel,
            engine,
            ledger,
            weather,
            cover,
            clients,
            kind: scene.kind,
            watch: Watch::new(scene.kind, sabotage),
            turns: 0,
            parting: scene.parting,
            sabotage,
        }
    }

    /// From the first request to the end of the program.
    pub(crate) fn live(&mut self) {
        self.finish_clients();
        match self.kind {
            Kind::Calm => self.expect_everything(),
            Kind::Stormy => self.recover(),
        }
        let first = self.ledger.borrow().entered();
        self.part();
        self.stop();
        self.disperse(first);
    }

    fn turn(&mut self) -> Turn {
        self.turns += 1;
        self.check(Invariant::NoSpin, self.turns < TURNS_MAX, || {
            "too many turns".to_owned()
        });
        let ledger = Rc::clone(&self.ledger);
        self.watch
            .before(&mut self.engine, &mut self.kernel, &mut ledger.borrow_mut());
        let turn = match self.sabotage {
            None => self.engine.turn(&mut self.kernel),
            Some(sabotage) => self.engine.turn(&mut Saboteur {
                kernel: &mut self.kernel,
                sabotage,
            }),
        };
        self.watch.after(&self.kernel, &mut ledger.borrow_mut());
        turn
    }

    fn check(&self, invariant: Invariant, holds: bool, why: impl FnOnce() -> String) {
        self.ledger.borrow_mut().check(invariant, holds, why);
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
        self.clear();
        self.pass(Span::seconds(120));
        let (before, asked) = (self.ledger.borrow().answered, 5 * self.clients.len() as u64);
        for number in &self.clients {
            self.kernel.actor_mut::<Client>(*number).give(5);
        }
        self.finish_clients();
        let answered = self.ledger.borrow().answered - before;
        self.check(Invariant::Recovers, answered == asked, || {
            format!("after the storm {answered} of {asked} requests were answered")
        });
    }

    /// From here on everybody behaves.
    fn clear(&self) {
        let mut weather = self.weather.get();
        weather.clear();
        self.weather.set(weather);
        self.cover.clear();
    }

    /// In a calm world nobody was turned away.
    fn expect_everything(&self) {
        let book = &mut self.ledger.borrow_mut();
        let (answered, total) = (book.answered, book.total());
        book.check(Invariant::OneAnswer, answered == total, || {
            format!("nothing went wrong, and {answered} of {total} requests were answered")
        });
    }

    /// Everybody has something under way when the program is asked to end.
    fn part(&mut self) {
        // Who reads slowly, or over a slow network, may well be cut off when time is up.
        self.clear();
        self.kernel.faults().set(Fault::Delayed, 0);
        for number in &self.clients {
            self.kernel.actor_mut::<Client>(*number).give(self.parting);
        }
        let span = self.kernel.guest().below(3_000_000);
        self.pass(Span(span));
    }

    /// The program ends, and nothing is left.
    fn stop(&mut self) {
        let asked = self.kernel.now();
        self.kernel.guest().news.push_back(News::Stop);
        let until = asked + Config::default().drain_timeout;
        let cut = loop {
            let now = self.kernel.now();
            self.check(Invariant::EndsInTime, now <= until, || {
                format!("asked to end at {} ns, it goes on at {} ns", asked.0, now.0)
            });
            match self.turn() {
                Turn::Goes => {}
                Turn::Stopped { cut } => break cut,
                Turn::Unresolvable => panic!("there are no names here"),
            }
        };
        self.check(Invariant::EndsInTime, cut == 0, || {
            format!("{cut} clients were cut off although there was time")
        });
        let (census, sockets) = (self.engine.census(), self.kernel.census());
        let nothing = census == Census::default() && sockets == 0 && self.kernel.misuses() == 0;
        self.check(Invariant::NothingLeft, nothing, || {
            format!(
                "{census:?}, {sockets} sockets, {} misuses",
                self.kernel.misuses()
            )
        });
        self.check(Invariant::NoPanic, true, String::new);
    }

    /// The program is gone and the clients notice: what an origin executed since request `first`
    /// was answered to the end.
    fn disperse(&mut self, first: usize) {
        let mut ready = Vec::new();
        let done = |kernel: &SimKernel, number: &usize| kernel.actor::<Client>(*number).is_done();
        while !self.clients.iter().all(|number| done(&self.kernel, number)) {
            let until = self.kernel.now() + Span::millis(100);
            self.kernel.wait(Some(until), &mut ready);
        }
        self.ledger.borrow_mut().expect_ends(first);
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
            turns: self.turns,
            span: Span(self.kernel.now().0),
            fired,
            done: book.done,
            asked: book.asked,
            struck: self.cover.all_struck(),
            shaken: [self.cover.shaken.get(), self.cover.probed.get()],
        }
    }
}

/// More turns than any world of this size needs: beyond it the loop is spinning.
const TURNS_MAX: u64 = 3_000_000;
