//! One server: how it is spoken to and where it is.

use std::fmt;
use std::net::IpAddr;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backend {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Where it is.
    pub host: Host,
    /// Its port, never 0.
    pub port: u16,
    /// Its share of the traffic, against the others' weights: 0 (nothing) to 256. Default: 1.
    pub weight: u16,
    /// Requests or tunnels it is to be given at a time, by all loops together: 1 or more. `None`,
    /// the default: no bound.
    pub max_conns: Option<u32>,
}

impl Backend {
    /// The largest weight.
    pub const WEIGHT_MAX: u16 = 256;

    /// With a weight of 1 and no bound.
    #[must_use]
    pub const fn new(scheme: Scheme, host: Host, port: u16) -> Self {
        Self {
            scheme,
            host,
            port,
            weight: 1,
            max_conns: None,
        }
    }

    /// True if it is the same server, whatever its weight and bound.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.scheme, &self.host, self.port) == (other.scheme, &other.host, other.port)
    }

    /// Its weight, and its bound if it has one, for people: `weight 3, max_conns 100`.
    #[must_use]
    pub fn terms(&self) -> String {
        let weight = format!("weight {}", self.weight);
        match self.max_conns {
            None => weight,
            Some(most) => format!("{weight}, max_conns {most}"),
        }
    }

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

/// How a backend is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP/1.1 in the clear; only in [`super::Mode::Http`].
    Http,
    /// HTTP/1.1 under TLS; only in [`super::Mode::Http`].
    Https,
    /// Bytes as they come; only in [`super::Mode::Tcp`].
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_prints_as_the_shortest_url() {
        let name = || Host::Name("app.example".to_owned());
        let six = Host::Address(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]));
        let table = [
            (Backend::new(Scheme::Http, name(), 80), "http://app.example"),
            (
                Backend::new(Scheme::Http, name(), 443),
                "http://app.example:443",
            ),
            (
                Backend::new(Scheme::Https, name(), 443),
                "https://app.example",
            ),
            (
                Backend::new(Scheme::Tcp, name(), 80),
                "tcp://app.example:80",
            ),
            (Backend::new(Scheme::Http, six, 9001), "http://[::1]:9001"),
        ];
        for (backend, url) in table {
            assert_eq!(backend.to_string(), url);
            assert_eq!(Some(&*backend.authority()), url.split("://").nth(1));
        }
    }
}
