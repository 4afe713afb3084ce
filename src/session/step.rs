//! The words that a session and its driver share: what can be done, what to do, what came of it.
//!
//! Only data. The contract of their use is with [`super::Session`].

use std::net::IpAddr;

use crate::base::Fault;
use crate::base::Side;
use crate::config;
use crate::http::Reason;
use crate::http::emit::Id;
use crate::http::head::Method;
use crate::http::head::RequestHead;
use crate::limits;
use crate::tally::End;

/// What the sockets of a session allow at this moment, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can(u16);

impl Can {
    /// Nothing is possible.
    pub const NOTHING: Self = Self(0);

    /// With reading from `side` possible or not.
    #[must_use]
    pub const fn with_read(self, side: Side, possible: bool) -> Self {
        Self(self.0 | (possible as u16) << side.index())
    }

    /// With writing to `side` possible or not.
    #[must_use]
    pub const fn with_write(self, side: Side, possible: bool) -> Self {
        Self(self.0 | (possible as u16) << (2 + side.index()))
    }

    /// With pipes between the two sockets possible or not: both are plain.
    #[must_use]
    pub const fn with_pipes(self, possible: bool) -> Self {
        Self(self.0 | (possible as u16) << 4)
    }

    /// Bytes may go through a pipe.
    #[must_use]
    pub const fn pipe(self) -> bool {
        self.0 >> 4 & 1 == 1
    }

    /// With bytes held back on the way to `side`, or none.
    #[must_use]
    pub const fn with_held(self, side: Side, held: bool) -> Self {
        Self(self.0 | (held as u16) << (5 + side.index()))
    }

    /// With an end that would have to wait on its way to `side`, or not.
    #[must_use]
    pub const fn with_stuck(self, side: Side, stuck: bool) -> Self {
        Self(self.0 | (stuck as u16) << (7 + side.index()))
    }

    /// With a client that has yet to agree on TLS, or not.
    #[must_use]
    pub const fn with_greeting(self, going_on: bool) -> Self {
        Self(self.0 | (going_on as u16) << 9)
    }

    /// TLS with the client is still being agreed on; reading goes on with that.
    #[must_use]
    pub const fn greeting(self) -> bool {
        self.0 >> 9 & 1 == 1
    }

    /// A read from `side` may give something.
    #[must_use]
    pub const fn read(self, side: Side) -> bool {
        self.0 >> side.index() & 1 == 1
    }

    /// A write to `side` may take something.
    #[must_use]
    pub const fn write(self, side: Side) -> bool {
        self.0 >> (2 + side.index()) & 1 == 1
    }

    /// Bytes that `side` was written have not left us: under TLS, records that its socket did
    /// not take yet. To close would lose them.
    #[must_use]
    pub const fn held(self, side: Side) -> bool {
        self.0 >> (5 + side.index()) & 1 == 1
    }

    /// To tell `side` that no more comes would not have to wait: for a handshake, or for the
    /// socket to take what is held back.
    #[must_use]
    pub const fn finish(self, side: Side) -> bool {
        self.0 >> (7 + side.index()) & 1 == 0
    }
}

/// What the engine does next for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read into the space of [`super::Session::half_mut`] for this side, after lending it a window
    /// if it has none; then say `filled`, `ended` or `broke`.
    Read(Side),
    /// Write [`super::Session::pending`] to this side; then say `wrote` or `broke`.
    Write(Side),
    /// Move up to [`super::Session::splice_most`] bytes from this side into an empty pipe; then
    /// say `piped`, `ended` or `broke`.
    Fill(Side),
    /// Move what is in the other side's pipe to this side; then say `poured` or `broke`.
    Pour(Side),
    /// Tell this side that no more bytes come; then say `finished`. If that gets stuck, say
    /// nothing: it is asked for again when that has changed.
    Finish(Side),
    /// Get a connection to a server; then say `dialled` or `undialled`.
    Dial(Wish),
    /// Give the attempt that is under way up for this reason, and dial another server.
    Redial(Fault),
    /// The server connection is clean: keep it for others.
    Park,
    /// Close the server connection; the session goes on.
    Drop,
    /// Nothing to do before readiness changes or the deadline comes.
    Wait,
    /// The session is over: close everything it has.
    End(Outcome),
}

