//! How the program ends: a code, and the one line that explains it.

use std::fmt;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It did what it was asked to.
    Clean = 0,
    /// It could not, for a reason outside of its arguments.
    Failed = 1,
    /// The arguments, or a file they name, are wrong.
    Usage = 2,
    /// It was asked to end, and connections were cut when the time to end was over.
    Cut = 3,
}

impl Exit {
    /// The one that somebody has to look at, if one of them is.
    pub(super) fn worse(self, other: Self) -> Self {
        if other as u8 > self as u8 {
            other
        } else {
            self
        }
    }
}

/// Why the program could not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What is said, the name of the program included.
    pub(super) line: String,
}

impl Failure {
    /// The arguments are wrong.
    pub(super) fn usage(what: &impl fmt::Display) -> Self {
        Self::new(Exit::Usage, &format!("tidegate: {what}"))
    }

    /// A file is wrong: its place first, so that editors find it, and the line in question below.
    pub(super) const fn file(shown: String) -> Self {
        Self {
            exit: Exit::Usage,
            line: shown,
        }
    }

    /// Something outside is wrong.
    pub(super) fn run_time(what: &impl fmt::Display) -> Self {
        Self::new(Exit::Failed, &format!("tidegate: {what}"))
    }

    /// One line, whatever the words of the system and of libraries contain.
    fn new(exit: Exit, what: &impl fmt::Display) -> Self {
        let what = what.to_string();
        let words: Vec<&str> = what.lines().collect();
        Self {
            exit,
            line: words.join(" "),
        }
    }
}
