//! What can come of a link's work. Apart from the link, so that both of its halves can say it.

use crate::base::Fault;

/// What came of one read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes, at least one.
    Moved(usize),
    /// Nothing now; an event will say when to try again.
    Blocked,
    /// The peer will send no more. Reads only.
    Ended,
    /// The connection is of no more use in this direction.
    Broke(Fault),
}

/// What came of something that needs several reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// It is done.
    Done,
    /// Not yet: call again after the next event.
    Blocked,
    /// It cannot be done any more.
    Broke(Fault),
}
