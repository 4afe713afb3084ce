//! A world with the balancer in its middle, and the phases of its life: everybody asks what they
//! have to ask, the weather clears, everybody is served, the program ends and nothing is left.

use std::rc::Rc;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;
use tidegate::engine::Census;
use tidegate::engine::Engine;
use tidegate::engine::Turn;
use tidegate::engine::kernel::Kernel;
use tidegate::engine::kernel::News;
use tidegate::tally::Tally;

use crate::canary::Sabotage;
use crate::canary::Saboteur;
use crate::cover::Cover;
use crate::cover::Trouble;
use crate::diary;
use crate::diary::Sight;
use crate::faults::Fault;
use crate::invariant::Invariant;
use crate::kernel::SimKernel;
use crate::knob::Knob;
use crate::ledger::Ledger;
use crate::operator::Operator;
use crate::people::People;
use crate::scene::Kind;
use crate::scene::Scene;
use crate::sky::Sky;
use crate::watch::Watch;
use crate::weather::Misdeed;

/// A world.
pub(crate) struct World {
    pub(crate) kernel: SimKernel,
    pub(crate) engine: Engine,
    pub(crate) ledger: Ledger,
    sky: Sky,
    people: People,
    scene: Scene,
    watch: Watch,
    pub(crate) turns: u64,
    /// When servers are looked at next.
    health_due: Moment,
    sabotage: Option<Sabotage>,
    operator: Operator,
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
    /// By what there is to be seen: how often it was.
    pub(crate) seen: [u64; Sight::ALL.len()],
    /// Changes that an operator made.
    pub(crate) changes: u64,
    /// By trouble of TLS: how often it struck.
    pub(crate) struck: [u64; Trouble::ALL.len()],
    /// Handshakes that actors completed, and those of them that were only probes.
    pub(crate) shaken: [u64; 2],
}

impl World {
    /// The scene, with everybody in their place.
    pub(crate) fn new(scene: &Scene, sabotage: Option<Sabotage>) -> Self {
        let mut kernel = SimKernel::new(scene.seed);
        let knobs = &scene.knobs;
        let small = |knob| usize::try_from(knobs.of(knob)).expect("small");
        let bounds = kernel.bounds();
        bounds.strict = true;
        bounds.buffer = small(Knob::Buffer);
        if knobs.of(Knob::Descriptors) > 0 {
            bounds.descriptors = small(Knob::Descriptors);
        }
        kernel.paper().full = knobs.of(Knob::LogFull);
        for (fault, rate) in Fault::ALL.into_iter().zip(scene.faults) {
            kernel.faults().set(fault, rate);
        }
        let mut sky = Sky::new(scene.weather, Cover::new(&scene.dress, scene.seed));
        sky.body_most = usize::try_from(knobs.of(Knob::Body)).unwrap_or(usize::MAX);
        let config = scene.config();
        sky.ledger.borrow_mut().tries = config.pools[0].retry.tries;
        let people = People::enter(scene, &sky, &mut kernel);
        let client_tls = [sky.cover.client_tls()];
        let mut engine = Engine::new(&config, &client_tls, scene.seed, &mut kernel)
            .unwrap_or_else(|error| panic!("seed {}: {error}", scene.seed));
        if let Some(tls) = sky.cover.server_tls() {
            engine.terminate(0, tls);
        }
        let mut watch = Watch::new(scene.kind, sabotage);
        watch.expect_changes(scene.changes > 0);
        Self {
            kernel,
            engine,
            ledger: Rc::clone(&sky.ledger),
            sky,
            people,
            watch,
            turns: 0,
            health_due: Moment::default(),
            scene: scene.clone(),
            sabotage,
            operator: Operator::new(scene),
        }
    }

    /// From the first request to the end of the program.
    pub(crate) fn live(&mut self) {
        let knobs = self.scene.knobs;
        if knobs.of(Knob::StopMillis) > 0 {
            self.pass(knobs.span(Knob::StopMillis));
            // What went wrong before may have cost an answer; where nothing did, none is lost.
            let cut = self.stop(if knobs.of(Knob::Quit) == 1 {
                News::Quit
            } else {
                News::Stop
            });
            let owed = self.scene.kind == Kind::Calm && cut == 0;
            return self.disperse(if owed { 0 } else { usize::MAX });
        }
        self.finish();
        match self.scene.kind {
            Kind::Calm => self.expect_everything(),
            Kind::Stormy => self.recover(),
        }
        self.replay();
        let first = self.ledger.borrow().entered();
        self.part();
        let cut = self.stop(News::Stop);
        self.disperse(if cut == 0 { first } else { usize::MAX });
    }

    fn turn(&mut self) -> Turn {
        self.turns += 1;
        self.check(Invariant::NoSpin, self.turns < TURNS_MAX, || {
            "too many turns".to_owned()
        });
        self.operator.act(&mut self.engine, &mut self.kernel);
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
        if turn == Turn::Goes && self.kernel.net().now() >= self.health_due {
            self.health_due = self.kernel.net().now() + Span::millis(500);
            self.check_health();
        }
        turn
    }

    /// A server whose port has been closed for as long as it takes to be noticed is down.
    fn check_health(&self) {
        let knobs = &self.scene.knobs;
        let sleeps = [
            Fault::Stopped,
            Fault::ConnectExhausted,
            Fault::PortsExhausted,
        ];
        let delayed = sleeps
            .iter()
            .any(|fault| self.scene.faults[*fault as usize] > 0);
        let unsure = knobs.of(Knob::Named) + knobs.of(Knob::Descriptors) > 0;
        // An operator changes who stands where.
        let unsure = unsure || self.scene.changes > 0;
        if delayed || unsure || self.sky.is_ending() || self.sabotage.is_some() {
            return;
        }
        let round = knobs.of(Knob::ProbeMillis) * 11 / 10 + knobs.of(Knob::ProbeTimeoutMillis);
        let notice = Span::millis(round * (knobs.of(Knob::Fall) + 1) + 500);
        for (at, backend) in self.engine.report().iter().enumerate() {
            let (listens, since) = self.people.listens(&self.kernel, at);
            let gone = !listens && since + notice < self.kernel.net().now();
            assert!(!gone || !backend.up, "gone and not noticed: {backend:?}");
        }
    }

