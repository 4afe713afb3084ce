//! Applying a configuration that was read anew as a difference to what runs.
//!
//! What the file has not changed is not touched: servers keep their numbers, their health and their
//! books, listeners their sockets, clients and kept connections stay. Pools go by their names,
//! servers by their URLs within a pool, listeners by their names. Nothing ever gives its position
//! back: what was taken out stays as an empty place, so that numbers which sessions and books hold
//! mean the same for life. A reload is whole or nothing: what can fail comes first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::hub::Hub;
use super::hub::Rules;
use super::kernel::Kernel;
use super::names;
use super::plan::Plan;
use super::slot::Tenant;
use super::start;
use super::turn::Engine;
use crate::admin::Difference;
use crate::admin::difference::Kind;
use crate::base::time::Span;
use crate::config;
use crate::config::Backend;
use crate::config::Config;
use crate::config::compare;
use crate::config::compare::Turn;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::health::Thresholds;
use crate::tls::ClientTls;

/// One reload under way.
pub(super) struct Round<'a> {
    pub(super) plan: &'a Plan,
    /// What was in effect.
    pub(super) before: Box<Config>,
    /// By position of the pool in the plan: its number.
    pub(super) pools: Vec<PoolId>,
    /// What is different, as far as it is known.
    pub(super) all: Vec<Difference>,
}

impl Round<'_> {
    pub(super) fn note(&mut self, kind: Kind, what: String, text: String) {
        self.all.push(Difference::new(kind, what, text));
    }
}

impl Engine {
    /// Makes the running balancer what the plan says, whole or not at all, and says what is
    /// different and what is not.
    ///
    /// # Errors
    /// Why nothing is different: an address that cannot be listened at, a pool or listener that
    /// would balance something else, or the end of the program.
    pub fn reload(
        &mut self,
        plan: &Plan,
        kernel: &mut dyn Kernel,
    ) -> Result<Vec<Difference>, String> {
        self.hub.pace.did("a reload");
        if self.hub.draining() {
            return Err("the program is ending".to_owned());
        }
        self.check_modes(plan)?;
        let entrances = self.open_entrances(plan, kernel)?;
        let mut round = Round {
            plan,
            before: self.hub.config.clone(),
            pools: Vec::new(),
            all: Vec::new(),
        };
        for (at, pool) in plan.config.pools.iter().enumerate() {
            let id = self.reload_pool(at, pool, &mut round, kernel);
            round.pools.push(id);
        }
        self.reload_doors(entrances, &mut round, kernel);
        self.retire_pools(&mut round, kernel);
        self.hub.bury(plan);
        self.reload_process(&mut round, kernel);
        Ok(round.all)
    }

    /// Requests and connections are balanced by different machines: what has begun as one does not
    /// become the other.
    fn check_modes(&self, plan: &Plan) -> Result<(), String> {
        let config = &plan.config;
        let refused = |what: &str, name: &str, was: &str, is: &str| {
            format!(
                "{what} {name} balances {was} and cannot turn to {is} while the program runs; give \
                 it another name, or restart"
            )
        };
        for (at, pool) in config.pools.iter().enumerate() {
            let (name, mode) = (&pool.name, start::mode(config, at));
            // One that is gone comes back as whatever it is, once nobody is left who came to it.
            let mut known = self.hub.rules.iter().enumerate();
            // Of several loops the one that reads decides for all: one that stayed behind alone
            // would take its servers for those of the others ever after. A guest that only another
            // loop has finds nobody who speaks as it does (`upstream::walk`).
            let guests = |id: usize| self.hub.leads && self.has_guests(PoolId(id));
            let other = |(id, rules): &(usize, &Rules)| {
                let same = rules.name == *name && rules.mode != mode;
                same && (!rules.gone || guests(*id))
            };
            if let Some((_, rules)) = known.find(other) {
                let why = refused("pool", name, rules.mode.name(), mode.name());
                return Err(plan.of_pool(at, &why));
            }
        }
        for (at, one) in config.listeners.iter().enumerate() {
            let (name, mode) = (&one.name, one.mode);
            // One that was gone comes back as whatever it is.
            let mut known = self.hub.config.listeners.iter();
            if let Some(listener) = known.find(|other| other.name == *name && other.mode != mode) {
                let why = refused("listener", name, listener.mode.name(), mode.name());
                return Err(plan.of_listener(at, &why));
            }
        }
        Ok(())
    }

