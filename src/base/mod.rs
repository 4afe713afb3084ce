//! The shared nouns: what every room may speak of, and nothing that acts.
//!
//! Layer 0. Whoever needs a socket, a side or a reason for failure takes the word from here, so
//! that no two rooms have to import each other to agree on one.

pub mod arena;
pub mod buffer;
pub mod calendar;
pub mod planted;
pub mod queue;
pub mod random;
pub mod spare;
pub mod time;
pub mod timers;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

use arena::Key;

/// One of the two ends that a session joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who connected to us.
    Client,
    /// Whom we connected to.
    Server,
}

impl Side {
    /// The end across from this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Position in an array of two, client first.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// A socket by number. Only the kernel that issued it can turn it into a descriptor; a number
/// whose socket was closed finds nothing, even after the index was given away again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Socket(pub Key);

/// A pipe by number, through which bytes go from socket to socket without passing through the
/// program. What is said of the numbers of sockets holds here too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pipe(pub Key);

/// Whom a connection is said to come from that came through a socket in the file system: no peer
/// can have this address (RFC 1122 section 3.2.1.3).
pub const NO_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Where a client is, for people: `unix:` if it has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller(pub SocketAddr);

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.ip() == NO_ADDRESS {
            return f.write_str("unix:");
        }
        self.0.fmt(f)
    }
}

/// Why a socket could not go on. Data, not an actor: what follows from it is decided elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Nobody listens there (`ECONNREFUSED`).
    Refused,
    /// The peer tore the connection down (`ECONNRESET`, `EPIPE`, `ECONNABORTED`).
    Reset,
    /// Too long without an answer, by the kernel's clock or by ours.
    TimedOut,
    /// No way to the address (`ENETUNREACH`, `EHOSTUNREACH`).
    Unreachable,
    /// We are out of descriptors, memory or local ports: no fault of the peer's.
    Exhausted,
    /// The name has no address (yet).
    Unresolved,
    /// TLS could not be agreed on, or broke.
    Tls(TlsFault),
    /// The peer ended the stream where more had to come.
    Ended,
    /// The server was removed by an operator, and its time to end was over.
    Removed,
    /// Any other error number of the operating system.
    Other(i32),
}

/// What went wrong inside TLS, as far as an operator can act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsFault {
    /// The certificate is expired, for another name, or of an unknown issuer.
    Certificate,
    /// The peer answered with an alert.
    Alert,
    /// The bytes were no TLS, or no version or cipher is shared.
    Protocol,
}

impl Fault {
    /// The fault behind an operating system error, by its number first and its kind second.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let exhausted = [12, 23, 24, 99, 105]; // ENOMEM ENFILE EMFILE EADDRNOTAVAIL ENOBUFS
        if error
            .raw_os_error()
            .is_some_and(|number| exhausted.contains(&number))
        {
            return Self::Exhausted;
        }
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind is open-ended")]
        match error.kind() {
            Kind::ConnectionRefused => Self::Refused,
            Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted => Self::Reset,
            Kind::TimedOut => Self::TimedOut,
            Kind::NetworkUnreachable | Kind::HostUnreachable => Self::Unreachable,
            Kind::AddrNotAvailable | Kind::OutOfMemory => Self::Exhausted,
            Kind::UnexpectedEof => Self::Ended,
            _ => Self::Other(error.raw_os_error().unwrap_or(0)),
        }
    }

    /// HAProxy's probe code for this fault, for logs that old hands can read.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused
            | Self::Reset
            | Self::Unreachable
            | Self::Ended
            | Self::Removed
            | Self::Other(_) => "L4CON",
            Self::TimedOut => "L4TOUT",
            Self::Exhausted => "SOCKERR",
            Self::Unresolved => "L3DNS",
            Self::Tls(_) => "L6RSP",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Reset => f.write_str("connection reset"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Unreachable => f.write_str("no route to the address"),
            Self::Exhausted => f.write_str("out of descriptors, memory or local ports"),
            Self::Unresolved => f.write_str("the name does not resolve"),
            Self::Tls(TlsFault::Certificate) => {
                f.write_str("the certificate is not trusted; name its authority in tls.ca")
            }
            Self::Tls(TlsFault::Alert) => f.write_str("the peer refused TLS with an alert"),
            Self::Tls(TlsFault::Protocol) => f.write_str("no TLS that both sides speak"),
            Self::Ended => f.write_str("closed before the end"),
            Self::Removed => f.write_str("removed, and its time to end was over"),
            Self::Other(number) => write!(f, "{}", io::Error::from_raw_os_error(*number)),
        }
    }
}
