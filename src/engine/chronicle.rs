//! What a person reads of the engine's life: one line per change of state, with its reason and
//! how many servers are left; one line per kind of trouble and second, with how often it came.

use std::net::SocketAddr;

use super::hub::Hub;
use super::journal;
use super::kernel::Kernel;
use super::kernel::Word;
use super::recent::Trouble;
use super::recent::What;
use super::slot::Slot;
use crate::base::Caller;
use crate::base::Fault;
use crate::base::time::Span;
use crate::peers::PeerId;
use crate::peers::PoolId;
use crate::peers::health::Flip;
use crate::session::Cause;
use crate::session::Incident;
use crate::session::Outcome;
use crate::session::Undialled;
use crate::tally::Event;

/// ` (and 12 more)`, or nothing.
fn more(swallowed: u64) -> String {
    if swallowed == 0 {
        String::new()
    } else {
        format!(" (and {swallowed} more like it)")
    }
}

/// Who found out how a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// A probe.
    Probe,
    /// A request that needed a connection.
    Request,
    /// A lookup of its name, which every loop does for itself.
    Lookup,
    /// Another loop says so. Only the first one probes, so that it was a request there.
    Told,
}

impl How {
    const fn word(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Request | Self::Told => "request",
            Self::Lookup => "lookup",
        }
    }

    /// Whether the other loops cannot know it, and have to be told.
    const fn is_ours(self) -> bool {
        matches!(self, Self::Probe | Self::Request)
    }
}

/// A server could not be connected to.
pub(super) fn failed(id: PeerId, fault: Fault, how: How, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(pool) = hub.peers.get(id).map(|peer| peer.pool) else {
        return;
    };
    if !hub.rules(pool).probes() {
        // Nobody would ever find out that the server is well again.
        return;
    }
    if how.is_ours() {
        let fault = Some(fault);
        kernel.tell(Word::Tried { peer: id, fault });
    }
    let flip = hub.peers.failed(id, fault, hub.now);
    hub.hasten_probe(id);
    if let Some(Flip::Down(fault)) = flip {
        // Whichever loop found out: what the others count comes to the same, and one says it.
        if hub.leads {
            went_down(id, pool, fault, how, hub);
        }
        hub.close_kept(id, kernel);
        hub.changed(id);
    }
}

fn went_down(id: PeerId, pool: PoolId, fault: Fault, how: How, hub: &mut Hub) {
    let (up, all) = (hub.peers.up(pool), hub.peers.len(pool));
    if let Some(peer) = hub.peers.get(id) {
        let line = format!(
            "backend {} is down: {} {fault} ({}); {up} of {all} up",
            peer.name,
            fault.code(),
            how.word()
        );
        log::warn!("{line}");
        hub.write_down(line);
    }
    if up == 0 {
        let which = match hub.rules.iter().filter(|rules| !rules.gone).count() {
            1 => String::new(),
            _ => format!(" of pool {}", hub.rules(pool).name),
        };
        let line = format!("no backend{which} is up: requests get 503 until one answers a probe");
        log::error!("{line}");
        hub.write_down(line);
    }
}

impl Hub {
    /// Keeps it for whoever looks into the running program: the first loop does, which everybody
    /// asks.
    pub(super) fn write_down(&mut self, line: String) {
        self.journal.events.keep(self.now, line);
    }
}

/// Has it kept: it is about this loop alone.
pub(super) fn note(line: String, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if hub.leads {
        hub.write_down(line);
    } else {
        kernel.tell_first(Word::Noted(line));
    }
}

/// A server was connected to.
pub(super) fn passed(id: PeerId, how: How, hub: &mut Hub, kernel: &mut dyn Kernel) {
    let Some(before) = hub.peers.get(id).map(|peer| peer.health) else {
        return;
    };
    let down_since = before.since;
    // Of a server that everybody takes for well a request need not speak.
    let news = how == How::Probe || !before.up || before.streak > 0 || before.since.is_none();
    if how.is_ours() && news {
        let fault = None;
        kernel.tell(Word::Tried { peer: id, fault });
    }
    let flip = hub.peers.passed(id, hub.now);
    if flip == Some(Flip::Up) {
        hub.changed(id);
    }
    if flip == Some(Flip::Up) && hub.leads {
        let pool = hub.peers.get(id).map(|peer| peer.pool).unwrap_or_default();
        let (up, all) = (hub.peers.up(pool), hub.peers.len(pool));
        let span = Span(hub.now.since(down_since.unwrap_or(hub.now)).0 / 1_000_000 * 1_000_000);
        if let Some(peer) = hub.peers.get(id) {
            let line = format!(
                "backend {} is up after {span} ({}); {up} of {all} up",
                peer.name,
                how.word()
            );
            log::info!("{line}");
            hub.write_down(line);
        }
    }
}

