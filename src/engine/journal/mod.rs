//! One record of every request that ends, and of every connection in tcp mode: for the recorder,
//! which is always on, and for the access log, which costs nothing while it is off.
//!
//! While a request runs, what is to be told of it is gathered in its [`Note`]. When it ends,
//! [`finish`] makes [`Facts`] of that. Lines of the log are written into one buffer
//! of the loop, which the kernel is handed once a turn: nothing is allocated for a line, and
//! nobody waits for a disk.

pub(super) mod flight;
mod ink;
pub(super) mod ledger;
pub(super) mod line;
pub(super) mod note;
mod show;
pub(super) mod verdict;

use std::net::SocketAddr;

use super::hub::Hub;
use super::kernel::Kernel;
use super::slot::Slot;
use crate::base::Fault;
use crate::base::Side;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::LogFormat;
use crate::peers::PeerId;
use crate::session::Asked;
use crate::session::Incident;
use crate::session::Outcome;
use crate::session::Record;
use crate::session::Session;
use flight::Facts;
use flight::Kind;
use line::Entry;
use note::Depth;
use note::Note;
use verdict::Lost;
use verdict::Phase;
use verdict::Verdict;

/// Hands the lines of this turn over.
pub(super) fn hand_over(hub: &mut Hub, kernel: &mut dyn Kernel) {
    let journal = &mut hub.journal;
    if journal.lines.is_empty() {
        return;
    }
    kernel.log(&journal.lines);
    journal.lines.clear();
    let lost = kernel.unlogged();
    let (said, until) = journal.said;
    if lost > said && hub.now >= until {
        journal.said = (lost, hub.now + LOSS_QUIET);
        log::warn!(
            "{} lines of the access log are lost: they are not taken as fast as they come",
            lost - said
        );
    }
}

/// What is noted of the request that runs, or is about to begin.
pub(super) fn note<'a>(slot: &'a mut Slot, hub: &mut Hub) -> &'a mut Note {
    slot.note.get_or_insert_with(|| hub.journal.fresh_note())
}

/// The connection waits for its next request: it needs no note until then.
pub(super) fn release(slot: &mut Slot, hub: &mut Hub) {
    let blank = slot.note.take_if(|note| note.began.is_none());
    if let Some(note) = blank {
        hub.journal.spare.push(note);
    }
}

/// So many bytes came from that side.
pub(super) fn came(side: Side, count: usize, slot: &mut Slot, hub: &mut Hub) {
    let now = hub.now;
    let note = note(slot, hub);
    match side {
        Side::Client => {
            note.came += count as u64;
            note.began.get_or_insert(now);
        }
        Side::Server => {
            note.first.get_or_insert(now);
        }
    }
}

/// A server is wanted. The first time, what the request is is taken down.
pub(super) fn asked(slot: &mut Slot, hub: &mut Hub) {
    let (now, depth) = (hub.now, hub.journal.depth());
    let note = slot.note.get_or_insert_with(|| hub.journal.fresh_note());
    note.sought = now;
    if note.asked.is_some() {
        return;
    }
    note.began.get_or_insert(now);
    note.asked = Some(now);
    note.number = hub.journal.number();
    if let Some(Asked { head, bytes, id }) = slot.session.asks() {
        note.portray(head, bytes, id.unwrap_or_default(), depth);
    }
}

/// A server is tried: a connection to it begins, or a kept one is taken.
pub(super) fn tried(peer: PeerId, slot: &mut Slot, hub: &mut Hub) {
    let number = hub.peers.get(peer).map_or(0, |peer| peer.number);
    let note = note(slot, hub);
    note.tries = note.tries.saturating_add(1);
    note.backend = number;
}

/// A server could not be connected to, or has broken off if there is no `fault`.
pub(super) fn lost(peer: PeerId, fault: Option<Fault>, slot: &mut Slot, hub: &mut Hub) {
    let backend = hub.peers.get(peer).map_or(0, |peer| peer.number);
    note(slot, hub).lost = Some(Lost { backend, fault });
}

/// The request has its connection. Answers with its number.
pub(super) fn joined(reused: bool, slot: &mut Slot, hub: &mut Hub) -> u128 {
    let now = hub.now;
    let note = note(slot, hub);
    let spent = note.connect.unwrap_or(Span::ZERO);
    note.connect = Some(Span(spent.0 + now.since(note.sought).0));
    note.joined = now;
    note.first = None;
    note.reused = reused;
    note.number
}

/// tidegate has answered itself, or an answer was cut.
pub(super) fn incident(incident: Incident, slot: &mut Slot, hub: &mut Hub) {
    let depth = hub.journal.depth();
    let note = slot.note.get_or_insert_with(|| hub.journal.fresh_note());
    note.incident = Some(incident);
    if note.asked.is_some() {
        return;
    }
    if let Some(Asked { head, bytes, id }) = slot.session.refused_head() {
        note.portray(head, bytes, id.unwrap_or_default(), depth);
    } else if depth != Depth::Brief {
        note.portray_refused(slot.session.refused_line());
    }
}

