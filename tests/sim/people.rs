//! Everybody who lives in a world beside the balancer.

use tidegate::base::time::Moment;

use crate::attacker::Attacker;
use crate::caller::Caller;
use crate::client::Client;
use crate::kernel::SimKernel;
use crate::knob::Knob;
use crate::origin::Origin;
use crate::registrar::Name;
use crate::registrar::Registrar;
use crate::scene::Part;
use crate::scene::Scene;
use crate::sky::Sky;

/// Their numbers, by what they are.
#[derive(Debug, Default)]
pub(crate) struct People {
    origins: Vec<usize>,
    clients: Vec<usize>,
    callers: Vec<usize>,
    attackers: Vec<usize>,
}

impl People {
    /// Everybody takes their place.
    pub(crate) fn enter(scene: &Scene, sky: &Sky, kernel: &mut SimKernel) -> Self {
        let mut people = Self::default();
        let (proxy, streams) = (Scene::proxy(), scene.knobs.is_tcp());
        for number in 0..scene.origins {
            let (at, place) = (Scene::origin(number), usize::from(number));
            let origin = Origin::new(at, place, streams, sky);
            people.origins.push(kernel.add(Box::new(origin)));
        }
        for Part { requests, body_max } in &scene.clients {
            if streams {
                let caller = Caller::new(proxy, sky, *requests, *body_max);
                people.callers.push(kernel.add(Box::new(caller)));
            } else {
                let client = Client::new(proxy, sky, *requests, *body_max);
                people.clients.push(kernel.add(Box::new(client)));
            }
        }
        for _ in 0..scene.knobs.of(Knob::Attackers) {
            let attacker = Attacker::new(proxy, sky, 5);
            people.attackers.push(kernel.add(Box::new(attacker)));
        }
        let names = (0..scene.origins).filter_map(|number| {
            Some(Name {
                name: scene.name(number)?,
                origin: Scene::origin(number).ip(),
                dead: Scene::desert(number).ip(),
            })
        });
        let registrar = Registrar::new(names.collect(), sky, kernel.guest());
        kernel.add(Box::new(registrar));
        people
    }

    /// Whether anybody has something left to do.
    pub(crate) fn are_busy(&self, kernel: &SimKernel) -> bool {
        let client = |number: &usize| kernel.actor::<Client>(*number).is_done();
        let caller = |number: &usize| kernel.actor::<Caller>(*number).is_done();
        let attacker = |number: &usize| kernel.actor::<Attacker>(*number).is_done();
        !(self.clients.iter().all(client)
            && self.callers.iter().all(caller)
            && self.attackers.iter().all(attacker))
    }

    /// Whether that origin's port is open, and since when it has been so.
    pub(crate) fn listens(&self, kernel: &SimKernel, origin: usize) -> (bool, Moment) {
        kernel.actor::<Origin>(self.origins[origin]).listens()
    }

    /// Everybody gets so much more to ask. How much that is together.
    pub(crate) fn give(&self, kernel: &mut SimKernel, requests: usize) -> u64 {
        for number in &self.clients {
            kernel.actor_mut::<Client>(*number).give(requests);
        }
        for number in &self.callers {
            kernel.actor_mut::<Caller>(*number).give(requests);
        }
        (requests * (self.clients.len() + self.callers.len())) as u64
    }
}
