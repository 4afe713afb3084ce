//! A set of marks: what is true of one end of a connection, or known of it, or seen.

use std::fmt;

/// The set.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Marks(u32);

impl Marks {
    pub(crate) const NONE: Self = Self(0);

    // What is true of an end; nobody can look at it, it is concluded.
    /// Bytes have arrived and wait to be read.
    pub(crate) const QUEUED: Self = Self(1);
    /// Bytes are on their way here.
    pub(crate) const COMING: Self = Self(1 << 1);
    /// The peer's end of the stream is on its way.
    pub(crate) const FIN_COMING: Self = Self(1 << 2);
    /// The peer's end of the stream has arrived.
    pub(crate) const FIN: Self = Self(1 << 3);
    /// A reset is on its way here.
    pub(crate) const RESET_COMING: Self = Self(1 << 4);
    /// The connection is broken here: a reset has come, or the connect has failed.
    pub(crate) const DOWN: Self = Self(1 << 5);
    /// Nobody is here any more.
    pub(crate) const GONE: Self = Self(1 << 6);

    // Of an end, true and known alike.
    /// This end has said that it sends no more.
    pub(crate) const FINISHED: Self = Self(1 << 7);

    // What was seen at an end.
    pub(crate) const READABLE: Self = Self(1 << 8);
    pub(crate) const WRITABLE: Self = Self(1 << 9);
    pub(crate) const ENDED: Self = Self(1 << 10);
    /// The connection is known to stand or to have stood.
    pub(crate) const STOOD: Self = Self(1 << 11);
    /// A verb has got the connection's error.
    pub(crate) const TOLD: Self = Self(1 << 12);
    /// The last write was not taken whole.
    pub(crate) const BLOCKED: Self = Self(1 << 13);
    /// Bytes were written to this end that it has not read.
    pub(crate) const UNREAD: Self = Self(1 << 14);
    /// The connect went to where nobody listened.
    pub(crate) const DESERT: Self = Self(1 << 15);

    // What became of the other end.
    pub(crate) const PEER_UNBORN: Self = Self(1 << 16);
    pub(crate) const PEER_FINISHED: Self = Self(1 << 17);
    pub(crate) const PEER_CLOSED: Self = Self(1 << 18);
    /// It was closed and had not read everything.
    pub(crate) const PEER_LEFT_BYTES: Self = Self(1 << 19);
    pub(crate) const PEER_ABORTED: Self = Self(1 << 20);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub(crate) const fn when(self, condition: bool, other: Self) -> Self {
        if condition { self.and(other) } else { self }
    }

    #[must_use]
    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0);
        let names: Vec<&str> = present.map(|(_, name)| *name).collect();
        write!(f, "[{}]", names.join(" "))
    }
}

const NAMES: [&str; 21] = [
    "queued",
    "coming",
    "fin-coming",
    "fin",
    "reset-coming",
    "down",
    "gone",
    "finished",
    "readable",
    "writable",
    "ended",
    "stood",
    "told",
    "blocked",
    "unread",
    "desert",
    "peer-unborn",
    "peer-finished",
    "peer-closed",
    "peer-left-bytes",
    "peer-aborted",
];