    /// Makes a pool what it shall be, and says which number it has.
    fn reload_pool(
        &mut self,
        at: usize,
        pool: &config::Pool,
        round: &mut Round<'_>,
        kernel: &mut dyn Kernel,
    ) -> PoolId {
        let hub = &mut self.hub;
        let what = format!("pool {}", pool.name);
        let rules = start::rules(&round.plan.config, at, trusted(at, round.plan));
        let known = hub.rules.iter().position(|rules| rules.name == pool.name);
        let id = known.map_or_else(|| hub.add_pool(rules), PoolId);
        let kept = round.before.pools.iter().find(|one| one.name == pool.name);
        let Some(before) = kept.cloned() else {
            // Its name may have been there before, with rules of its own.
            let count = pool.backends.len();
            self.govern(id, at, pool, round.plan, kernel);
            round.note(Kind::Added, what, format!("backends: {count}"));
            self.reload_backends(id, pool, round, kernel);
            return id;
        };
        let mut turns = compare::pool(&before, pool);
        let others = is_other(trust(at, round.plan), hub.rules(id)).then(|| Turn {
            key: "tls: certificates".to_owned(),
            before: "those read before".to_owned(),
            after: "those read now".to_owned(),
        });
        if before.tls == pool.tls && (before.is_secure() || pool.is_secure()) {
            turns.extend(others);
        }
        if turns.is_empty() {
            let mark = round.all.len();
            // Whom to trust may be known only now, and changes nothing for anybody.
            self.adopt_trust(id, at, round.plan);
            self.reload_backends(id, pool, round, kernel);
            if round.all.len() == mark {
                let count = pool.backends.len();
                round.note(Kind::Unchanged, what, format!("backends: {count}"));
            }
            return id;
        }
        let words: Vec<String> = turns.iter().map(ToString::to_string).collect();
        round.note(Kind::Changed, what, words.join(", "));
        self.govern(id, at, pool, round.plan, kernel);
        self.reload_backends(id, pool, round, kernel);
        id
    }

    /// Puts other rules into force; what was done under the old ones and does not fit the new ones
    /// goes.
    fn govern(
        &mut self,
        id: PoolId,
        at: usize,
        pool: &config::Pool,
        plan: &Plan,
        kernel: &mut dyn Kernel,
    ) {
        let hub = &mut self.hub;
        let now = hub.now;
        let tls = trusted(at, plan).or_else(|| hub.rules(id).client_tls.clone());
        let strange = is_other(trust(at, plan), hub.rules(id));
        let rules = start::rules(&plan.config, at, tls);
        let Some(place) = hub.rules.get_mut(id.0) else {
            return;
        };
        let before = std::mem::replace(place, rules);
        let rules = hub.rules(id);
        let strange = strange || before.sni != rules.sni;
        let spoils = strange || before.reuse != rules.reuse;
        let watched = before.health != rules.health;
        let (probed, probes) = (before.probes(), rules.probes());
        hub.peers.judge(id, thresholds(pool));
        for peer in hub.peers.of(id).to_vec() {
            if spoils {
                self.hub.close_kept(peer, kernel);
            }
            if strange {
                self.distrust(peer);
            }
            if watched {
                self.end_probes_of(peer, kernel);
                if probed != probes {
                    self.hub.peers.forget_health(peer, !probes);
                }
                if let Some(peer) = self.hub.peers.get_mut(peer) {
                    peer.probe_due = now;
                }
                self.hub.probe_due = now;
                self.hub.changed(peer);
            }
        }
    }

    /// Connections to that server were made under other rules: they serve what they serve, and
    /// nobody else afterwards.
    fn distrust(&mut self, id: PeerId) {
        for key in self.tenants.keys() {
            if let Some(Tenant::Session(slot)) = self.tenants.get_mut(key)
                && slot.attempt.peer == Some(id)
            {
                slot.attempt.strange = true;
            }
        }
    }

    fn adopt_trust(&mut self, id: PoolId, at: usize, plan: &Plan) {
        if let Some(rules) = self.hub.rules.get_mut(id.0)
            && rules.client_tls.is_none()
        {
            rules.client_tls = trusted(at, plan);
        }
    }

