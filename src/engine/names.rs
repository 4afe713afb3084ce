//! From backends as they were written to peers with addresses: names are looked up off the loop,
//! again and again, and the last good answer is kept when a lookup fails.

use std::net::IpAddr;

use super::chronicle::How;
use super::hub::Hub;
use super::hub::Rules;
use super::kernel::Kernel;
use crate::base::Fault;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Backend;
use crate::config::Host;
use crate::config::Pool;
use crate::config::Scheme;
use crate::peers::Counts;
use crate::peers::Peer;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::Standing;
use crate::peers::health::Health;
use crate::peers::health::Thresholds;

/// How soon a name that has no address yet is looked up again.
const FIRST_RETRY: Span = Span::seconds(2);

/// How long the first clients wait for names that are slower than others.
const START_PATIENCE: Span = Span::seconds(1);

/// Makes peers of the configured backends.
pub(super) fn add_all(pools: &[Pool], hub: &mut Hub, kernel: &mut dyn Kernel) {
    for pool in pools {
        let id = hub.peers.add_pool(Thresholds {
            rise: pool.health.rise,
            fall: pool.health.fall,
        });
        for backend in &pool.backends {
            let peer = peer(backend, hub.rules(id), id, hub.now);
            hub.names.started |= peer.lookup.is_none();
            hub.peers.add(peer);
        }
    }
    look_up(hub, kernel);
    hub.names.settled = hub.names.open == 0;
    hub.names.patience = hub.now + START_PATIENCE;
}

/// A server that has yet to be added to the pool with these rules.
pub(super) fn peer(backend: &Backend, rules: &Rules, id: PoolId, now: Moment) -> Peer {
    let (lookup, addresses) = match &backend.host {
        Host::Name(name) => (Some(name.clone()), Vec::new()),
        Host::Address(address) => (None, vec![*address]),
    };
    let secure = backend.scheme == Scheme::Https;
    let sni = || rules.sni.clone();
    let (authority, own_host) = rules.host.told(backend);
    Peer {
        pool: id,
        number: 0,
        weight: backend.weight,
        max_conns: backend.max_conns,
        standing: Standing::Enabled,
        since: now,
        name: backend.to_string(),
        lookup,
        port: backend.port,
        authority,
        own_host,
        tls_name: secure.then(|| sni().unwrap_or_else(|| backend.host.to_string())),
        addresses,
        preferred: 0,
        health: Health::default(),
        requests: 0,
        in_flight: 0,
        dialling: 0,
        failures: 0,
        counts: Counts::default(),
        probe_due: now,
        probing: false,
    }
}

/// A server was added: its name is looked up, if it has one.
pub(super) fn added(id: PeerId, hub: &mut Hub, kernel: &mut dyn Kernel) {
    match hub.peers.get(id).map(|peer| peer.lookup.as_deref()) {
        Some(Some(name)) => {
            kernel.resolve(id.0.pack(), name);
            hub.names.open += 1;
        }
        Some(None) => hub.names.started = true,
        None => {}
    }
}

/// Asks for the addresses of every name.
fn look_up(hub: &mut Hub, kernel: &mut dyn Kernel) {
    hub.names.due = None;
    for at in 0..hub.peers.order().len() {
        let id = hub.peers.order()[at];
        if let Some(name) = hub.peers.get(id).and_then(|peer| peer.lookup.as_deref()) {
            kernel.resolve(id.0.pack(), name);
            hub.names.open += 1;
        }
    }
}

/// Looks up what is due.
pub(super) fn turn(hub: &mut Hub, kernel: &mut dyn Kernel) {
    if !hub.draining() && hub.names.due.is_some_and(|due| due <= hub.now) {
        look_up(hub, kernel);
    }
}

/// A lookup was answered. True if no name has an address and there is nothing to balance.
pub(super) fn resolved(
    ticket: u64,
    addresses: Vec<IpAddr>,
    hub: &mut Hub,
    kernel: &mut dyn Kernel,
) -> bool {
    hub.names.open = hub.names.open.saturating_sub(1);
    let id = PeerId(Key::unpack(ticket));
    if let Some(peer) = hub.peers.get_mut(id) {
        if addresses.is_empty() {
            // Every loop looks up for itself; one of them says what came of it.
            if hub.leads {
                complain(peer);
            }
        } else {
            adopt(peer, addresses, hub.now);
            hub.probe_due = hub.now;
            hub.names.started = true;
        }
        let unresolved = hub
            .peers
            .get(id)
            .is_some_and(|peer| peer.addresses.is_empty());
        if unresolved {
            super::chronicle::failed(id, Fault::Unresolved, How::Lookup, hub, kernel);
        }
    }
    conclude(hub)
}

/// A lookup has failed.
fn complain(peer: &Peer) {
    let name = peer.lookup.as_deref().unwrap_or_default();
    if peer.addresses.is_empty() {
        log::error!(
            "backend {}: the name {name} does not resolve; check its spelling and DNS",
            peer.name
        );
    } else {
        log::warn!(
            "backend {}: looking up {name} failed; going on with what was known",
            peer.name
        );
    }
}

/// Takes new addresses over; the one that answered last stays the preferred one.
fn adopt(peer: &mut Peer, addresses: Vec<IpAddr>, now: Moment) {
    let preferred = peer.addresses.get(peer.preferred).copied();
    if peer.addresses.is_empty() {
        peer.probe_due = now;
    }
    peer.preferred = addresses
        .iter()
        .position(|address| Some(*address) == preferred)
        .unwrap_or(0);
    peer.addresses = addresses;
}

/// Once every name is answered for: when to ask again, or that there is nothing to balance.
fn conclude(hub: &mut Hub) -> bool {
    if hub.names.open > 0 {
        return false;
    }
    let known = |id: &PeerId| {
        hub.peers
            .get(*id)
            .is_some_and(|peer| !peer.addresses.is_empty())
    };
    let all = hub.peers.order().iter().all(known);
    let any = hub.peers.order().iter().any(known);
    // Without a backend there is nothing that could not be found.
    if !any && !hub.names.started && !hub.peers.order().is_empty() {
        // Of several loops one decides; the others ask again, and let nobody in until then.
        hub.names.due = Some(hub.now + FIRST_RETRY.min(hub.names.interval));
        return hub.leads;
    }
    hub.names.started = true;
    hub.names.settled = true;
    let pause = if all {
        hub.names.interval
    } else {
        FIRST_RETRY.min(hub.names.interval)
    };
    hub.names.due = Some(hub.now + pause);
    false
}