/// What a session needs of the connection it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Any, a kept one too.
    Any,
    /// A kept one only if it was used so lately that its server can hardly have closed it: the
    /// request cannot be repeated (RFC 9112 section 9.3.1).
    Young,
    /// A new one: a kept one has just died under this request. The same server may be asked.
    Fresh,
    /// A new one to another server, if there is one.
    Elsewhere,
}

/// The connection that a session got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialled<'a> {
    /// The server's name for itself, port included where it has to be.
    pub authority: &'a str,
    /// Whether `Host` says that, rather than what the client said.
    pub own_host: bool,
    /// It had carried a request before.
    pub reused: bool,
    /// What the request is called, if it needs a name: the first server's counts, for every retry.
    pub number: u128,
}

/// A request that wants its first server.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// What that was made from.
    pub bytes: &'a [u8],
    /// What it is called by a trusted proxy.
    pub id: Option<&'a [u8]>,
}

/// Why there is no server for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undialled {
    /// No backend is up, or every one was tried and had been down already.
    NobodyUp,
    /// Every backend that is up has as many requests as it is to be given (`max_conns`).
    Full,
    /// The last attempt failed for this reason.
    Failed(Fault),
    /// The proxy itself is out of something.
    Exhausted,
}

/// How a session ended. The last word on it: log word and counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that was begun was brought to its end.
    Done,
    /// A client kept its connection idle for too long, or never sent a byte.
    Idle,
    /// The client went away in the middle.
    ClientGone,
    /// The client was too slow in sending or taking bytes.
    ClientSlow,
    /// The rest of the request is malformed or too large, and its answer had begun: both
    /// connections are reset.
    Refused(Reason),
    /// The server broke off or was silent in the middle of an answer: the client's connection is
    /// reset, so that it cannot take the part for the whole.
    Cut(Fault),
    /// There was no server for a tunnel.
    NoServer(Undialled),
    /// Both ways of a tunnel were silent for too long, and neither side had ended both.
    TunnelIdle,
}

impl Outcome {
    /// True if client and server must see that what they got is not whole: both connections are
    /// reset.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        // A client that was slow may read on, and so may one that half-closed in the middle of its
        // request; what it was sent of an answer without a length would look whole. So would what
        // went through a tunnel that nobody has ended.
        matches!(
            self,
            Self::Cut(_)
                | Self::NoServer(_)
                | Self::ClientGone
                | Self::ClientSlow
                | Self::Refused(_)
                | Self::TunnelIdle
        )
    }
}

/// A request that has been brought to its end, one way or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// As received; [`Method::Other`] also if its head was refused.
    pub method: Method,
    /// What the client was told; 0 if it was told nothing.
    pub status: u16,
    /// Whether tidegate said that itself.
    pub own: bool,
    /// Bytes of the heads that it was answered with, interim ones too.
    pub heads: u32,
    /// How it ended.
    pub end: End,
}

/// Something a person should be told of a session that goes on or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incident {
    /// tidegate answered itself, with this status and for this reason.
    Answered(u16, Cause),
    /// An answer was cut.
    Cut(Fault),
}

/// Why tidegate answered itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The request was refused.
    Refused(Reason),
    /// The head or body of the request came too slowly.
    RequestSlow,
    /// There is no server.
    Undialled(Undialled),
    /// The server closed or reset the connection before its answer.
    ServerBroke(Fault),
    /// The server's answer cannot be read.
    ResponseBroken(Reason),
    /// The server gave no answer in time.
    ResponseSlow,
}

impl Cause {
    /// The same in the words of the metrics.
    #[must_use]
    pub const fn end(self, status: u16) -> End {
        match self {
            Self::Refused(_) if matches!(status, 413 | 414 | 429 | 431) => End::Limit,
            Self::Refused(_) => End::BadRequest,
            Self::RequestSlow => End::ClientTimeout,
            Self::Undialled(why) => why.end(),
            Self::ServerBroke(Fault::Removed) => End::Killed,
            Self::ServerBroke(_) => End::Reset,
            Self::ResponseBroken(_) => End::BadResponse,
            Self::ResponseSlow => End::ResponseTimeout,
        }
    }
}

