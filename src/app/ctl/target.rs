//! Where the admin interface is, the ways people write it: an address, a name with a port, the URL
//! that `tidegate` prints when it starts, or a file.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;

use crate::config::Address;
use crate::config::Mode;
use crate::config::text;
use crate::config::text::Complaint;
use crate::config::url;

/// Where the admin interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) enum Target {
    /// There.
    Address(Address),
    /// Where that name, with its port, leads.
    Name(String),
}

impl Target {
    /// # Errors
    /// What is no such place.
    pub(in crate::app) fn read(text: &str) -> Result<Self, Complaint> {
        if text.starts_with("unix:") {
            return text::place(text).map(Self::Address);
        }
        let bare = text.strip_prefix("http://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        if let Ok(port) = bare.trim_start_matches(['*', ':']).parse::<u16>() {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            return Ok(Self::Address(address.into()));
        }
        if let Ok(address) = bare.parse::<SocketAddr>() {
            return Ok(Self::Address(reachable(address).into()));
        }
        let named = || url::backend(&format!("tcp://{bare}"), Mode::Tcp, None);
        let plain = !bare.contains([',', '/', '?', '#', '@']);
        if plain && named().is_ok() {
            return Ok(Self::Name(bare.to_owned()));
        }
        let instead = "write 127.0.0.1:9900, http://127.0.0.1:9900/ or unix:/path";
        Err(Complaint::new("not an admin interface", text, instead))
    }

    /// The address to connect to.
    ///
    /// # Errors
    /// If the name leads nowhere.
    pub(super) fn address(&self) -> io::Result<Address> {
        match self {
            Self::Address(address) => Ok(address.clone()),
            Self::Name(name) => {
                let found = name.to_socket_addrs()?.next();
                let missing = || io::Error::other("the name has no address");
                found.map(Address::from).ok_or_else(missing)
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Where "every address" can be reached: on this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_people_write_is_understood() {
        for (text, expected) in [
            ("127.0.0.1:9900", "127.0.0.1:9900"),
            ("http://127.0.0.1:9900/", "127.0.0.1:9900"),
            ("http://[::1]:9900", "[::1]:9900"),
            ("0.0.0.0:9900", "127.0.0.1:9900"),
            (":9900", "127.0.0.1:9900"),
            ("9900", "127.0.0.1:9900"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("localhost:9900", "localhost:9900"),
            ("http://gate.example:9900/", "gate.example:9900"),
        ] {
            let target = Target::read(text).map(|target| target.to_string());
            assert_eq!(target.as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "gate.example",
            "https://127.0.0.1:9900/",
            "http://127.0.0.1:9900/api",
            "unix:here",
            "a:1,weight=3",
        ] {
            assert!(Target::read(text).is_err(), "{text}");
        }
        let local = Target::read("localhost:9900").unwrap().address().unwrap();
        assert!(local.is_local(), "{local}");
    }
}
