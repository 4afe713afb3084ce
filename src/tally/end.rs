//! How requests and tunnels end, in the words of the metrics.

/// How one ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(usize)]
pub enum End {
    /// The answer is with the client.
    #[default]
    Ok,
    /// The client went away.
    ClientAbort,
    /// The client took or sent bytes too slowly.
    ClientTimeout,
    /// The request is malformed.
    BadRequest,
    /// No connection to a server came about.
    ConnectRefused,
    /// No connection to a server came about in time.
    ConnectTimeout,
    /// TLS with a server did not come about.
    Tls,
    /// A server broke off.
    Reset,
    /// A server's answer is malformed.
    BadResponse,
    /// A server's answer did not come in time.
    ResponseTimeout,
    /// No server was up.
    NoBackend,
    /// The queue was full.
    QueueFull,
    /// It waited too long in the queue.
    QueueTimeout,
    /// A limit was exceeded: of a size, of a rate, of descriptors.
    Limit,
    /// An operator removed the server under it, or ended the program.
    Killed,
}

impl End {
    /// Every one, in order.
    pub const ALL: [Self; 15] = [
        Self::Ok,
        Self::ClientAbort,
        Self::ClientTimeout,
        Self::BadRequest,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Reset,
        Self::BadResponse,
        Self::ResponseTimeout,
        Self::NoBackend,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::Limit,
        Self::Killed,
    ];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientAbort => "client_abort",
            Self::ClientTimeout => "client_timeout",
            Self::BadRequest => "bad_request",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::BadResponse => "bad_response",
            Self::ResponseTimeout => "response_timeout",
            Self::NoBackend => "no_backend",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::Limit => "limit",
            Self::Killed => "killed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_at_its_place() {
        for (at, end) in End::ALL.into_iter().enumerate() {
            assert_eq!(end as usize, at);
        }
    }
}
