//! Where clients connect, and what is theirs to expect there.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::address::Address;
use crate::base::NO_ADDRESS;
use crate::base::time::Span;
use crate::limits;

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// What people call it; no two are equal. Default: `web`.
    pub name: String,
    /// The address; port 0 lets the system choose. A file may be connected to by everybody who can
    /// reach it. Default: `127.0.0.1:8000`.
    pub listen: Address,
    /// What is balanced. Default: [`Mode::Http`].
    pub mode: Mode,
    /// Who serves: a position in [`super::Config::pools`], always a valid one. Default: the first.
    pub pool: usize,
    /// How clients are spoken TLS to. Default: not at all.
    pub tls: Option<ListenerTls>,
    /// How large a request may be.
    pub limits: Limits,
    /// How long to wait for clients.
    pub timeouts: ClientTimeouts,
    /// Proxies whose X-Forwarded-For, -Proto, -Host and Forwarded are believed. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// How backends are told who asked. Default: [`Forwarded::XForwarded`].
    pub forwarded: Forwarded,
    /// The field in which backends are told what a request is called, a name that
    /// [`super::request_id::check`] has found sound; `None`: in none. Default:
    /// `x-request-id`.
    pub request_id: Option<String>,
}

impl Listener {
    /// With every default, at that address.
    #[must_use]
    pub fn at(listen: SocketAddr) -> Self {
        Self {
            listen: Address::Tcp(listen),
            ..Self::default()
        }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            name: "web".to_owned(),
            listen: Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))),
            mode: Mode::Http,
            pool: 0,
            tls: None,
            limits: Limits::default(),
            timeouts: ClientTimeouts::default(),
            trusted_proxies: Vec::new(),
            forwarded: Forwarded::XForwarded,
            request_id: Some("x-request-id".to_owned()),
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

impl Mode {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
        }
    }
}

/// How clients are spoken TLS to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one. The name that a client asks for picks; the first is the default.
    pub certificates: Vec<CertificateFiles>,
    /// PEM certificates of authorities, one of which has to have signed the certificate that a
    /// client shows. Default: none, and clients show none.
    pub client_ca: Option<PathBuf>,
}

/// The files of a certificate, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How large a request may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head (431). Default: 16 KiB; at most 64 KiB.
    pub request_head: usize,
    /// Fields of a head (431). Default: 100; at most 100, never 0.
    pub headers: usize,
    /// Bytes of a body, without the framing of chunks (413). Default: no bound.
    pub body: Option<u64>,
    /// Requests of one connection: the answer to the last one closes it. Default: 0, no bound.
    pub requests_per_connection: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_head: limits::HEAD_BYTES_MAX,
            headers: limits::HEADERS_MAX,
            body: None,
            requests_per_connection: 0,
        }
    }
}

/// How long to wait for clients. None is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
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
}

impl Default for ClientTimeouts {
    fn default() -> Self {
        Self {
            head: Span::seconds(10),
            idle: Span::seconds(60),
            read: Span::seconds(30),
            write: Span::seconds(30),
            tunnel: Span::seconds(3_600),
        }
    }
}

/// How backends are told who asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarded {
    /// X-Forwarded-For, -Proto and -Host.
    #[default]
    XForwarded,
    /// Forwarded, RFC 7239.
    Rfc7239,
    /// All of them.
    Both,
    /// Not at all. What a client that is not trusted says of itself is removed all the same.
    Off,
}

impl Forwarded {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::XForwarded, Self::Rfc7239, Self::Both, Self::Off];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XForwarded => "x-forwarded",
            Self::Rfc7239 => "rfc7239",
            Self::Both => "both",
            Self::Off => "off",
        }
    }
}

/// The addresses that begin with the same bits, like `10.0.0.0/8`, or whoever has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// Who comes through a socket in the file system, and so has no address: `unix:`.
    pub const UNIX: Self = Self {
        address: NO_ADDRESS,
        // More than any address has.
        bits: u8::MAX,
    };

    /// `None` if there are more bits than an address has, or if bits behind them are set.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let width = if address.is_ipv4() { 32 } else { 128 };
        let fits = bits <= width && number(address) & !mask(width, bits) & mask(width, width) == 0;
        fits.then_some(Self { address, bits })
    }

    /// Whether `address` is one of these; an IPv4 one in the clothes of IPv6 is what it is, and
    /// [`NO_ADDRESS`] in none but [`Network::UNIX`].
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        if address == NO_ADDRESS || *self == Self::UNIX {
            return address == NO_ADDRESS && *self == Self::UNIX;
        }
        let address = address.to_canonical();
        let width = if address.is_ipv4() { 32 } else { 128 };
        address.is_ipv4() == self.address.is_ipv4()
            && (number(address) ^ number(self.address)) & mask(width, self.bits) == 0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNIX {
            return f.write_str("unix:");
        }
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first `bits` of a number that is `width` wide.
fn mask(width: u8, bits: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width));
    let behind = all.checked_shr(u32::from(bits)).unwrap_or(0);
    all & !behind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str, bits: u8) -> Option<Network> {
        Network::new(address.parse().unwrap(), bits)
    }

    #[test]
    fn networks_contain_what_begins_alike() {
        let table = [
            ("10.0.0.0", 8, "10.255.1.2", true),
            ("10.0.0.0", 8, "11.0.0.0", false),
            ("10.0.0.0", 8, "::ffff:10.1.1.1", true),
            ("0.0.0.0", 0, "203.0.113.9", true),
            ("0.0.0.0", 0, "0.0.0.0", false),
            ("0.0.0.0", 32, "0.0.0.0", false),
            ("0.0.0.0", 32, "127.0.0.1", false),
            ("0.0.0.0", 0, "2001:db8::1", false),
            ("192.0.2.7", 32, "192.0.2.7", true),
            ("192.0.2.7", 32, "192.0.2.6", false),
            ("2001:db8::", 32, "2001:db8:1::", true),
            ("2001:db8::", 32, "2001:db9::", false),
            ("::", 0, "::1", true),
            ("::1", 128, "::1", true),
            ("::1", 128, "::2", false),
            ("::", 0, "10.0.0.1", false),
        ];
        for (base, bits, address, expected) in table {
            let network = network(base, bits).unwrap();
            let found = network.contains(address.parse().unwrap());
            assert_eq!(found, expected, "{address} in {network}");
        }
    }

    #[test]
    fn who_has_no_address_is_in_one_network_only() {
        let unix = Network::UNIX;
        assert!(unix.contains(NO_ADDRESS));
        assert!(!unix.contains("127.0.0.1".parse().unwrap()));
        assert!(!unix.contains("::".parse().unwrap()));
        assert_eq!(unix.to_string(), "unix:");
        assert_eq!(crate::config::text::network("unix:"), Ok(unix));
    }

    #[test]
    fn networks_with_stray_bits_are_none() {
        assert_eq!(network("10.0.0.1", 8), None);
        assert_eq!(network("10.0.0.0", 33), None);
        assert_eq!(network("::1", 127), None);
        assert_eq!(network("::", 129), None);
        assert!(network("10.0.0.1", 32).is_some());
    }
}