    /// Adds, weighs and removes servers until the pool has those it shall have.
    fn reload_backends(
        &mut self,
        id: PoolId,
        pool: &config::Pool,
        round: &mut Round<'_>,
        kernel: &mut dyn Kernel,
    ) {
        let standing = self.hub.standing(id);
        let mut stays = BTreeSet::new();
        for backend in &pool.backends {
            let peer = match standing.get(&backend.to_string()) {
                Some(peer) => self.reweigh(*peer, backend, round),
                None => self.enrol(id, backend, round, kernel),
            };
            stays.extend(peer);
        }
        let drain = round.plan.config.drain_timeout;
        for peer in self.hub.peers.of(id).to_vec() {
            if !stays.contains(&peer) {
                self.expel(peer, drain, round, kernel);
            }
        }
    }

    /// A server that is there already: what it has goes on, be it more than it may have now.
    fn reweigh(&mut self, id: PeerId, backend: &Backend, round: &mut Round<'_>) -> Option<PeerId> {
        let hub = &mut self.hub;
        let pool = hub.peers.get(id)?.pool;
        let model = names::peer(backend, hub.rules(pool), pool, hub.now);
        let peer = hub.peers.get_mut(id)?;
        peer.authority = model.authority;
        peer.own_host = model.own_host;
        peer.tls_name = model.tls_name;
        let (weight, most) = (peer.weight, peer.max_conns);
        let mut text = backend.to_string();
        if weight != backend.weight {
            hub.peers.reweigh(id, backend.weight);
            text += &format!(", weight {weight} -> {}", backend.weight);
        }
        if most != backend.max_conns {
            hub.peers.bound(id, backend.max_conns);
            let word = |most: Option<u32>| match most {
                Some(most) => most.to_string(),
                None => "nothing".to_owned(),
            };
            let (before, after) = (word(most), word(backend.max_conns));
            text += &format!(", max_conns {before} -> {after}");
        }
        if (weight, most) != (backend.weight, backend.max_conns) {
            hub.changed(id);
            let what = format!("backend {}", hub.peer_name(id));
            round.note(Kind::Changed, what, text);
        }
        Some(id)
    }

    fn enrol(
        &mut self,
        id: PoolId,
        backend: &Backend,
        round: &mut Round<'_>,
        kernel: &mut dyn Kernel,
    ) -> Option<PeerId> {
        let hub = &mut self.hub;
        let mut peer = names::peer(backend, hub.rules(id), id, hub.now);
        let mut names = round.plan.names.iter();
        if let Some((_, addresses)) = names.find(|(name, _)| Some(name) == peer.lookup.as_ref()) {
            peer.addresses.clone_from(addresses);
        } else if peer.lookup.is_some() {
            // Another server may have the same name, whose addresses are known.
            let twin = |other: &&PeerId| {
                let other = hub.peers.get(**other);
                other
                    .is_some_and(|other| other.lookup == peer.lookup && !other.addresses.is_empty())
            };
            let twin = hub.peers.order().iter().find(twin);
            if let Some(twin) = twin.and_then(|id| hub.peers.get(*id)) {
                peer.addresses.clone_from(&twin.addresses);
            }
        }
        let added = hub.peers.add(peer)?;
        hub.probe_due = hub.now;
        names::added(added, hub, kernel);
        hub.changed(added);
        let what = format!("backend {}", hub.peer_name(added));
        let text = format!("{backend}, {}", backend.terms());
        round.note(Kind::Added, what, text);
        Some(added)
    }

    fn expel(&mut self, id: PeerId, drain: Span, round: &mut Round<'_>, kernel: &mut dyn Kernel) {
        let what = format!("backend {}", self.hub.peer_name(id));
        let Some(peer) = self.hub.peers.get(id).filter(|peer| !peer.is_leaving()) else {
            return;
        };
        let (name, under_way) = (peer.name.clone(), peer.in_flight);
        self.leave(id, drain, kernel);
        let text = format!("{name}, {under_way} under way may end within {drain}");
        round.note(Kind::Removed, what, text);
    }

