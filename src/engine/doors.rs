//! Listeners that come, move and go while everything else goes on: the part of a reload that can
//! fail, and what follows from it.
//!
//! A listener that goes, moves or changes lets everybody in first who has knocked, under the rules
//! that held when they did: whoever the kernel has shaken hands with would be reset otherwise, or
//! meet TLS where there was none. What the process has no room for meets the new rules.

use std::io;
use std::rc::Rc;

use super::hub::Listener;
use super::hub::Owner;
use super::kernel::Kernel;
use super::plan::Plan;
use super::reload::Round;
use super::start;
use super::start::StartError;
use super::turn::Engine;
use crate::admin::difference::Kind;
use crate::base::Fault;
use crate::base::Socket;
use crate::config;
use crate::config::Address;
use crate::config::compare;
use crate::config::compare::Turn;
use crate::limits;
use crate::session::Policy;
use crate::tls::Identity;
use crate::tls::ServerTls;

/// Where the socket of a listener comes from.
#[derive(Clone, Debug)]
pub(super) enum Entrance {
    /// It has it.
    Kept,
    /// The listener at that position gives it up.
    Taken(usize),
    /// It was opened for it.
    Opened(Socket, Address),
    /// It could not be opened; other loops have it.
    Missing,
}

impl Engine {
    /// Where every listener of the plan gets its socket; those that are new are open then, but
    /// nobody's yet.
    ///
    /// # Errors
    /// If one cannot be opened: none is, then. A loop that follows another one does without it.
    pub(super) fn open_entrances(
        &self,
        plan: &Plan,
        kernel: &mut dyn Kernel,
    ) -> Result<Vec<Entrance>, String> {
        let wanted = &plan.config.listeners;
        let kept: Vec<Option<usize>> = (0..wanted.len()).map(|at| self.kept(at, plan)).collect();
        let mut entrances: Vec<Entrance> = Vec::with_capacity(wanted.len());
        for (at, one) in wanted.iter().enumerate() {
            let place = plan.addresses.get(at).unwrap_or(&one.listen);
            let given = |(at, other): (usize, &Listener)| {
                let fits = other.socket.is_some() && place.is_taken_by(&other.address);
                (fits && !kept.contains(&Some(at))).then_some(at)
            };
            let mut others = self.hub.listeners.iter().enumerate();
            let entrance = match (kept[at], others.find_map(given)) {
                (Some(_), _) => Entrance::Kept,
                (None, Some(other)) => Entrance::Taken(other),
                (None, None) => match self.open_one(place, kernel) {
                    Ok((socket, address)) => Entrance::Opened(socket, address),
                    Err(error) if !plan.addresses.is_empty() => {
                        log::error!("one event loop cannot listen on {place}: {error}");
                        Entrance::Missing
                    }
                    Err(error) => {
                        abandon(&entrances, kernel);
                        let address = place.clone();
                        let why = StartError { address, error }.to_string();
                        return Err(plan.of_listener(at, &why));
                    }
                },
            };
            entrances.push(entrance);
        }
        Ok(entrances)
    }

    /// The position of the listener of that name, if it is where it shall be.
    fn kept(&self, at: usize, plan: &Plan) -> Option<usize> {
        let wanted = plan.config.listeners.get(at)?;
        let mut all = self.hub.listeners.iter();
        let position = all.position(|one| one.name == wanted.name)?;
        let listener = self.hub.listeners.get(position)?;
        let is_there = match plan.addresses.get(at) {
            Some(place) => listener.address == *place,
            None => listener.asked == wanted.listen,
        };
        (is_there && listener.socket.is_some()).then_some(position)
    }

    fn open_one(&self, place: &Address, kernel: &mut dyn Kernel) -> io::Result<(Socket, Address)> {
        if let Address::Tcp(address) = place
            && self.hub.loops > 1
            && self.hub.leads
        {
            kernel.check_free(*address)?;
        }
        start::open_one(place, kernel)
    }

