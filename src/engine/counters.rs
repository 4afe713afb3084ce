//! The counters behind the metrics: plain integers of the loop. `books` moves them, a scrape walks
//! them.

use crate::base::time::Moment;
use crate::base::time::Span;
use crate::config::Config;
use crate::config::Listener;
use crate::http::head::Method;
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
    /// TLS handshakes with servers, for requests: those that came about, and the others.
    pub(super) handshakes: [u64; 2],
    /// Events that the kernel has reported.
    pub(super) events: u64,
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
    /// It has been gone for so long that nobody is told of it.
    pub(super) forgotten: bool,
    /// By position of the pool, as far as that has answered anything here: what was answered.
    pub(super) rows: Vec<Option<Box<Row>>>,
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
        Self {
            doors: config.listeners.iter().map(Door::new).collect(),
            ends: vec![[0; End::ALL.len()]; config.pools.len()],
            ..Self::default()
        }
    }

    /// A listener is new, behind the others.
    pub(super) fn add_door(&mut self, listener: &Listener) {
        self.doors.push(Door::new(listener));
    }

    /// A pool is new, behind the others.
    pub(super) fn add_pool(&mut self) {
        self.ends.push([0; End::ALL.len()]);
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

impl Door {
    fn new(listener: &Listener) -> Self {
        Self {
            name: listener.name.clone(),
            open: 0,
            accepted: 0,
            forgotten: false,
            rows: Vec::new(),
        }
    }

    /// Where answers of the pool at that position are counted.
    pub(super) fn row(&mut self, pool: usize) -> &mut Row {
        if pool >= self.rows.len() {
            self.rows.resize_with(pool + 1, || None);
        }
        self.rows[pool].get_or_insert_default()
    }
}
