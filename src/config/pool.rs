//! Servers that stand for each other, and what is asked of them.

use std::path::PathBuf;

use super::backend::Backend;
use super::backend::Scheme;
use crate::base::time::Span;

/// Servers that stand for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What people call it; no two are equal. Default: `app`.
    pub name: String,
    /// Who serves, in the order given; no two are the same. Default: nobody.
    pub backends: Vec<Backend>,
    /// What they are told as Host. Default: [`HostPolicy::Auto`].
    pub host: HostPolicy,
    /// How they are watched.
    pub health: Health,
    /// How connections to them are kept for later requests.
    pub reuse: Reuse,
    /// What is tried again elsewhere.
    pub retry: Retry,
    /// How long to wait for them.
    pub timeouts: ServerTimeouts,
    /// How `https://` backends prove who they are.
    pub tls: UpstreamTls,
}

impl Pool {
    /// True if a backend is `https://`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        let mut backends = self.backends.iter();
        backends.any(|backend| backend.scheme == Scheme::Https)
    }

    /// True if backends get bytes, not requests: all are `tcp://` then.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        let mut backends = self.backends.iter();
        backends.any(|backend| backend.scheme == Scheme::Tcp)
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            name: "app".to_owned(),
            backends: Vec::new(),
            host: HostPolicy::Auto,
            health: Health::default(),
            reuse: Reuse::default(),
            retry: Retry::default(),
            timeouts: ServerTimeouts::default(),
            tls: UpstreamTls::default(),
        }
    }
}

/// What backends are told as Host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// What the client said for `http://`, the URL's host for `https://`.
    #[default]
    Auto,
    /// What the client said.
    Keep,
    /// The URL's host.
    Upstream,
    /// This: a host, with a port or without.
    Literal(String),
}

impl HostPolicy {
    /// What a backend is told, and whether it is told that even if the client named a host.
    #[must_use]
    pub fn told(&self, backend: &Backend) -> (String, bool) {
        match self {
            Self::Auto => (backend.authority(), backend.scheme == Scheme::Https),
            Self::Keep => (backend.authority(), false),
            Self::Upstream => (backend.authority(), true),
            Self::Literal(host) => (host.clone(), true),
        }
    }
}

/// How backends are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// What is asked of them. Default: [`Probe::Tcp`].
    pub probe: Probe,
    /// From one probe to the next. Default: 2 s; never zero.
    pub interval: Span,
    /// How long a probe may take. Default: 1 s; never zero.
    pub timeout: Span,
    /// Good probes in a row that bring a backend up. Default: 2; never 0.
    pub rise: u32,
    /// Bad probes in a row that take a backend down. Default: 3; never 0.
    pub fall: u32,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            interval: Span::seconds(2),
            timeout: Span::seconds(1),
            rise: 2,
            fall: 3,
        }
    }
}

/// What a probe asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    /// Whether it accepts a connection.
    #[default]
    Tcp,
    /// Nothing: every backend counts as up.
    Off,
}

/// How connections to backends are kept for later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Connections kept per backend; 0 keeps none. Default: 64.
    pub idle: usize,
    /// How long one is kept. Default: 4 s, below the 5 s after which Node closes its own.
    pub idle_time: Span,
    /// For which requests. Default: [`ReuseMode::Safe`].
    pub mode: ReuseMode,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            idle: 64,
            idle_time: Span::seconds(4),
            mode: ReuseMode::Safe,
        }
    }
}

/// Which requests may go over a kept connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReuseMode {
    /// Every one, but one that must not be sent twice only if the connection was used so lately
    /// that it can hardly be closing under way ([`STALE_AFTER`]).
    #[default]
    Safe,
    /// Every one.
    Always,
    /// None.
    Never,
}

impl ReuseMode {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Safe, Self::Always, Self::Never];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

/// Idle for longer than this, a connection to a server may be closing under way: a request that
/// must not be sent twice takes a fresh one.
pub const STALE_AFTER: Span = Span::seconds(1);

/// What is tried again elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Backends tried in all, the first included. Default: 3; never 0.
    pub tries: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { tries: 3 }
    }
}

/// How long to wait for backends. None is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTimeouts {
    /// Connecting, the TLS handshake included (504). Default: 5 s.
    pub connect: Span,
    /// From the request sent to the head of the response (504). Default: 60 s.
    pub response: Span,
    /// Silence inside a response body. Default: 60 s.
    pub read: Span,
}

impl Default for ServerTimeouts {
    fn default() -> Self {
        Self {
            connect: Span::seconds(5),
            response: Span::seconds(60),
            read: Span::seconds(60),
        }
    }
}

/// How `https://` backends prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Whether they have to. Default: true.
    pub verify: bool,
    /// A file of PEM certificates that are trusted besides the public authorities. Default: none.
    pub ca: Option<PathBuf>,
    /// The name that is asked for and that certificates must have. Default: the URL's host.
    pub sni: Option<String>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
            sni: None,
        }
    }
}