    /// Gives every listener its socket and its policy; closes what nobody wants any more.
    pub(super) fn reload_doors(
        &mut self,
        entrances: Vec<Entrance>,
        round: &mut Round<'_>,
        kernel: &mut dyn Kernel,
    ) {
        let plan = round.plan;
        let mut homes = Vec::with_capacity(entrances.len());
        let mut fresh = Vec::with_capacity(entrances.len());
        for (at, wanted) in plan.config.listeners.iter().enumerate() {
            let mut all = self.hub.listeners.iter();
            let known = all.position(|one| one.name == wanted.name);
            let before = known.and_then(|home| self.hub.listeners.get(home));
            fresh.push(before.is_none_or(|listener| listener.socket.is_none()));
            homes.push(known.unwrap_or_else(|| self.add_door(at, round)));
        }
        self.usher(&homes, &entrances, plan, kernel);
        let stays = |at: usize| stays(at, &homes, &entrances);
        let given: Vec<Option<(Socket, Address)>> = (0..self.hub.listeners.len())
            .map(|at| match stays(at) {
                true => None,
                false => self.give_up(at),
            })
            .collect();
        let mut left = given.clone();
        for (at, (home, entrance)) in homes.iter().copied().zip(entrances).enumerate() {
            let got = match entrance {
                Entrance::Kept | Entrance::Missing => None,
                Entrance::Taken(other) => left.get_mut(other).and_then(Option::take),
                Entrance::Opened(socket, address) => Some((socket, address)),
            };
            if let Some((socket, address)) = got {
                self.move_in(home, socket, address);
            }
            self.describe_door(at, home, fresh[at], round);
            self.furnish(at, home, fresh[at], round);
        }
        for (at, socket) in left.into_iter().enumerate() {
            if let Some((socket, _)) = socket {
                self.hub.disown(socket);
                kernel.close(socket);
            }
            if !homes.contains(&at) && given.get(at).is_some_and(Option::is_some) {
                self.describe_closed(at, round);
            }
        }
    }

    fn add_door(&mut self, at: usize, round: &Round<'_>) -> usize {
        let hub = &mut self.hub;
        let config = &round.plan.config;
        let wanted = &config.listeners[at];
        let pool = &config.pools[wanted.pool];
        hub.listeners.push(Listener {
            name: wanted.name.clone(),
            socket: None,
            asked: wanted.listen.clone(),
            address: wanted.listen.clone(),
            ready: false,
            moves: 0,
            mode: wanted.mode,
            pool: round.pools.get(wanted.pool).copied().unwrap_or_default(),
            policy: Rc::new(start::policy(wanted, pool)),
            tls: None,
        });
        hub.books.add_door(wanted);
        hub.listeners.len() - 1
    }

    /// Takes the socket out of a listener.
    fn give_up(&mut self, at: usize) -> Option<(Socket, Address)> {
        let listener = self.hub.listeners.get_mut(at)?;
        listener.ready = false;
        let socket = listener.socket.take()?;
        Some((socket, listener.address.clone()))
    }

    fn move_in(&mut self, home: usize, socket: Socket, address: Address) {
        let hub = &mut self.hub;
        hub.own(socket, Owner::Listener(home));
        if let Some(listener) = hub.listeners.get_mut(home) {
            listener.socket = Some(socket);
            listener.address = address;
            // What was heard of it before may have been told of another position.
            listener.ready = true;
        }
    }