impl Undialled {
    /// The same in the words of the metrics.
    #[must_use]
    pub const fn end(self) -> End {
        match self {
            Self::NobodyUp => End::NoBackend,
            Self::Full => End::QueueFull,
            Self::Exhausted => End::Limit,
            Self::Failed(Fault::TimedOut) => End::ConnectTimeout,
            Self::Failed(Fault::Tls(_)) => End::Tls,
            Self::Failed(_) => End::ConnectRefused,
        }
    }
}

impl Outcome {
    /// The same in the words of the metrics.
    #[must_use]
    pub const fn end(self) -> End {
        match self {
            Self::Done | Self::Idle | Self::TunnelIdle => End::Ok,
            Self::ClientGone => End::ClientAbort,
            Self::ClientSlow => End::ClientTimeout,
            Self::Refused(Reason::BodyTooLarge) => End::Limit,
            Self::Refused(_) => End::BadRequest,
            Self::Cut(Fault::TimedOut) => End::ResponseTimeout,
            Self::Cut(Fault::Removed) => End::Killed,
            Self::Cut(Fault::Other(0)) => End::BadResponse,
            Self::Cut(_) => End::Reset,
            Self::NoServer(why) => why.end(),
        }
    }
}

/// What a session may do and for how long. Taken at accept; a session never sees two policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// All spans of time.
    pub timeouts: Timeouts,
    /// Bytes of a request head, at most [`limits::REQUEST_HEAD_BYTES_MAX`] (431).
    pub request_head: usize,
    /// Fields of a request head, at most [`limits::HEADERS_MAX`] (431).
    pub headers: usize,
    /// Bytes of a request body (413).
    pub body: u64,
    /// Requests of one connection; 0 for as many as the client likes.
    pub requests: u32,
    /// How many servers one request may be sent to, at most.
    pub tries: u32,
    /// True if clients come over TLS.
    pub client_is_tls: bool,
    /// Proxies that are believed what they say of their clients.
    pub trusted_proxies: Vec<config::Network>,
    /// How servers are told who asked.
    pub forwarded: config::Forwarded,
    /// In which field servers are told what a request is called: a name as
    /// [`config::Listener::request_id`] has it; `None`: in none.
    pub request_id: Option<String>,
}

impl Policy {
    /// Whether this client is believed what it says of others.
    #[must_use]
    pub fn trusts(&self, client: IpAddr) -> bool {
        let mut networks = self.trusted_proxies.iter();
        networks.any(|network| network.contains(client))
    }
}

impl Policy {
    /// The field that says what a request is called; empty if there is none.
    #[must_use]
    pub fn id_field(&self) -> &str {
        self.request_id.as_deref().unwrap_or_default()
    }

    /// What a request with this number is called, if it needs a name.
    #[must_use]
    pub fn id(&self, number: u128) -> Option<Id<'_>> {
        let field = self.request_id.as_deref()?;
        Some(Id { field, number })
    }
}

impl Default for Policy {
    /// The usual bounds, one try, and no names for requests.
    fn default() -> Self {
        Self {
            timeouts: Timeouts::default(),
            request_head: limits::HEAD_BYTES_MAX,
            headers: limits::HEADERS_MAX,
            body: u64::MAX,
            requests: 0,
            tries: 1,
            client_is_tls: false,
            forwarded: config::Forwarded::default(),
            trusted_proxies: Vec::new(),
            request_id: None,
        }
    }
}

/// How long to wait for either side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For the client.
    pub client: config::ClientTimeouts,
    /// For the server.
    pub server: config::ServerTimeouts,
}

/// Which half of a connection an error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A read failed: nothing more will come.
    Reading,
    /// A write failed: nothing more is taken, but an answer may already be here.
    Writing,
}