/// What TLS says about a handshake that failed. Of a server that is known to be down it is no
/// news.
pub(super) fn complaint(id: PeerId, words: &str, hub: &mut Hub) {
    if hub.peers.get(id).is_none_or(|peer| !peer.health.up) {
        return;
    }
    if let (Some(swallowed), Some(peer)) = (hub.gate.admit(4, hub.now), hub.peers.get(id)) {
        log::warn!("backend {}: TLS: {words}{}", peer.name, more(swallowed));
    }
}

/// What TLS says about a client that is gone.
pub(super) fn refused(slot: &Slot, hub: &mut Hub) {
    let Some(words) = slot.client.complaint() else {
        return;
    };
    if let Some(swallowed) = hub.gate.admit(6, hub.now) {
        let from = Caller(slot.from);
        log::info!("client {from}: TLS: {words}{}", more(swallowed));
    }
}

/// Counts, keeps and says it if tidegate answered itself or an answer was cut.
pub(super) fn incident(slot: &mut Slot, hub: &mut Hub) {
    let Some(incident) = slot.session.incident() else {
        return;
    };
    hub.tally.count(match incident {
        Incident::Answered(..) => Event::AnsweredItself,
        Incident::Cut(_) => Event::AnswerCut,
    });
    hub.recent.note(Trouble {
        at: hub.now,
        client: slot.from,
        what: What::Incident(incident),
    });
    journal::incident(incident, slot, hub);
    say(incident, slot.attempt.peer, hub);
}

/// Says it, unless the like was said a moment ago.
fn say(incident: Incident, peer: Option<PeerId>, hub: &mut Hub) {
    let kind = match incident {
        Incident::Answered(400..=499, _) => 0,
        Incident::Answered(503, _) => 1,
        Incident::Answered(..) => 2,
        Incident::Cut(_) => 3,
    };
    let Some(swallowed) = hub.gate.admit(kind, hub.now) else {
        return;
    };
    let more = more(swallowed);
    let backend = peer
        .and_then(|id| hub.peers.get(id))
        .map_or("none", |peer| &peer.name);
    match incident {
        Incident::Answered(0, Cause::Undialled(why)) => {
            log::warn!(
                "connection closed: {}, backend {backend}{more}",
                undialled(why)
            );
        }
        Incident::Answered(status @ 400..=499, cause) => {
            log::info!("{status} to a client: {}{more}", words(cause));
        }
        Incident::Answered(status, cause) => {
            log::warn!(
                "{status} to a client: {}, backend {backend}{more}",
                words(cause)
            );
        }
        Incident::Cut(fault) => {
            log::warn!("answer cut in the middle: {fault}, backend {backend}{more}");
        }
    }
}

/// Accepting clients fails.
pub(super) fn accept_trouble(fault: Fault, hub: &mut Hub, kernel: &mut dyn Kernel) {
    if let Some(swallowed) = hub.gate.admit(5, hub.now) {
        let more = more(swallowed);
        let line = format!("cannot accept clients: {fault}; going on as soon as that ends{more}");
        log::warn!("{line}");
        note(line, hub, kernel);
    }
}

/// A client is gone. Only what it may complain about is worth a line.
pub(super) fn dismissed(from: SocketAddr, outcome: Outcome, hub: &mut Hub) {
    let name = Caller(from);
    log::trace!("client {name}: {outcome:?}");
    if !matches!(outcome, Outcome::Done | Outcome::Idle) {
        hub.recent.note(Trouble {
            at: hub.now,
            client: from,
            what: What::Ended(outcome),
        });
    }
    let why = match outcome {
        Outcome::ClientSlow => "it took no byte of its answer for too long",
        Outcome::TunnelIdle => "both ways were silent for too long",
        Outcome::Refused(reason) => reason.why(),
        Outcome::Done
        | Outcome::Idle
        | Outcome::ClientGone
        | Outcome::Cut(_)
        | Outcome::NoServer(_) => return,
    };
    if let Some(swallowed) = hub.gate.admit(0, hub.now) {
        log::info!("client {name} was cut off: {why}{}", more(swallowed));
    }
}

/// `1 connection`, `2 connections`.
pub(super) fn connections(count: usize) -> String {
    let noun = if count == 1 {
        "connection"
    } else {
        "connections"
    };
    format!("{count} {noun}")
}

fn words(cause: Cause) -> String {
    match cause {
        Cause::Refused(reason) => format!("{} ({})", reason.why(), reason.code()),
        Cause::RequestSlow => "the request came too slowly".to_owned(),
        Cause::Undialled(why) => undialled(why),
        Cause::ServerBroke(fault) => format!("no answer, {fault}"),
        Cause::ResponseBroken(reason) => {
            format!("malformed answer: {} ({})", reason.why(), reason.code())
        }
        Cause::ResponseSlow => "no answer within timeout.response".to_owned(),
    }
}

fn undialled(why: Undialled) -> String {
    match why {
        Undialled::NobodyUp => "no backend is up".to_owned(),
        Undialled::Full => "every backend has max_conns requests".to_owned(),
        Undialled::Exhausted => format!("{}", Fault::Exhausted),
        Undialled::Failed(fault) => format!("{} {fault}", fault.code()),
    }
}
