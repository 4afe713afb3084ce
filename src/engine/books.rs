//! The counters behind the metrics: plain integers of the loop, moved where things happen. A
//! scrape walks them; nothing here allocates once it has seen every kind of answer.

use super::hub::Hub;
use super::slot::Slot;
use crate::base::Side;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Config;
use crate::http::head::Method;
use crate::session::Outcome;
use crate::session::Record;
use crate::tally::End;
use crate::tally::Histogram;

/// All counters that belong to no single server.
#[derive(Debug, Default)]
pub(super) struct Books {
    pub(super) doors: Vec<Door>,
    /// By position of the pool: how requests and tunnels ended.
    pub(super) ends: Vec<[u64; End::ALL.len()]>,
    /// Client connections: bytes read, bytes written.
    pub(super) client: [u64; 2],
    /// Server connections: the same.
    pub(super) server: [u64; 2],
    /// Events that the kernel has reported.
    pub(super) events: u64,
    /// How late the loop came to what was due.
    pub(super) lag: Histogram,
    /// For how long accepting had to rest.
    pub(super) paused: Span,
    /// Since when it rests.
    pub(super) paused_since: Option<Moment>,
}

/// A listener's counters.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) name: String,
    pub(super) open: u64,
    pub(super) accepted: u64,
    /// By position of the pool: what was answered.
    pub(super) rows: Vec<Row>,
}

/// What came in by one listener for one pool.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// By method: how many by status, from 0 to 599.
    pub(super) codes: [Option<Box<[u64; CODES]>>; METHODS],
    pub(super) latency: Histogram,
}

/// Statuses that are told apart; 0 is for no answer at all.
pub(super) const CODES: usize = 600;

/// Methods that are told apart.
pub(super) const METHODS: usize = Method::Other as usize + 1;

impl Books {
    pub(super) fn new(config: &Config) -> Self {
        let pools = config.pools.len();
        let door = |listener: &crate::config::Listener| Door {
            name: listener.name.clone(),
            open: 0,
            accepted: 0,
            rows: std::iter::repeat_with(Row::default).take(pools).collect(),
        };
        Self {
            doors: config.listeners.iter().map(door).collect(),
            ends: vec![[0; End::ALL.len()]; pools],
            ..Self::default()
        }
    }

    /// A client came in at that listener.
    pub(super) fn entered(&mut self, listener: usize) {
        if let Some(door) = self.doors.get_mut(listener) {
            door.open += 1;
            door.accepted += 1;
        }
    }

    /// A client of that listener is gone.
    pub(super) fn left(&mut self, listener: usize) {
        if let Some(door) = self.doors.get_mut(listener) {
            door.open = door.open.saturating_sub(1);
        }
    }
}

/// Bytes were read from that side.
pub(super) fn came(side: Side, count: usize, slot: &Slot, hub: &mut Hub) {
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
pub(super) fn went(side: Side, count: usize, slot: &Slot, hub: &mut Hub) {
    let count = count as u64;
    match side {
        Side::Client => hub.books.client[1] += count,
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
    let began = slot.began.take();
    let took = hub.now.since(began.unwrap_or(hub.now));
    if let Some(ends) = hub.books.ends.get_mut(slot.pool.0) {
        ends[record.end as usize] += 1;
    }
    let row = hub.books.doors.get_mut(slot.listener);
    if let Some(row) = row.and_then(|door| door.rows.get_mut(slot.pool.0)) {
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
    match slot.session {
        crate::session::Session::Exchange(_) => {
            let status = match record.status {
                0 if record.end == End::ClientAbort => CLIENT_GONE,
                status => status,
            };
            finished(Record { status, ..record }, slot, hub);
        }
        crate::session::Session::Tunnel(_) => {
            if let Some(ends) = hub.books.ends.get_mut(slot.pool.0) {
                ends[record.end as usize] += 1;
            }
        }
    }
}

/// The loop was to wake at `due` and did so now.
pub(super) fn woke(due: Option<Moment>, hub: &mut Hub, events: usize) {
    hub.books.events += events as u64;
    if let Some(due) = due.filter(|due| due.0 > 0 && *due <= hub.now) {
        let late = hub.now.since(due);
        hub.books.lag.observe(late);
    }
}

/// nginx's word for a client that went away before its answer.
const CLIENT_GONE: u16 = 499;
