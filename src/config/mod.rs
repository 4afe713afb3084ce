//! What the program shall do, as values that cannot be wrong: whoever holds a [`Config`] need not
//! check anything again.
//!
//! Layer 1, pure: no file, socket or clock. The command line (`app`) builds it with the parsers
//! of [`text`]; the engine reads it.

pub mod text;

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::base::time::Span;
use crate::limits;

/// The whole set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients connect. Default: `127.0.0.1:8000`.
    pub listeners: Vec<SocketAddr>,
    /// What is balanced. Default: [`Mode::Http`].
    pub mode: Mode,
    /// Who serves, in the order given; no two are equal. Default: nobody.
    pub backends: Vec<Backend>,
    /// How backends are watched.
    pub health: Health,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// How connections to backends are kept for later requests.
    pub reuse: Reuse,
    /// What is tried again elsewhere.
    pub retry: Retry,
    /// How large a request may be.
    pub limits: Limits,
    /// Connections of clients at a time; beyond it, accepting stops and the kernel queues.
    /// Default: 10 000.
    pub max_connections: usize,
    /// How long running requests may take to end after a stop was asked for. Default: 30 s.
    pub drain_timeout: Span,
    /// How often the names of backends are looked up again. Default: 30 s.
    pub resolve_interval: Span,
    /// How `https://` backends prove who they are.
    pub upstream_tls: UpstreamTls,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listeners: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))],
            mode: Mode::Http,
            backends: Vec::new(),
            health: Health::default(),
            timeouts: Timeouts::default(),
            reuse: Reuse::default(),
            retry: Retry::default(),
            limits: Limits::default(),
            max_connections: 10_000,
            drain_timeout: Span::seconds(30),
            resolve_interval: Span::seconds(30),
            upstream_tls: UpstreamTls::default(),
        }
    }
}

/// What is balanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Requests: every one may go to another backend.
    #[default]
    Http,
    /// Connections: bytes are relayed as they come.
    Tcp,
}

/// How a backend is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP/1.1 in the clear; only in [`Mode::Http`].
    Http,
    /// HTTP/1.1 under TLS; only in [`Mode::Http`].
    Https,
    /// Bytes as they come; only in [`Mode::Tcp`].
    Tcp,
}

impl Scheme {
    /// The word before `://`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
        }
    }

    /// The port that a URL of this scheme need not name.
    #[must_use]
    pub const fn default_port(self) -> Option<u16> {
        match self {
            Self::Http => Some(80),
            Self::Https => Some(443),
            Self::Tcp => None,
        }
    }
}

/// Where a backend is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name in lower case, to be looked up: letters, digits, `-`, `_` and `.` only.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    /// As in a URL: IPv6 addresses in brackets (RFC 3986 section 3.2.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Where it is.
    pub host: Host,
    /// Its port, never 0.
    pub port: u16,
}

impl Backend {
    /// What a Host field for this backend says: the host, and the port unless it is the scheme's
    /// own (RFC 9110 section 7.2).
    #[must_use]
    pub fn authority(&self) -> String {
        if self.scheme.default_port() == Some(self.port) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Backend {
    /// Its URL, the scheme's own port left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority())
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

/// How long to wait for what. None is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its head (408). Default: 10 s.
    pub head: Span,
    /// A client between two requests; closed silently. Default: 60 s.
    pub idle: Span,
    /// No byte of a request body from the client. Default: 30 s.
    pub read: Span,
    /// The client takes no byte of the response. Default: 30 s.
    pub write: Span,
    /// Both ways silent after an upgrade or in [`Mode::Tcp`]. Default: 1 h.
    pub tunnel: Span,
    /// Connecting to a backend, the TLS handshake included (504). Default: 5 s.
    pub connect: Span,
    /// From the request sent to the head of the response (504). Default: 60 s.
    pub response: Span,
    /// Silence of the backend inside a response body. Default: 60 s.
    pub server_read: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            head: Span::seconds(10),
            idle: Span::seconds(60),
            read: Span::seconds(30),
            write: Span::seconds(30),
            tunnel: Span::seconds(3_600),
            connect: Span::seconds(5),
            response: Span::seconds(60),
            server_read: Span::seconds(60),
        }
    }
}

/// How connections to backends are kept for later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Connections kept per backend; 0 keeps none. Default: 64.
    pub idle: usize,
    /// How long one is kept. Default: 4 s, below the 5 s after which Node closes its own.
    pub idle_time: Span,
    /// Idle for longer than this, a connection may be closing under way: a request that must not
    /// be sent twice takes a fresh one. Default: 1 s.
    pub stale_after: Span,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            idle: 64,
            idle_time: Span::seconds(4),
            stale_after: Span::seconds(1),
        }
    }
}

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

/// How large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head (431). Default: 16 KiB, which is also the most.
    pub request_head: usize,
    /// Fields of a head (431). Default: 100, which is also the most.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: limits::HEAD_BYTES_MAX,
            headers: limits::HEADERS_MAX,
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
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            verify: true,
            ca: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(scheme: Scheme, host: Host, port: u16) -> Backend {
        Backend { scheme, host, port }
    }

    #[test]
    fn a_backend_prints_as_the_shortest_url() {
        let name = || Host::Name("app.example".to_owned());
        let six = Host::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        let table = [
            (backend(Scheme::Http, name(), 80), "http://app.example"),
            (backend(Scheme::Http, name(), 443), "http://app.example:443"),
            (backend(Scheme::Https, name(), 443), "https://app.example"),
            (backend(Scheme::Tcp, name(), 80), "tcp://app.example:80"),
            (backend(Scheme::Http, six, 9001), "http://[::1]:9001"),
        ];
        for (backend, url) in table {
            assert_eq!(backend.to_string(), url);
            assert_eq!(Some(&*backend.authority()), url.split("://").nth(1));
        }
    }

    #[test]
    fn defaults_keep_the_promises_of_their_documentation() {
        let config = Config::default();
        assert_eq!(config.listeners[0].to_string(), "127.0.0.1:8000");
        assert!(config.limits.request_head <= limits::HEAD_BYTES_MAX);
        assert!(config.reuse.stale_after < config.reuse.idle_time);
        assert!(config.health.timeout < config.health.interval);
    }
}
