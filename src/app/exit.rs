//! How the program ends: a code, and the one line that explains it.

use std::fmt;

/// Why the program ends, by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// A clean stop.
    Clean = 0,
    /// A failure at run time: an address that cannot be listened on, a name nobody knows.
    Failure = 1,
    /// The command line cannot be followed.
    Usage = 2,
    /// Clients were cut off when the program had to stop.
    Cut = 3,
}

/// An exit code and the line that explains it.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) exit: Exit,
    pub(super) line: String,
}

impl Trouble {
    /// The command line cannot be followed.
    pub(super) fn usage(line: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Usage,
            line: line.to_string(),
        }
    }

    /// It could be followed, but the world is not so.
    pub(super) fn failure(line: impl fmt::Display) -> Self {
        Self {
            exit: Exit::Failure,
            line: line.to_string(),
        }
    }
}
