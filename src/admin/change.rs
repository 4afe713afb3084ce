//! What an operator can change in a running balancer, as plain data.
//!
//! Applying a change is a function of what the balancer holds and of the change alone, so several
//! event loops that apply the same ones in the same order agree. Made by the routes of the admin
//! interface, by tests and by simulated operators; applied by the engine.

use std::fmt;

use crate::base::time::Span;
use crate::config::Backend;
use crate::config::LogLevel;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A server joins a pool, behind the others.
    Add {
        /// The name of the pool.
        pool: String,
        /// The server, with its weight and bound.
        backend: Backend,
    },
    /// A server gets nothing new, ends what it has, and is gone.
    Remove {
        /// Which one.
        whom: Whom,
        /// What has not ended by then is cut.
        drain: Span,
    },
    /// A server is treated in another way.
    Edit {
        /// Which one.
        whom: Whom,
        /// In which way.
        edit: Edit,
    },
    /// The whole process goes out of service, or comes back: it says that it is not ready, and
    /// lets no connection live beyond the request that runs; it still serves whoever comes.
    Drain(bool),
    /// How much is logged.
    LogLevel(LogLevel),
}

/// Names a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// The name of its pool.
    pub pool: String,
    /// Its id, like `app-1`, or the host and port of its URL.
    pub backend: String,
}

/// What is to be different. `None` leaves things as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edit {
    /// Whether it takes part.
    pub state: Option<Wanted>,
    /// Its share of the requests, 0 to 256.
    pub weight: Option<u16>,
    /// Requests it is to be given at a time; 0 for no bound.
    pub max_conns: Option<u32>,
}

/// Whether a server takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It ends what it has and gets nothing new; it is still watched.
    Drain,
    /// It takes part, as far as its health allows.
    Enable,
    /// It gets nothing new and is not watched.
    Disable,
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Of this server, by its id.
    Backend {
        /// The name of its pool.
        pool: String,
        /// Its id.
        id: String,
    },
    /// Of the process.
    Process,
}

/// Why a change was not applied. Nothing is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no pool of that name.
    NoPool(String),
    /// There is no such server in the pool.
    NoBackend(Whom),
    /// The pool has that server already, under this id.
    Exists(String),
    /// The server is being removed.
    Leaving(String),
    /// The pool cannot speak to such a server, for this reason.
    Unfit(&'static str),
}

impl Wanted {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Drain, Self::Enable, Self::Disable];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }

    /// What the word stands for.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == word)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPool(name) => write!(f, "no pool is called {name:?}"),
            Self::NoBackend(Whom { pool, backend }) => {
                write!(f, "pool {pool} has no backend {backend:?}")
            }
            Self::Exists(id) => write!(f, "it is there already, as {id}"),
            Self::Leaving(id) => write!(f, "{id} is being removed"),
            Self::Unfit(why) => f.write_str(why),
        }
    }
}