    fn check(&self, invariant: Invariant, holds: bool, why: impl FnOnce() -> String) {
        self.ledger.borrow_mut().check(invariant, holds, why);
    }

    fn finish(&mut self) {
        while self.people.are_busy(&self.kernel) {
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
        self.operator.restore(&mut self.engine, &mut self.kernel);
        self.kernel.faults().calm();
        self.kernel.bounds().descriptors = usize::MAX;
        self.sky.clear();
        // Longer than anybody waits; an operator may have made that three times as long.
        let longest = match self.scene.changes {
            0 => Span::seconds(120),
            _ => Span::seconds(360),
        };
        self.pass(longest);
        let report = self.engine.report();
        let up = report.iter().all(|backend| backend.up);
        self.check(Invariant::Recovers, up, || format!("{report:?}"));
        let before = self.ledger.borrow().answered;
        let asked = self.people.give(&mut self.kernel, 5);
        self.finish();
        let answered = self.ledger.borrow().answered - before;
        self.check(Invariant::Recovers, answered == asked, || {
            format!("after the storm {answered} of {asked} requests were answered")
        });
    }

    /// What the operator did, done to a fresh engine, gives the same servers.
    fn replay(&mut self) {
        self.operator.finish(&mut self.engine, &mut self.kernel);
        let mut kernel = SimKernel::new(0);
        let tls = [self.sky.cover.client_tls()];
        let mut fresh = Engine::new(&self.scene.config(), &tls, 0, &mut kernel)
            .unwrap_or_else(|error| panic!("a second engine: {error}"));
        let mut done = std::mem::take(&mut self.operator.done);
        if self.sabotage == Some(Sabotage::Forgetful) {
            done.clear();
        }
        for deed in done {
            // What is refused here was refused there, or was about a server on its way out.
            deed.apply(&mut fresh, &mut kernel);
        }
        let (there, here) = (self.engine.roster(), fresh.roster());
        self.check(Invariant::DumpReplays, there == here, || {
            format!("{there:?} and, played back, {here:?}")
        });
    }

    /// In a calm world nobody was turned away.
    fn expect_everything(&self) {
        let book = &mut self.ledger.borrow_mut();
        let (answered, total) = (book.answered, book.total() - book.returned);
        book.check(Invariant::OneAnswer, answered == total, || {
            format!("nothing went wrong, and {answered} of {total} requests were answered")
        });
    }

    /// Everybody has something under way when the program is asked to end.
    fn part(&mut self) {
        // Who reads slowly, or over a slow network, may well be cut off when time is up.
        self.sky.clear();
        self.kernel.faults().set(Fault::Delayed, 0);
        self.people.give(&mut self.kernel, self.scene.parting);
        let span = self.kernel.guest().below(3_000_000);
        self.pass(Span(span));
    }

    /// The program ends, and nothing is left.
    fn stop(&mut self, how: News) -> usize {
        let asked = self.kernel.now();
        let at_once = how == News::Quit;
        self.sky.end();
        self.kernel.guest().news.push_back(how);
        let before = self.kernel.absent();
        let cut = loop {
            let now = self.kernel.now();
            // An operator may have come first. Whoever is stopped himself cannot end in time.
            let drain = self.operator.drain();
            let drain = drain.unwrap_or_else(|| self.scene.knobs.span(Knob::DrainMillis));
            let absent = Span(self.kernel.absent().0 - before.0);
            let until = asked + drain + GRACE + absent;
            self.check(Invariant::EndsInTime, now <= until, || {
                format!("asked to end at {} ns, it goes on at {} ns", asked.0, now.0)
            });
            match self.turn() {
                Turn::Goes => {}
                Turn::Stopped { cut } => break cut,
                Turn::Unresolvable => panic!("some name has an address"),
            }
        };
        let patient = self.scene.knobs.of(Knob::DrainMillis) >= 30_000;
        // Who reads slowly may take longer than it is waited for.
        let busy = self.scene.knobs.of(Knob::StopMillis) > 0;
        let owed = patient && !busy && !at_once;
        self.check(Invariant::EndsInTime, cut == 0 || !owed, || {
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
        cut
    }

    /// The program is gone and the clients notice: what an origin executed since request `first`
    /// was answered to the end.
    fn disperse(&mut self, first: usize) {
        let mut ready = Vec::new();
        while self.people.are_busy(&self.kernel) {
            let until = self.kernel.now() + Span::millis(100);
            self.kernel.wait(Some(until), &mut ready);
        }
        let mut book = self.ledger.borrow_mut();
        book.expect_ends(first);
        diary::check(
            self.kernel.paper(),
            &self.scene.knobs,
            self.engine.recorded(),
            &mut book,
        );
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
            seen: book.seen,
            changes: self.operator.applied(),
            struck: self.sky.cover.all_struck(),
            shaken: [self.sky.cover.shaken.get(), self.sky.cover.probed.get()],
        }
    }
}

/// More turns than any world of this size needs: beyond it the loop is spinning.
const TURNS_MAX: u64 = 3_000_000;

/// What may pass between a deadline and its turn.
const GRACE: Span = Span::millis(50);
