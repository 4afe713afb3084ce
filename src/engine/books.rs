//! Moves the counters behind the metrics, where things happen. Nothing here allocates once it has
//! seen every kind of answer.

use super::counters::CODES;
use super::hub::Hub;
use super::journal;
use super::slot::Slot;
use crate::base::Side;
use crate::session::Outcome;
use crate::session::Record;
use crate::tally::End;

/// Bytes were read from that side.
pub(super) fn came(side: Side, count: usize, slot: &mut Slot, hub: &mut Hub) {
    if count > 0 {
        journal::came(side, count, slot, hub);
    }
    let count = count as u64;
    match side {
        Side::Client => hub.books.client[0] += count,
        Side::Server => {
            hub.books.server[0] += count;
            if let Some(peer) = slot.attempt.peer.and_then(|id| hub.peers.get_mut(id)) {
                peer.counts.bytes_out += count;
            }
        }
    }
}

/// Bytes were written to that side.
pub(super) fn went(side: Side, count: usize, slot: &mut Slot, hub: &mut Hub) {
    let count = count as u64;
    match side {
        Side::Client => {
            hub.books.client[1] += count;
            if let Some(note) = &mut slot.note {
                note.went += count;
            }
        }
        Side::Server => {
            hub.books.server[1] += count;
            if let Some(peer) = slot.attempt.peer.and_then(|id| hub.peers.get_mut(id)) {
                peer.counts.bytes_in += count;
            }
        }
    }
}

/// A request was brought to its end.
pub(super) fn finished(record: Record, slot: &mut Slot, hub: &mut Hub) {
    count(record, slot, hub);
    journal::finish(record, None, slot, hub);
}

fn count(record: Record, slot: &mut Slot, hub: &mut Hub) {
    let began = slot.began.take();
    let took = hub.now.since(began.unwrap_or(hub.now));
    if let Some(ends) = hub.books.ends.get_mut(slot.pool.0) {
        ends[record.end as usize] += 1;
    }
    if let Some(door) = hub.books.doors.get_mut(slot.listener) {
        let row = door.row(slot.pool.0);
        let codes = row.codes[record.method as usize].get_or_insert_with(|| Box::new([0; CODES]));
        codes[usize::from(record.status).min(CODES - 1)] += 1;
        row.latency.observe(took);
    }
    let server = slot.attempt.peer.filter(|_| began.is_some() && !record.own);
    if let Some(peer) = server.and_then(|id| hub.peers.get_mut(id)) {
        peer.counts.answered(record.status, took);
    }
}

/// A session is over: a request that it leaves behind counts, and so does a tunnel.
pub(super) fn dismissed(slot: &mut Slot, outcome: Outcome, hub: &mut Hub) {
    if let Some(record) = slot.session.record() {
        finished(record, slot, hub);
    }
    let Some(record) = slot.session.abandoned(outcome) else {
        return;
    };
    let record = match hub.journal.stopping {
        true => Record {
            end: End::Killed,
            ..record
        },
        false => record,
    };
    let status = match record.status {
        0 if record.end == End::ClientAbort => CLIENT_GONE,
        status => status,
    };
    match slot.session {
        crate::session::Session::Exchange(_) => {
            let record = Record { status, ..record };
            count(record, slot, hub);
            journal::finish(record, Some(outcome), slot, hub);
        }
        crate::session::Session::Tunnel(_) => {
            if let Some(ends) = hub.books.ends.get_mut(slot.pool.0) {
                ends[record.end as usize] += 1;
            }
            journal::finish(record, Some(outcome), slot, hub);
        }
    }
}

/// The loop has woken, to so many events.
pub(super) const fn woke(hub: &mut Hub, events: usize) {
    hub.books.events += events as u64;
    hub.pace.begin(events);
}

/// nginx's word for a client that went away before its answer.
const CLIENT_GONE: u16 = 499;
