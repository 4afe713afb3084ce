//! Somebody changes things while a world goes on: servers are added, drained, disabled, weighed and
//! removed between two turns, one by one or by a whole configuration that was read anew. The first
//! server stays, so that there is always somebody to serve.

use tidegate::admin::Change;
use tidegate::admin::Edit;
use tidegate::admin::Wanted;
use tidegate::admin::Whom;
use tidegate::base::random::Random;
use tidegate::base::time::Span;
use tidegate::config::Backend;
use tidegate::config::Config;
use tidegate::config::Host;
use tidegate::config::Listener;
use tidegate::config::Pool;
use tidegate::config::ReuseMode;
use tidegate::config::Scheme;
use tidegate::engine::Engine;
use tidegate::engine::Plan;

use crate::kernel::SimKernel;
use crate::scene::Kind;
use crate::scene::Scene;

/// Whoever changes things.
#[derive(Debug)]
pub(crate) struct Operator {
    random: Random,
    kind: Kind,
    origins: u8,
    scheme: Scheme,
    /// What the program began with.
    config: Config,
    /// What was read anew last, if anything.
    last: Option<Plan>,
    /// How many changes are left to be made.
    left: u16,
    /// What was done, in order; refused changes too, but no refused plans.
    pub(crate) done: Vec<Deed>,
    applied: u64,
}

/// What was done.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Change(Change),
    Reload(Box<Plan>),
}

impl Deed {
    /// Does it, or not.
    pub(crate) fn apply(&self, engine: &mut Engine, kernel: &mut SimKernel) -> bool {
        match self {
            Self::Change(change) => engine.apply(change.clone(), kernel).is_ok(),
            Self::Reload(plan) => engine.reload(plan, kernel).is_ok(),
        }
    }
}

impl Operator {
    pub(crate) fn new(scene: &Scene) -> Self {
        Self {
            random: Random::new(scene.seed ^ 0x0b0e),
            kind: scene.kind,
            origins: scene.origins,
            scheme: scene.config().pools[0].backends[0].scheme,
            config: scene.config(),
            last: None,
            left: scene.changes,
            done: Vec::new(),
            applied: 0,
        }
    }

    /// How many changes were accepted.
    pub(crate) const fn applied(&self) -> u64 {
        self.applied
    }

    /// How long a drain may take by now, if a reload has changed that.
    pub(crate) fn drain(&self) -> Option<Span> {
        self.last.as_ref().map(|plan| plan.config.drain_timeout)
    }

    /// Perhaps makes a change.
    pub(crate) fn act(&mut self, engine: &mut Engine, kernel: &mut SimKernel) {
        if self.left == 0 || !self.random.permille(30) {
            return;
        }
        self.left -= 1;
        if self.random.below(5) == 0 {
            let plan = self.plan();
            return self.reload(plan, engine, kernel);
        }
        let deed = Deed::Change(self.draw());
        self.applied += u64::from(deed.apply(engine, kernel));
        self.done.push(deed);
    }

    /// A plan is refused for want of a descriptor, or while the program ends.
    fn reload(&mut self, plan: Plan, engine: &mut Engine, kernel: &mut SimKernel) {
        let deed = Deed::Reload(Box::new(plan.clone()));
        let before = (engine.roster(), engine.addresses());
        if deed.apply(engine, kernel) {
            self.applied += 1;
            self.last = Some(plan);
            self.done.push(deed);
        } else {
            assert_eq!(before, (engine.roster(), engine.addresses()));
        }
    }