    /// The policy, from here on; whoever is in keeps the one he came in with, and goes with his
    /// next answer if it is another one.
    fn furnish(&mut self, at: usize, home: usize, fresh: bool, round: &Round<'_>) {
        let config = &round.plan.config;
        let wanted = &config.listeners[at];
        let pool = round.pools.get(wanted.pool).copied().unwrap_or_default();
        let policy = self.other_policy(at, home, round.plan);
        let Some(listener) = self.hub.listeners.get_mut(home) else {
            return;
        };
        if let Some(identity) = round.plan.identities.get(at) {
            listener.tls = become_known_as(listener.tls.take(), identity.as_ref());
        }
        // A name that stands for another place now has other clients, who may be another site's.
        let moved = fresh || listener.asked != wanted.listen;
        listener.moves = listener.moves.wrapping_add(u32::from(moved));
        listener.asked = wanted.listen.clone();
        listener.pool = pool;
        listener.mode = wanted.mode;
        let is_other = policy.is_some();
        if let Some(policy) = policy {
            listener.policy = Rc::new(policy);
        }
        if moved || is_other {
            self.let_go(home);
        }
    }

    /// What shall hold for the clients of a listener, if that is not what does: a certificate that
    /// was renewed is no other policy, but whom clients have to be is.
    fn other_policy(&self, at: usize, home: usize, plan: &Plan) -> Option<Policy> {
        let config = &plan.config;
        let wanted = &config.listeners[at];
        let listener = self.hub.listeners.get(home)?;
        let identity = plan.identities.get(at).map(Option::as_ref);
        let is_tls = identity.map_or_else(|| listener.tls.is_some(), |identity| identity.is_some());
        let policy = Policy {
            client_is_tls: is_tls,
            ..start::policy(wanted, &config.pools[wanted.pool])
        };
        let met = listener.tls.as_ref().zip(identity.flatten());
        let strict = met.is_some_and(|(tls, identity)| !tls.asks_like(identity));
        (strict || policy != *listener.policy).then_some(policy)
    }

    fn describe_door(&self, at: usize, home: usize, fresh: bool, round: &mut Round<'_>) {
        let config = &round.plan.config;
        let wanted = &config.listeners[at];
        let name = |config: &config::Config, pool: usize| {
            let pool = config.pools.get(pool);
            pool.map_or_else(String::new, |pool| pool.name.clone())
        };
        let what = format!("listener {}", wanted.name);
        let open = self.guests(home);
        let mut before = round.before.listeners.iter();
        let before = before.find(|one| one.name == wanted.name && !fresh);
        let Some(before) = before.cloned() else {
            let address = self.hub.listeners.get(home).map(|one| &one.address);
            let address = address.unwrap_or(&wanted.listen);
            let text = format!("listening on {address} ({})", wanted.mode.name());
            return round.note(Kind::Added, what, text);
        };
        let was = name(&round.before, before.pool);
        let is = name(config, wanted.pool);
        let mut turns = compare::listener((&before, &was), (wanted, &is));
        if before.tls == wanted.tls && self.is_renewed(at, home, round.plan) {
            turns.push(Turn {
                key: "tls: certificates".to_owned(),
                before: "those read before".to_owned(),
                after: "those read now".to_owned(),
            });
        }
        if turns.is_empty() {
            return round.note(Kind::Unchanged, what, format!("{open} kept"));
        }
        let words: Vec<String> = turns.iter().map(ToString::to_string).collect();
        let moved = before.listen != wanted.listen;
        let differs = moved || self.other_policy(at, home, round.plan).is_some();
        let goes = differs && wanted.mode == config::Mode::Http;
        let text = match goes {
            false => format!("{}; {open} kept", words.join(", ")),
            true => format!("{}; {open} to end with the next answer", words.join(", ")),
        };
        round.note(Kind::Changed, what, text);
    }

