//! Changes to a running balancer: what an operator wants, and what follows from it for servers,
//! kept connections, probes and the requests under way.
//!
//! A server that shall get nothing new gets nothing new from the moment the change is applied:
//! neither over kept connections, which are closed, nor over connections that are still being made,
//! whose requests go elsewhere. What it has is brought to its end, unless its time is over.

use super::hub::Hub;
use super::kernel::Kernel;
use super::names;
use super::slot::Stage;
use super::slot::Tenant;
use super::turn::Engine;
use crate::admin::Applied;
use crate::admin::Change;
use crate::admin::Edit;
use crate::admin::Refusal;
use crate::admin::Wanted;
use crate::admin::Whom;
use crate::base::Fault;
use crate::base::Side;
use crate::base::arena::Key;
use crate::base::time::Span;
use crate::config::Backend;
use crate::config::LogLevel;
use crate::config::Mode;
use crate::config::Scheme;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::Standing;
use crate::peers::health::Health;
use crate::session::Way;

impl Engine {
    /// Does what an operator wants, whole or not at all.
    ///
    /// # Errors
    /// If the change speaks of what is not there, or cannot be: nothing is different then.
    pub fn apply(&mut self, change: Change, kernel: &mut dyn Kernel) -> Result<Applied, Refusal> {
        match change {
            Change::Add { pool, backend } => self.add(&pool, &backend, kernel),
            Change::Remove { whom, drain } => self.remove(&whom, drain, kernel),
            Change::Edit { whom, edit } => self.edit(&whom, edit, kernel),
            Change::Drain(on) => {
                self.rest(on);
                Ok(Applied::Process)
            }
            Change::LogLevel(level) => {
                self.hub.announce(&format!("log level {}", level.name()));
                // What is waiting was worth saying under the level of before.
                self.hub.herald.speak(true);
                log::set_max_level(filter(level));
                Ok(Applied::Process)
            }
        }
    }

    fn add(
        &mut self,
        pool: &str,
        backend: &Backend,
        kernel: &mut dyn Kernel,
    ) -> Result<Applied, Refusal> {
        let hub = &mut self.hub;
        let id = hub.pool_named(pool)?;
        fit(backend, id, hub)?;
        let url = backend.to_string();
        let same = |other: &PeerId| {
            let peer = hub.peers.get(*other);
            peer.is_some_and(|peer| peer.name == url && !peer.is_leaving())
        };
        if let Some(other) = hub.peers.of(id).iter().copied().find(same) {
            return Err(Refusal::Exists(hub.peer_name(other)));
        }
        let peer = names::peer(backend, hub.rules(id), id, hub.now);
        let Some(added) = hub.peers.add(peer) else {
            return Err(Refusal::NoPool(pool.to_owned()));
        };
        hub.probe_due = hub.now;
        names::added(added, hub, kernel);
        let id = hub.peer_name(added);
        hub.announce(&format!("backend {url} added as {id}, {}", backend.terms()));
        hub.changed(added);
        let pool = pool.to_owned();
        Ok(Applied::Backend { pool, id })
    }

    fn remove(
        &mut self,
        whom: &Whom,
        drain: Span,
        kernel: &mut dyn Kernel,
    ) -> Result<Applied, Refusal> {
        let id = self.hub.peer_named(whom)?;
        let applied = self.applied(whom, id);
        self.leave(id, drain, kernel);
        Ok(applied)
    }

    /// A server gets nothing new, and goes once it has ended what it has or `drain` is over.
    pub(super) fn leave(&mut self, id: PeerId, drain: Span, kernel: &mut dyn Kernel) {
        let now = self.hub.now;
        let mut deadline = now + drain;
        if let Some(peer) = self.hub.peers.get(id) {
            if let Standing::Leaving(earlier) = peer.standing {
                deadline = deadline.min(earlier);
            }
            self.hub.announce(&format!(
                "backend {} is being removed: {} under way may end within {drain}",
                peer.name, peer.in_flight
            ));
        }
        self.hub.peers.stand(id, Standing::Leaving(deadline), now);
        if !self.hub.leaving.contains(&id) {
            self.hub.leaving.push(id);
        }
        self.withdraw(id, kernel);
        self.end_probes_of(id, kernel);
        self.hub.changed(id);
        self.part(kernel);
    }

