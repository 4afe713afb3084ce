//! TCP probes: connect, and for TLS servers agree on TLS; then close. Through the same kernel,
//! arena, timers and links as traffic, so whatever befalls traffic befalls them in simulation.

use std::net::IpAddr;

use super::chronicle;
use super::chronicle::How;
use super::hub::Hub;
use super::hub::Owner;
use super::kernel::Kernel;
use super::link::Effort;
use super::link::Link;
use super::slot::Probe;
use super::slot::Stage;
use super::slot::Tenant;
use super::upstream;
use crate::base::Fault;
use crate::base::Side;
use crate::base::arena::Arena;
use crate::base::arena::Key;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::peers::PeerId;
use crate::tally::Event;

/// Starts every probe that is due.
pub(super) fn start_due(tenants: &mut Arena<Tenant>, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if !hub.probes_on() || hub.draining() || hub.probe_due > hub.now {
        return;
    }
    hub.probe_due = Moment(u64::MAX);
    for at in 0..hub.peers.order().len() {
        let id = hub.peers.order()[at];
        let Some(peer) = hub.peers.get_mut(id) else {
            continue;
        };
        if !hub.rules[peer.pool.0].probes() || !peer.is_watched() {
            continue;
        }
        let unresolved = peer.addresses.is_empty();
        if peer.probe_due <= hub.now && !peer.probing && !unresolved {
            peer.probing = true;
            connect(id, Vec::new(), Fault::Unresolved, tenants, hub, kernel);
        }
        if let Some(peer) = hub.peers.get(id).filter(|peer| !peer.probing) {
            let due = if unresolved {
                Moment(u64::MAX)
            } else {
                peer.probe_due
            };
            hub.probe_due = hub.probe_due.min(due);
        }
    }
}

/// Connects to the first address that was not tried and where that does not fail at once.
fn connect(
    id: PeerId,
    mut addresses: Vec<IpAddr>,
    mut fault: Fault,
    tenants: &mut Arena<Tenant>,
    hub: &mut Hub,
    kernel: &mut dyn Kernel,
) {
    let Some(pool) = hub.peers.get(id).map(|peer| peer.pool) else {
        return;
    };
    let timeout = hub.rules(pool).health.timeout;
    while let Some(address) = hub.peers.get(id).and_then(|peer| peer.address(&addresses)) {
        addresses.push(address.ip());
        match hub.connect(address, kernel) {
            Ok(socket) => {
                let deadline = hub.now + timeout;
                let key = tenants.insert(Tenant::Probe(Probe {
                    peer: id,
                    link: Link::plain(socket),
                    stage: Stage::Connecting,
                    addresses,
                    deadline,
                }));
                hub.own(socket, Owner::Session(key, Side::Server));
                hub.timers.arm(key, deadline);
                return;
            }
            Err(error) => fault = Fault::from_io(&error),
        }
        if fault == Fault::Exhausted {
            break;
        }
    }
    conclude(id, Err(fault), hub, kernel);
}

/// What a probe is at.
enum State {
    Waits,
    Over(Result<(), Fault>),
}

/// Runs the probe under `key`.
pub(super) fn run(key: Key, tenants: &mut Arena<Tenant>, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(Tenant::Probe(probe)) = tenants.get_mut(key) else {
        return;
    };
    let state = match step(probe, hub, kernel) {
        State::Waits if probe.deadline <= hub.now => State::Over(Err(Fault::TimedOut)),
        state @ (State::Waits | State::Over(_)) => state,
    };
    let State::Over(result) = state else {
        hub.timers.arm(key, probe.deadline);
        return;
    };
    let Some(Tenant::Probe(probe)) = tenants.remove(key) else {
        return;
    };
    hub.timers.disarm(key);
    let Probe {
        peer,
        link,
        addresses,
        deadline,
        ..
    } = probe;
    hub.close(link, kernel);
    let took = hub.peers.get(peer).map_or(Span::ZERO, |known| {
        let timeout = hub.rules(known.pool).health.timeout;
        hub.now.since(deadline - timeout)
    });
    if let (Some(known), Some(address)) = (hub.peers.get_mut(peer), addresses.last()) {
        known.counts.probed(result, took);
        match result {
            Ok(()) => known.prefer(Some(address)),
            Err(_) => known.avoid(*address),
        }
    }
    // Every address gets its time: one that swallows everything must not hide the others.
    match result {
        Ok(()) => conclude(peer, result, hub, kernel),
        Err(fault) => connect(peer, addresses, fault, tenants, hub, kernel),
    }
}

fn step(probe: &mut Probe, hub: &mut Hub, kernel: &mut dyn Kernel) -> State {
    if probe.stage == Stage::Connecting {
        if !probe.link.can_write() {
            return State::Waits;
        }
        match kernel.established(probe.link.socket()) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return State::Waits,
            Err(error) => return State::Over(Err(Fault::from_io(&error))),
        }
        let secured = hub
            .peers
            .get(probe.peer)
            .and_then(|peer| Some((peer.tls_name.as_ref()?, peer.pool)));
        let Some((name, pool)) = secured else {
            return State::Over(Ok(()));
        };
        if let Err(fault) = upstream::secure(&mut probe.link, name, pool, hub) {
            return State::Over(Err(fault));
        }
        probe.stage = Stage::Handshaking;
    }
    match probe.link.handshake(kernel) {
        Effort::Done => State::Over(Ok(())),
        Effort::Blocked => State::Waits,
        Effort::Broke(fault) => {
            if let Some(words) = probe.link.complaint() {
                chronicle::complaint(probe.peer, &words, hub);
            }
            State::Over(Err(fault))
        }
    }
}

/// The verdict of a probe, and when the next one is due.
fn conclude(id: PeerId, result: Result<(), Fault>, hub: &mut Hub, kernel: &mut dyn Kernel) {
    match result {
        Ok(()) => {
            hub.tally.count(Event::ProbePassed);
            chronicle::passed(id, How::Probe, hub, kernel);
        }
        Err(Fault::Exhausted) => {}
        Err(fault) => {
            hub.tally.count(Event::ProbeFailed);
            chronicle::failed(id, fault, How::Probe, hub, kernel);
        }
    }
    let Some(peer) = hub.peers.get_mut(id) else {
        return;
    };
    peer.probing = false;
    let interval = hub.rules[peer.pool.0].health.interval;
    peer.probe_due = hub.now + peer.health.pause(interval, &mut hub.random);
    hub.probe_due = hub.probe_due.min(peer.probe_due);
}
