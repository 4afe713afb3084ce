//! What the loops of one program tell each other of what they have counted, and what the first one
//! keeps of it: nouns and sums. `inquiry` asks and answers.

use crate::admin::Filter;
use crate::admin::Whom;
use crate::admin::report::Backend;
use crate::admin::report::Connection;
use crate::admin::report::Pool;
use crate::admin::report::Report;
use crate::base::time::Moment;
use crate::base::time::Span;

/// What the first loop asks all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Questions are numbered from 1 on.
    pub ticket: u64,
    /// What the answer is to hold.
    pub wish: Wish,
}

/// What somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Everything that is counted.
    Report,
    /// Client connections.
    Connections(Filter),
    /// Requests that are remembered.
    Requests(Filter),
}

/// What a loop answers; what it says at its end answers every question there will ever be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Which loop, from 1 on: the first one is 0.
    pub worker: usize,
    /// The number of the question; [`Figures::LAST`] at the loop's end.
    pub ticket: u64,
    /// Everything that it has counted, if that was asked for.
    pub report: Option<Report>,
    /// What it has of what was to be listed, if something was.
    pub found: Found,
}

/// Parts of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Client connections.
    pub connections: Vec<Connection>,
    /// Requests as JSON, each with its end in nanoseconds since 1970, the newest first.
    pub requests: Vec<(u64, Vec<u8>)>,
}

impl Found {
    /// With what another loop has.
    pub(super) fn add(&mut self, other: Self) {
        self.connections.extend(other.connections);
        self.requests.extend(other.requests);
    }

    /// The last requests of all loops as a JSON list; `own` are those of the first one.
    pub(super) fn requests(&self, own: Vec<(u64, Vec<u8>)>, most: usize) -> Vec<u8> {
        let mut all: Vec<&(u64, Vec<u8>)> = own.iter().chain(&self.requests).collect();
        all.sort_by_key(|(ended, _)| std::cmp::Reverse(*ended));
        let texts = all.into_iter().take(most).map(|(_, text)| text.as_slice());
        let texts: Vec<&[u8]> = texts.collect();
        let mut list = vec![b'['];
        list.extend(texts.join(&b",\n"[..]));
        list.extend_from_slice(b"]\n");
        list
    }
}

impl Figures {
    /// The ticket of those that a loop sends at its end.
    pub const LAST: u64 = u64::MAX;
}

/// What the first loop knows of all others.
#[derive(Debug, Default)]
pub(super) struct Others {
    all: Vec<Other>,
    /// The number of the last question.
    asked: u64,
    /// When they are asked again for those who wait for a server; `None` if nobody does.
    pub(super) poll: Option<Moment>,
    /// What the next report to those who listen waits for: that question, and until then at most.
    pub(super) tick: Option<(u64, Moment)>,
}

/// What is known of one loop.
#[derive(Debug, Default)]
struct Other {
    /// The last question that it has answered.
    answered: u64,
    /// The last one that it has answered with a report: this one.
    reported: u64,
    report: Option<Report>,
    /// What it had counted on servers that it has let go, while others have them still.
    left: Vec<(String, Backend)>,
}

impl Others {
    /// Of a program with so many loops.
    pub(super) fn new(loops: usize) -> Self {
        let all = std::iter::repeat_with(Other::default).take(loops.saturating_sub(1));
        Self {
            all: all.collect(),
            ..Self::default()
        }
    }

