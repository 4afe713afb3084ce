//! Events worth counting, as plain numbers in the loop's own memory.
//!
//! Metrics in production, coverage marks in simulation: a sweep over many seeds must move every
//! one of them, or it has not seen what it claims to have seen.

mod end;
mod histogram;

pub use end::End;
pub use histogram::BOUNDS;
pub use histogram::Histogram;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Event {
    /// A client was accepted.
    Accepted,
    /// Accepting had to stop for want of descriptors or memory.
    AcceptPaused,
    /// Accepting had to stop because as many clients as allowed are connected.
    AcceptFull,
    /// The kernel spoke of a socket that is closed already.
    StaleEvent,
    /// A session wanted to read and no window was left.
    WindowMissing,
    /// A session had used its share of a turn and went to the end of the queue.
    BudgetSpent,
    /// A request was given to a server, over a new connection.
    Dialled,
    /// A request was given to a server, over a kept connection.
    Reused,
    /// A connection to a server did not come about.
    DialFailed,
    /// A request was sent a second time, after its connection had died.
    Retried,
    /// A server connection was kept for the next request.
    Parked,
    /// A kept connection was closed because a byte or an end came on it.
    ParkedBroken,
    /// A kept connection was closed for its age.
    ParkedAged,
    /// A probe succeeded.
    ProbePassed,
    /// A probe failed.
    ProbeFailed,
    /// tidegate answered itself.
    AnsweredItself,
    /// An answer was cut in the middle.
    AnswerCut,
    /// A byte went from socket to socket through a pipe.
    Spliced,
    /// A long transfer got no pipe, and was copied.
    PipeMissing,
}

/// How many kinds of events there are.
const KINDS: usize = Event::PipeMissing as usize + 1;

/// A counter per event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; KINDS]);

impl Tally {
    /// One more.
    pub const fn count(&mut self, event: Event) {
        self.0[event as usize] += 1;
    }

    /// So many more.
    pub const fn add(&mut self, event: Event, count: u64) {
        self.0[event as usize] += count;
    }

    /// How many so far.
    #[must_use]
    pub const fn of(&self, event: Event) -> u64 {
        self.0[event as usize]
    }
}
