//! Whoever runs the names of a simulated world: says which addresses they have, in which order,
//! how long that takes to find out, and changes its mind.

use std::net::IpAddr;

use tidegate::base::time::Moment;
use tidegate::base::time::Span;

use crate::net::Actor;
use crate::net::Net;
use crate::order::below;
use crate::sky::Sky;
use crate::weather::Misdeed;

/// A name and who is behind it.
pub(crate) struct Name {
    pub(crate) name: String,
    pub(crate) origin: IpAddr,
    /// Nobody lives there.
    pub(crate) dead: IpAddr,
}

/// The one who runs them.
pub(crate) struct Registrar {
    names: Vec<Name>,
    sky: Sky,
    next: Moment,
}

impl Registrar {
    pub(crate) fn new(names: Vec<Name>, sky: &Sky, net: &mut Net) -> Self {
        let registrar = Self {
            names,
            sky: sky.clone(),
            next: Moment(0),
        };
        for at in 0..registrar.names.len() {
            registrar.say(at, net);
        }
        registrar
    }

    /// Says what a name stands for from here on.
    fn say(&self, at: usize, net: &mut Net) {
        let name = &self.names[at];
        let mut addresses = vec![name.origin];
        if self.sky.strikes(net, Misdeed::DeadAddress) {
            addresses.insert(0, name.dead);
        } else if net.below(2) == 0 {
            addresses.push(name.dead);
        }
        let most = if self.sky.climate().is_calm() {
            500
        } else {
            3_000
        };
        let delay = Span::millis(1 + below(net, most) as u64);
        net.name(&name.name, &addresses, delay);
    }
}

impl Actor for Registrar {
    fn act(&mut self, net: &mut Net, now: Moment) -> Option<Moment> {
        if self.next <= now {
            for at in 0..self.names.len() {
                if now > Moment(0) && self.sky.strikes(net, Misdeed::Renamed) {
                    self.say(at, net);
                }
            }
            self.next = now + Span::millis(500 + net.below(5_000));
        }
        Some(self.next)
    }
}