    /// The configuration with other servers, another pool or listener, other policies: none that
    /// would cost anybody an answer where nothing goes wrong.
    fn plan(&mut self) -> Plan {
        let mut config = self.config.clone();
        let random = &mut self.random;
        config.drain_timeout = match self.kind {
            Kind::Calm => Span::seconds(3_600),
            Kind::Stormy => Span::millis(random.below(200)),
        };
        let mut times = |span: &mut Span| *span = Span(span.0 * (1 + random.below(3)));
        let pool = &mut config.pools[0];
        let listener = &mut config.listeners[0];
        for span in [
            &mut pool.health.interval,
            &mut pool.timeouts.connect,
            &mut pool.timeouts.response,
            &mut pool.timeouts.read,
            &mut pool.reuse.idle_time,
            &mut listener.timeouts.head,
            &mut listener.timeouts.idle,
            &mut listener.timeouts.read,
            &mut listener.timeouts.write,
            &mut listener.timeouts.tunnel,
        ] {
            times(span);
        }
        let random = &mut self.random;
        if random.below(3) == 0 {
            pool.reuse.mode = ReuseMode::Never;
        }
        pool.reuse.idle = usize::try_from(random.below(8)).expect("small");
        pool.health.fall = u32::try_from(1 + random.below(4)).expect("small");
        let first = pool.backends[0].clone();
        pool.backends
            .retain(|one| *one == first || random.below(3) > 0);
        for backend in &mut pool.backends {
            backend.weight = u16::try_from(1 + random.below(3)).expect("small");
            // In a calm world nobody is turned away.
            let bounded = self.kind == Kind::Stormy && backend.weight == 3;
            backend.max_conns = bounded.then_some(2);
        }
        // Whom a new pool trusts would have to come from a file.
        if self.scheme == Scheme::Http && random.below(2) == 0 {
            config.pools.push(Pool {
                name: "more".to_owned(),
                ..config.pools[0].clone()
            });
            let at = Scene::proxy();
            config.listeners.push(Listener {
                name: "more".to_owned(),
                pool: 1,
                ..Listener::at((at.ip(), at.port() + 1).into())
            });
            // Clients that are in change the pool, too.
            config.listeners[0].pool = usize::try_from(random.below(2)).expect("small");
        }
        Plan {
            config,
            ..Plan::default()
        }
    }

    /// The program ends in the time that it was given at first.
    pub(crate) fn finish(&mut self, engine: &mut Engine, kernel: &mut SimKernel) {
        self.left = 0;
        if let Some(mut plan) = self.last.take() {
            plan.config.drain_timeout = self.config.drain_timeout;
            for pool in &mut plan.config.pools {
                pool.backends
                    .iter_mut()
                    .for_each(|one| one.max_conns = None);
            }
            self.done.push(Deed::Reload(Box::new(plan.clone())));
            assert!(engine.reload(&plan, kernel).is_ok());
        }
    }

    /// Gives every server back.
    pub(crate) fn restore(&mut self, engine: &mut Engine, kernel: &mut SimKernel) {
        self.left = 0;
        for entry in engine.roster() {
            let whom = Whom {
                pool: entry.id.split('-').next().unwrap_or_default().to_owned(),
                backend: entry.id,
            };
            let edit = Edit {
                state: Some(Wanted::Enable),
                max_conns: Some(0),
                ..Edit::default()
            };
            let deed = Deed::Change(Change::Edit { whom, edit });
            assert!(deed.apply(engine, kernel));
            self.done.push(deed);
        }
    }