    fn edit(
        &mut self,
        whom: &Whom,
        edit: Edit,
        kernel: &mut dyn Kernel,
    ) -> Result<Applied, Refusal> {
        let id = self.hub.peer_named(whom)?;
        let applied = self.applied(whom, id);
        if self.hub.peers.get(id).is_some_and(|peer| peer.is_leaving()) {
            return Err(Refusal::Leaving(self.hub.peer_name(id)));
        }
        if let Some(weight) = edit.weight {
            self.hub.peers.reweigh(id, weight);
        }
        if let Some(most) = edit.max_conns {
            self.hub.peers.bound(id, (most > 0).then_some(most));
        }
        if let Some(wanted) = edit.state {
            self.stand(id, wanted, kernel);
        }
        if let Some(peer) = self.hub.peers.get(id) {
            let state = edit.state.map_or("edit", Wanted::name);
            let (name, weight) = (&peer.name, peer.weight);
            self.hub
                .announce(&format!("backend {name}: {state}; its weight is {weight}"));
        }
        self.hub.changed(id);
        Ok(applied)
    }

    fn applied(&self, whom: &Whom, id: PeerId) -> Applied {
        Applied::Backend {
            pool: whom.pool.clone(),
            id: self.hub.peer_name(id),
        }
    }

    fn stand(&mut self, id: PeerId, wanted: Wanted, kernel: &mut dyn Kernel) {
        let hub = &mut self.hub;
        let now = hub.now;
        let Some(peer) = hub.peers.get_mut(id) else {
            return;
        };
        let standing = match wanted {
            Wanted::Drain => Standing::Draining,
            Wanted::Enable => Standing::Enabled,
            Wanted::Disable => Standing::Disabled,
        };
        let before = peer.standing;
        if before == standing {
            return;
        }
        if before == Standing::Disabled {
            // Nobody has watched it: what was bad is still believed, what was good is not.
            if peer.health.up {
                peer.health = Health::default();
            }
            peer.probe_due = now;
            hub.probe_due = now;
        }
        hub.peers.stand(id, standing, now);
        if standing != Standing::Enabled {
            self.withdraw(id, kernel);
        }
        if standing == Standing::Disabled {
            self.end_probes_of(id, kernel);
        }
    }

    /// A server gets nothing new: what is kept for later goes, what is being connected goes
    /// elsewhere.
    fn withdraw(&mut self, id: PeerId, kernel: &mut dyn Kernel) {
        self.hub.close_kept(id, kernel);
        // A reload may take thousands of servers out while there are thousands of clients.
        if self.hub.peers.get(id).is_none_or(|peer| peer.dialling == 0) {
            return;
        }
        for (key, tenant) in self.tenants.iter() {
            if let Tenant::Session(slot) = tenant
                && slot.attempt.peer == Some(id)
                && matches!(slot.attempt.stage, Stage::Connecting | Stage::Handshaking)
            {
                self.hub.queue.push(key);
            }
        }
    }

    pub(super) fn end_probes_of(&mut self, id: PeerId, kernel: &mut dyn Kernel) {
        if self.hub.peers.get(id).is_none_or(|peer| !peer.probing) {
            return;
        }
        let of = |(key, tenant): (Key, &Tenant)| match tenant {
            Tenant::Probe(probe) if probe.peer == id => Some(key),
            Tenant::Probe(_) | Tenant::Session(_) | Tenant::Admin(_) => None,
        };
        let keys: Vec<Key> = self.tenants.iter().filter_map(of).collect();
        for key in keys {
            self.end_probe(key, kernel);
        }
        if let Some(peer) = self.hub.peers.get_mut(id) {
            peer.probing = false;
        }
    }