    /// Pools that are not in the file any more.
    fn retire_pools(&mut self, round: &mut Round<'_>, kernel: &mut dyn Kernel) {
        let drain = round.plan.config.drain_timeout;
        for at in 0..self.hub.rules.len() {
            let id = PoolId(at);
            if round.pools.contains(&id) || self.hub.rules(id).gone {
                continue;
            }
            let what = format!("pool {}", self.hub.rules(id).name);
            for peer in self.hub.peers.of(id).to_vec() {
                self.expel(peer, drain, round, kernel);
            }
            if let Some(rules) = self.hub.rules.get_mut(at) {
                rules.gone = true;
            }
            round.note(Kind::Removed, what, "with its backends".to_owned());
        }
    }

    /// What is neither a pool nor a listener.
    fn reload_process(&mut self, round: &mut Round<'_>, kernel: &mut dyn Kernel) {
        let hub = &mut self.hub;
        let plan = round.plan;
        let mut config = Box::new(plan.config.clone());
        hub.drain.span = config.drain_timeout;
        hub.names.interval = config.resolve_interval;
        hub.sessions_max = config.clients();
        hub.journal.adopt(&config.access_log);
        hub.windows.grow(config.clients().saturating_mul(2));
        if hub.leads && config.log_level != round.before.log_level {
            hub.herald.speak(true);
            log::set_max_level(super::change::filter(config.log_level));
        }
        let place = |config: &Config| config.admin.as_ref().map(|admin| admin.listen.clone());
        let is_there = place(&round.before) == place(&config);
        for turn in compare::process(&round.before, &config) {
            let admin = turn.key.starts_with("admin.");
            let kind = match turn.key.as_str() {
                "drain_timeout" | "max_connections" | "log_level" => Kind::Changed,
                "access_log.only" | "access_log.slow" | "access_log.sample" => Kind::Changed,
                "admin.token_file" if is_there => Kind::Changed,
                _ => Kind::Restart,
            };
            let what = if admin { "admin interface" } else { "process" };
            let text = match kind {
                Kind::Restart => format!("{turn}, takes effect at the next start"),
                Kind::Added | Kind::Removed | Kind::Changed | Kind::Unchanged => turn.to_string(),
            };
            round.note(kind, what.to_owned(), text);
        }
        config.workers = round.before.workers;
        // Who writes the log was started with the program.
        let log = &round.before.access_log;
        config.access_log.format = log.format;
        config.access_log.path.clone_from(&log.path);
        if !is_there {
            config.admin.clone_from(&round.before.admin);
        }
        let mut strangers = Vec::new();
        if let Some(office) = &mut hub.office
            && is_there
            && office.access.token() != plan.token.as_deref()
        {
            office.access = office.access.with_token(plan.token.clone()).into();
            let what = "admin interface".to_owned();
            round.note(Kind::Changed, what, "it wants another token".to_owned());
            strangers.clone_from(&office.streams);
        }
        hub.config = config;
        hub.gone = true;
        // Who listens to events was let in by the token of before.
        for key in strangers {
            self.end_desk(key, kernel);
        }
    }
}

impl Hub {
    /// A new pool without servers.
    fn add_pool(&mut self, rules: Rules) -> PoolId {
        let thresholds = Thresholds {
            rise: rules.health.rise,
            fall: rules.health.fall,
        };
        self.rules.push(rules);
        self.books.add_pool();
        self.peers.add_pool(thresholds)
    }

    /// The servers of a pool by their URLs, without those that are being removed.
    fn standing(&self, pool: PoolId) -> BTreeMap<String, PeerId> {
        let all = self.peers.of(pool).iter();
        let stands = all.filter_map(|id| {
            let peer = self.peers.get(*id).filter(|peer| !peer.is_leaving())?;
            Some((peer.name.clone(), *id))
        });
        stands.collect()
    }
}

fn trust(at: usize, plan: &Plan) -> Option<&crate::tls::Trust> {
    plan.trust.get(at)?.as_ref()
}

fn trusted(at: usize, plan: &Plan) -> Option<ClientTls> {
    trust(at, plan).map(ClientTls::from)
}

/// Whether the pool has trusted others until now.
fn is_other(trust: Option<&crate::tls::Trust>, rules: &Rules) -> bool {
    let both = trust.zip(rules.client_tls.as_ref());
    both.is_some_and(|(trust, tls)| !tls.is_like(trust))
}

fn thresholds(pool: &config::Pool) -> Thresholds {
    Thresholds {
        rise: pool.health.rise,
        fall: pool.health.fall,
    }
}