    fn draw(&mut self) -> Change {
        let number = 1 + self.random.below(u64::from(self.origins.max(2) - 1));
        let at = Scene::origin(u8::try_from(number).expect("small"));
        let whom = Whom {
            pool: if self.random.below(8) == 0 {
                "more"
            } else {
                "app"
            }
            .to_owned(),
            backend: match self.random.below(3) {
                // Numbers that were never given, too.
                0 => format!("app-{}", 2 + self.random.below(12)),
                _ => at.to_string(),
            },
        };
        let mut edit = Edit::default();
        match self.random.below(8) {
            0 | 1 => {
                let mut backend = Backend::new(self.scheme, Host::Address(at.ip()), at.port());
                backend.weight = u16::try_from(1 + self.random.below(3)).expect("small");
                return Change::Add {
                    pool: "app".to_owned(),
                    backend,
                };
            }
            2 | 3 => {
                let drain = match self.kind {
                    // Nobody is cut off.
                    Kind::Calm => Span::seconds(3_600),
                    Kind::Stormy => Span::millis(self.random.below(200)),
                };
                return Change::Remove { whom, drain };
            }
            4 => edit.state = Some(Wanted::Drain),
            5 => edit.state = Some(Wanted::Disable),
            6 => edit.state = Some(Wanted::Enable),
            _ => {
                edit.weight = u16::try_from(self.random.below(4)).ok();
                // In a calm world nobody is turned away.
                if self.kind == Kind::Stormy {
                    edit.max_conns = u32::try_from(self.random.below(4)).ok();
                }
            }
        }
        Change::Edit { whom, edit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use tidegate::admin::Refusal;

    fn engine(kernel: &mut SimKernel) -> Engine {
        let mut config = Config::default();
        let at = Scene::origin(0);
        let backend = Backend::new(Scheme::Http, Host::Address(at.ip()), at.port());
        config.pools[0].backends = vec![backend];
        Engine::new(&config, &[], 1, kernel).expect("a free address")
    }

    fn whom(pool: &str, backend: &str) -> Whom {
        Whom {
            pool: pool.to_owned(),
            backend: backend.to_owned(),
        }
    }

    fn add(pool: &str, number: u8, scheme: Scheme) -> Change {
        let at = Scene::origin(number);
        let mut backend = Backend::new(scheme, Host::Address(at.ip()), at.port());
        backend.max_conns = Some(3);
        Change::Add {
            pool: pool.to_owned(),
            backend,
        }
    }

    fn remove(backend: &str) -> Change {
        Change::Remove {
            whom: whom("app", backend),
            drain: Span::ZERO,
        }
    }

    #[test]
    fn what_is_not_there_is_refused_and_nothing_is_different() {
        let mut kernel = SimKernel::new(1);
        let mut engine = engine(&mut kernel);
        let before = engine.roster();
        let edit = |backend: &str| Change::Edit {
            whom: whom("app", backend),
            edit: Edit::default(),
        };
        for change in [
            add("nowhere", 1, Scheme::Http),
            add("app", 1, Scheme::Tcp),
            add("app", 1, Scheme::Https),
            add("app", 0, Scheme::Http),
            remove("app-2"),
            remove("app-"),
            remove("app-01x"),
            remove("10.1.0.0:81"),
            edit("app-0"),
            edit("b-1"),
            edit(""),
        ] {
            let refusal = engine.apply(change.clone(), &mut kernel);
            assert!(refusal.is_err(), "{change:?}");
            assert_eq!(engine.roster(), before);
        }
        let there = engine.apply(add("app", 0, Scheme::Http), &mut kernel);
        assert_eq!(there, Err(Refusal::Exists("app-1".to_owned())));
    }

    #[test]
    fn a_number_is_never_given_twice() {
        let mut kernel = SimKernel::new(1);
        let mut engine = engine(&mut kernel);
        for number in 2..6 {
            assert!(
                engine
                    .apply(add("app", 1, Scheme::Http), &mut kernel)
                    .is_ok()
            );
            let roster = engine.roster();
            assert_eq!(roster[1].id, format!("app-{number}"));
            assert_eq!(roster[1].max_conns, Some(3));
            let name = match number {
                2 => roster[1].id.clone(),
                _ => Scene::origin(1).to_string(),
            };
            assert!(engine.apply(remove(&name), &mut kernel).is_ok());
            assert_eq!(engine.roster().len(), 1);
        }
    }

    #[test]
    fn operators_are_met_in_worlds() {
        let mut applied = 0;
        for seed in 0..30 {
            let scene = Scene::draw(Kind::of(seed), seed);
            if scene.changes > 0 {
                let history = frame::sabotaged(&scene, None).expect("a good world");
                applied += history.changes;
            }
        }
        assert!(applied > 20, "{applied}");
    }
}
