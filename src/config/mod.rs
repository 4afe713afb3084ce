//! What the program shall do, as values that cannot be wrong: whoever holds a [`Config`] need not
//! check anything again.
//!
//! Layer 1, pure: no file, socket or clock. The command line and the text of a file come from
//! `app`; [`text`], [`url`] and [`mod@file`] make values of them; the engine reads these.

mod access_log;
mod address;
mod admin;
mod backend;
pub mod compare;
pub mod file;
mod listener;
mod pool;
pub mod print;
pub mod request_id;
pub mod text;
pub mod url;
pub mod words;

use crate::base::time::Span;

pub use access_log::AccessLog;
pub use access_log::LogFormat;
pub use access_log::LogPath;
pub use access_log::Only;
pub use access_log::Share;
pub use address::Address;
pub use admin::Admin;
pub use backend::Backend;
pub use backend::Host;
pub use backend::Scheme;
pub use listener::CertificateFiles;
pub use listener::ClientTimeouts;
pub use listener::Forwarded;
pub use listener::Limits;
pub use listener::Listener;
pub use listener::ListenerTls;
pub use listener::Mode;
pub use listener::Network;
pub use pool::Health;
pub use pool::HostPolicy;
pub use pool::Pool;
pub use pool::Probe;
pub use pool::Retry;
pub use pool::Reuse;
pub use pool::ReuseMode;
pub use pool::STALE_AFTER;
pub use pool::ServerTimeouts;
pub use pool::UpstreamTls;

/// The whole set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Event loops. Default: 1.
    pub workers: usize,
    /// Connections of clients at a time on each event loop; beyond it, accepting stops and the
    /// kernel queues. Default: 10 000.
    pub max_connections: usize,
    /// Connections of clients that a loop has descriptors for; nothing that is written in a file,
    /// printed or compared. Default: no bound.
    pub fitting: usize,
    /// How long running requests may take to end after a stop was asked for. Default: 30 s.
    pub drain_timeout: Span,
    /// How often the names of backends are looked up again. Default: 30 s.
    pub resolve_interval: Span,
    /// How much is logged. Default: [`LogLevel::Info`].
    pub log_level: LogLevel,
    /// What is written of every request. Default: nothing.
    pub access_log: AccessLog,
    /// The admin interface. Default: none.
    pub admin: Option<Admin>,
    /// Where clients connect, in the order given; no two addresses or names are equal. Default:
    /// one with every default.
    pub listeners: Vec<Listener>,
    /// Who serves, in the order given; no two names are equal. Default: one without backends.
    pub pools: Vec<Pool>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 1,
            max_connections: 10_000,
            fitting: usize::MAX,
            drain_timeout: Span::seconds(30),
            resolve_interval: Span::seconds(30),
            log_level: LogLevel::Info,
            access_log: AccessLog::default(),
            admin: None,
            listeners: vec![Listener::default()],
            pools: vec![Pool::default()],
        }
    }
}

impl Config {
    /// Connections of clients that a loop takes in at a time.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.max_connections.min(self.fitting)
    }
}

/// How much is logged: this and what is graver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What keeps requests from being served.
    Error,
    /// What a person should look at.
    Warn,
    /// What changes.
    #[default]
    Info,
    /// What explains it.
    Debug,
    /// Every connection.
    Trace,
}

impl LogLevel {
    /// Every one, the gravest first.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn defaults_keep_the_promises_of_their_documentation() {
        let config = Config::default();
        let (listener, pool) = (&config.listeners[0], &config.pools[0]);
        assert_eq!(listener.listen.to_string(), "127.0.0.1:8000");
        assert!(listener.pool < config.pools.len());
        assert!(listener.limits.request_head <= limits::REQUEST_HEAD_BYTES_MAX);
        assert!(STALE_AFTER < pool.reuse.idle_time);
        assert!(pool.health.timeout < pool.health.interval);
    }
}