/// A request has ended, or a connection in tcp mode; with `outcome` if it did so in the middle.
pub(super) fn finish(record: Record, outcome: Option<Outcome>, slot: &mut Slot, hub: &mut Hub) {
    let is_tunnel = matches!(slot.session, Session::Tunnel(_));
    let since = slot.since;
    let unread = slot.session.half(Side::Client).unjudged().len();
    let refused = slot.session.refused_bytes();
    let note = note(slot, hub);
    // What was refused in the same breath is the next request, unless it is this one.
    let refused = if note.incident.is_some() { 0 } else { refused };
    let ahead = (unread + refused) as u64;
    if is_tunnel && outcome.is_none() {
        // The tunnel that it has become is one record with it.
        note.switched = Some(record);
        return;
    }
    let (record, kind) = match (is_tunnel, note.switched) {
        (true, Some(switched)) => {
            let end = record.end;
            (Record { end, ..switched }, Kind::Request)
        }
        (true, None) => (record, Kind::Connection),
        (false, _) => (record, Kind::Request),
    };
    if note.number == 0 {
        note.number = hub.journal.number();
    }
    let facts = facts(note, &record, (kind, since, ahead), outcome, hub);
    let facts = Facts {
        client: slot.from,
        listener: u32::try_from(slot.listener).unwrap_or(u32::MAX),
        pool: slot.pool,
        patience: slot.session.patience(),
        ..facts
    };
    if let Some(note) = &slot.note {
        hub.journal.recorder.keep(facts, &note.words());
    }
    if hub.journal.format != LogFormat::Off && hub.journal.wants(&facts) {
        write(&facts, slot, hub);
    }
    if let Some(note) = &mut slot.note {
        note.turn_over(ahead, hub.now);
    }
}

/// What a note comes to when its request has ended.
fn facts(
    note: &Note,
    record: &Record,
    (kind, since, ahead): (Kind, Moment, u64),
    outcome: Option<Outcome>,
    hub: &Hub,
) -> Facts {
    let now = hub.now;
    let began = match kind {
        Kind::Request => note.began.unwrap_or(now),
        Kind::Connection => since,
    };
    let phase = match (note.asked, note.connect, note.first, kind) {
        (None, ..) => Phase::Request,
        (_, None, ..) => Phase::Connect,
        (.., None, Kind::Request) => Phase::Head,
        (.., Some(_), _) | (.., Kind::Connection) => Phase::Data,
    };
    let verdict = match (note.incident, outcome) {
        (_, Some(_)) if hub.journal.stopping => Verdict::Stopped(phase),
        (Some(Incident::Answered(_, cause)), _) if record.own && kind == Kind::Request => {
            Verdict::Answered(cause, phase)
        }
        (_, Some(Outcome::Done | Outcome::Idle) | None) => Verdict::Fine,
        (_, Some(outcome)) => Verdict::Broken(outcome, phase),
    };
    Facts {
        ended: now,
        total: now.since(began),
        head: note.asked.map(|asked| asked.since(began)),
        connect: note.connect,
        first: note
            .first
            .filter(|_| note.connect.is_some())
            .map(|first| first.since(note.joined)),
        number: note.number,
        client: SocketAddr::from(([0, 0, 0, 0], 0)),
        listener: 0,
        pool: crate::peers::PoolId(0),
        backend: note.backend,
        tries: note.tries,
        lost: note.lost,
        reused: note.reused,
        status: record.status,
        came: note.came.saturating_sub(ahead),
        went: note.went,
        heads: record.heads,
        patience: Span::ZERO,
        kind,
        end: record.end,
        verdict,
    }
}

/// Writes its line.
fn write(facts: &Facts, slot: &Slot, hub: &mut Hub) {
    let Some(note) = &slot.note else { return };
    let mut lines = std::mem::take(&mut hub.journal.lines);
    let loads = match hub.journal.format {
        LogFormat::Haproxy => loads(facts, slot, hub),
        LogFormat::Off | LogFormat::Json | LogFormat::Combined | LogFormat::Common => [0; 4],
    };
    let entry = entry(facts, note.words(), hub, hub.journal.unix);
    Entry { loads, ..entry }.write(&mut lines, hub.journal.format);
    hub.journal.lines = lines;
}

/// What a line about these facts is made of; `unix` is the time at which they ended.
pub(super) fn entry<'a>(
    facts: &'a Facts,
    words: note::Words<'a>,
    hub: &'a Hub,
    unix: u64,
) -> Entry<'a> {
    let door = hub.books.doors.get(facts.listener as usize);
    let rules = hub.rules.get(facts.pool.0);
    Entry {
        facts,
        words,
        listener: door.map_or("", |door| &door.name),
        pool: rules.map_or("", |rules| &rules.name),
        tries_max: rules.map_or(0, |rules| rules.retry.tries),
        unix,
        loads: [0; 4],
    }
}

/// Connections of the process, of the listener, of the pool and of the server.
fn loads(facts: &Facts, slot: &Slot, hub: &Hub) -> [u64; 4] {
    let door = hub.books.doors.get(slot.listener);
    let of = hub.peers.of(slot.pool).iter();
    let all = of.filter_map(|id| hub.peers.get(*id));
    let one = all.clone().find(|peer| peer.number == facts.backend);
    [
        hub.sessions as u64,
        door.map_or(0, |door| door.open),
        all.map(|peer| peer.in_flight).sum(),
        one.map_or(0, |peer| peer.in_flight),
    ]
}

/// How long it is not said again that lines are lost.
const LOSS_QUIET: Span = Span::seconds(60);