    /// Lets everybody in who has knocked where something is about to change: they came to what was
    /// there, and would be reset where nobody listens any more.
    fn usher(
        &mut self,
        homes: &[usize],
        entrances: &[Entrance],
        plan: &Plan,
        kernel: &mut dyn Kernel,
    ) {
        for at in 0..self.hub.listeners.len() {
            let wanted = homes.iter().position(|home| *home == at);
            let same = wanted.is_some_and(|wanted| {
                stays(at, homes, entrances)
                    && self.other_policy(wanted, at, plan).is_none()
                    && !self.is_renewed(wanted, at, plan)
            });
            let passed_on = self.taker_is_alike(at, entrances, plan);
            if !same
                && !passed_on
                && let Some(socket) = self.hub.listeners[at].socket
            {
                self.empty_queue(at, socket, kernel);
            }
        }
    }

    /// Whether the socket of that listener goes to another one that speaks the same: who has
    /// knocked came to the address, whoever answers there now. He would be served worse by the one
    /// of before, whose servers may be going.
    fn taker_is_alike(&self, at: usize, entrances: &[Entrance], plan: &Plan) -> bool {
        let mut all = entrances.iter();
        let taker = all.position(|one| matches!(one, Entrance::Taken(from) if *from == at));
        taker.is_some_and(|taker| {
            let listener = &self.hub.listeners[at];
            let is_tls = plan.identities.get(taker).is_some_and(Option::is_some);
            plan.config.listeners[taker].mode == listener.mode && is_tls == listener.tls.is_some()
        })
    }

    /// Admits those who are in the queue of a listener now, and no more: others may be coming as
    /// fast as they are let in.
    fn empty_queue(&mut self, at: usize, socket: Socket, kernel: &mut dyn Kernel) {
        for _ in 0..=limits::BACKLOG {
            if self.hub.sessions >= self.hub.sessions_max {
                return;
            }
            match kernel.accept(socket) {
                Ok((client, from)) => self.admit(at, client, from, kernel),
                Err(error) if Fault::from_io(&error) == Fault::Reset => {}
                Err(_) => return,
            }
        }
    }

    /// A listener is gone. Its clients may ask once more, each: a connection that is closed while a
    /// request is on its way looks like a failure.
    fn describe_closed(&self, at: usize, round: &mut Round<'_>) {
        if let Some(listener) = self.hub.listeners.get(at) {
            let what = format!("listener {}", listener.name);
            let (address, open) = (&listener.address, self.guests(at));
            let text = format!("closed at {address}; {open} may end");
            round.note(Kind::Removed, what, text);
        }
    }

    /// Whether the files of its certificates say something else than they did.
    fn is_renewed(&self, at: usize, home: usize, plan: &Plan) -> bool {
        let Some(Some(identity)) = plan.identities.get(at) else {
            return false;
        };
        let tls = self
            .hub
            .listeners
            .get(home)
            .and_then(|one| one.tls.as_ref());
        tls.is_some_and(|tls| !tls.is_like(identity))
    }

    /// How many clients of a listener are there, in words. How many other loops have is not known
    /// yet.
    fn guests(&self, at: usize) -> String {
        if self.hub.loops > 1 {
            return "connections".to_owned();
        }
        let open = self.hub.books.doors.get(at).map_or(0, |door| door.open);
        super::chronicle::connections(usize::try_from(open).unwrap_or(usize::MAX))
    }
}

/// Whether the listener at that position is where it shall be.
fn stays(at: usize, homes: &[usize], entrances: &[Entrance]) -> bool {
    let mut all = homes.iter().zip(entrances);
    all.any(|(home, entrance)| *home == at && matches!(entrance, Entrance::Kept))
}

/// Whoever is the same as before goes on resuming the sessions of his clients.
fn become_known_as(before: Option<ServerTls>, identity: Option<&Identity>) -> Option<ServerTls> {
    let identity = identity?;
    let same = before.filter(|tls| tls.is_like(identity));
    Some(same.unwrap_or_else(|| ServerTls::new(identity)))
}

/// Closes what was opened in vain.
fn abandon(entrances: &[Entrance], kernel: &mut dyn Kernel) {
    for entrance in entrances {
        if let Entrance::Opened(socket, _) = entrance {
            kernel.close(*socket);
        }
    }
}