    /// Lets those go that have ended everything, or whose time is over.
    pub(super) fn part(&mut self, kernel: &mut dyn Kernel) {
        if self.hub.leaving.is_empty() {
            return;
        }
        let mut staying = Vec::new();
        for id in std::mem::take(&mut self.hub.leaving) {
            let Some(peer) = self.hub.peers.get(id) else {
                continue;
            };
            let due = match peer.standing {
                Standing::Leaving(due) => due,
                Standing::Enabled | Standing::Draining | Standing::Disabled => continue,
            };
            if peer.in_flight > 0 && due > self.hub.now {
                staying.push(id);
                continue;
            }
            self.hub.close_kept(id, kernel);
            let cut = self.cut(id);
            self.tell_left(id, kernel);
            if let Some(peer) = self.hub.peers.remove(id) {
                self.hub
                    .announce(&format!("backend {} is removed, {cut} cut off", peer.name));
            }
            self.hub.gone = true;
        }
        self.hub.leaving = staying;
    }

    /// Cuts what a server still has, and says how much that was.
    fn cut(&mut self, id: PeerId) -> usize {
        let mut cut = 0;
        if self
            .hub
            .peers
            .get(id)
            .is_none_or(|peer| peer.in_flight == 0)
        {
            return cut;
        }
        for key in self.tenants.keys() {
            let hub = &mut self.hub;
            if let Some(Tenant::Session(slot)) = self.tenants.get_mut(key)
                && slot.attempt.peer == Some(id)
                && slot.attempt.stage == Stage::Joined
            {
                slot.session.broke(
                    Side::Server,
                    Way::Reading,
                    Fault::Removed,
                    &mut hub.scratch,
                    hub.now,
                );
                hub.queue.push(key);
                cut += 1;
            }
        }
        cut
    }

    /// The process goes out of service, or comes back.
    fn rest(&mut self, on: bool) {
        if self.hub.resting == on {
            return;
        }
        self.hub.resting = on;
        self.hub.gone = true;
        if !on {
            self.hub.announce("in service again");
            return;
        }
        self.hub
            .announce("out of service: not ready, and no connection outlives its request");
        for key in self.tenants.keys() {
            if let Some(Tenant::Session(slot)) = self.tenants.get_mut(key) {
                slot.session.ease();
                self.hub.queue.push(key);
            }
        }
    }
}

impl Hub {
    /// Says what an operator has done: once, however many loops do it.
    fn announce(&mut self, line: &str) {
        if self.leads {
            self.herald.say(log::Level::Info, line.to_owned());
            self.write_down(line.to_owned());
        }
    }
}

/// Whether the pool can speak to such a server.
fn fit(backend: &Backend, pool: PoolId, hub: &Hub) -> Result<(), Refusal> {
    let rules = hub.rules(pool);
    let unfit = match (rules.mode, backend.scheme) {
        (Mode::Http, Scheme::Tcp) => "the pool balances requests: write http:// or https://",
        (Mode::Tcp, Scheme::Http | Scheme::Https) => "the pool balances connections: write tcp://",
        (Mode::Http, Scheme::Https) if rules.client_tls.is_none() => {
            "the pool was set up without TLS"
        }
        (Mode::Http, Scheme::Http | Scheme::Https) | (Mode::Tcp, Scheme::Tcp) => return Ok(()),
    };
    Err(Refusal::Unfit(unfit))
}

pub(super) const fn filter(level: LogLevel) -> log::LevelFilter {
    match level {
        LogLevel::Error => log::LevelFilter::Error,
        LogLevel::Warn => log::LevelFilter::Warn,
        LogLevel::Info => log::LevelFilter::Info,
        LogLevel::Debug => log::LevelFilter::Debug,
        LogLevel::Trace => log::LevelFilter::Trace,
    }
}