    /// The number of the next question.
    pub(super) fn next(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Whether the last question was answered by everybody.
    pub(super) fn owe_nothing(&self) -> bool {
        self.have_answered(self.asked)
    }

    /// Whether there is anybody to ask.
    pub(super) fn are_there(&self) -> bool {
        self.all.iter().any(|other| other.answered < Figures::LAST)
    }

    /// Whether everybody has answered that question.
    pub(super) fn have_answered(&self, ticket: u64) -> bool {
        self.all.iter().all(|other| other.answered >= ticket)
    }

    /// When somebody has to be asked, or told, without news.
    pub(super) fn due(&self) -> Option<Moment> {
        let poll = self.poll.filter(|_| self.owe_nothing());
        let tick = self.tick.map(|(_, until)| until);
        poll.into_iter().chain(tick).min()
    }

    /// Whether the next report to those who listen is to go out now.
    pub(super) fn take_tick(&mut self, now: Moment) -> bool {
        let ready = self
            .tick
            .is_some_and(|(ticket, until)| self.have_answered(ticket) || until <= now);
        if ready {
            self.tick = None;
        }
        ready
    }

    /// A loop has answered.
    pub(super) fn heard(&mut self, figures: Figures) {
        let Some(other) = self.of(figures.worker) else {
            return;
        };
        other.answered = other.answered.max(figures.ticket);
        if let Some(report) = figures.report {
            other.reported = figures.ticket;
            other.report = Some(report);
        }
    }

    /// A loop has let a server go. What was heard of it before is not counted twice.
    pub(super) fn left(&mut self, worker: usize, pool: String, backend: Backend) {
        let Some(other) = self.of(worker) else {
            return;
        };
        let pools = other.report.iter_mut().flat_map(|report| &mut report.pools);
        for one in pools.filter(|one| one.name == pool) {
            one.backends.retain(|known| known.id != backend.id);
        }
        let backend = Backend {
            in_flight: 0,
            idle: 0,
            ..backend
        };
        other.left.push((pool, backend));
    }

    /// Forgets what was left of servers that nobody has any more.
    pub(super) fn forget(&mut self, is_known: &dyn Fn(&Whom) -> bool) {
        for other in &mut self.all {
            other.left.retain(|(pool, backend)| {
                is_known(&Whom {
                    pool: pool.clone(),
                    backend: backend.id.clone(),
                })
            });
        }
    }

    /// Whether nothing is kept of servers that loops have let go.
    #[cfg(test)]
    pub(super) fn have_forgotten(&self) -> bool {
        self.all.iter().all(|other| other.left.is_empty())
    }

    fn of(&mut self, worker: usize) -> Option<&mut Other> {
        self.all.get_mut(worker.checked_sub(1)?)
    }

    /// Makes a report of the first loop one of all.
    pub(super) fn add_to(&self, report: &mut Report) {
        for other in &self.all {
            if let Some(theirs) = &other.report {
                report.add(theirs);
            }
            for (name, backend) in &other.left {
                let mut pools = report.pools.iter_mut();
                let pool = pools.find(|pool| pool.name == *name);
                let all = pool.into_iter().flat_map(|pool| &mut pool.backends);
                add_left(all, backend);
            }
        }
    }

    /// Makes a report of the first loop on a pool one of all.
    pub(super) fn add_to_pool(&self, pool: &mut Pool) {
        for other in &self.all {
            let mut theirs = other.report.iter().flat_map(|report| &report.pools);
            if let Some(theirs) = theirs.find(|theirs| theirs.name == pool.name) {
                pool.add(theirs);
            }
            for (_, backend) in other.left.iter().filter(|(name, _)| *name == pool.name) {
                add_left(pool.backends.iter_mut(), backend);
            }
        }
    }

    /// Makes a report of the first loop on a server one of all.
    pub(super) fn add_to_backend(&self, pool: &str, one: &mut Backend) {
        for other in &self.all {
            let report = other.report.as_ref();
            if let Some(theirs) = report.and_then(|report| report.backend(pool, &one.id)) {
                one.add(theirs);
            }
            for (_, backend) in other.left.iter().filter(|(name, _)| name == pool) {
                add_left(std::iter::once(&mut *one), backend);
            }
        }
    }

    /// Whether what is waited for is true of all others, by figures from that question on: nothing
    /// is under way on the server, or, for `gone`, they do not have it any more.
    pub(super) fn are_done(&self, whom: &Whom, ticket: u64, gone: bool) -> bool {
        let Whom { pool, backend } = whom;
        self.all.iter().all(|other| {
            let report = other.report.as_ref();
            let theirs = report.and_then(|report| report.backend(pool, backend));
            other.reported >= ticket && theirs.is_none_or(|theirs| !gone && theirs.in_flight == 0)
        })
    }
}

/// Adds what a loop had counted on a server that it has let go.
fn add_left<'a>(mut all: impl Iterator<Item = &'a mut Backend>, left: &Backend) {
    if let Some(one) = all.find(|one| one.id == left.id) {
        one.add(left);
    }
}

/// How long an answer waits for loops that say nothing.
pub(super) const PATIENCE: Span = Span::seconds(1);
