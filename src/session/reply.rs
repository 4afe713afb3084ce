//! Answers of our own: what the proxy says itself, and how it says it without harm.
//!
//! An own answer is used only where nothing of a server's answer has gone to the client. It keeps
//! the connection if the request was received whole, so that a client that meets a 503 can go on;
//! else what is still coming would be taken for the next request, and the connection ends.

use super::exchange::Exchange;
use super::exchange::Life;
use super::exchange::Phase;
use super::exchange::Receiving;
use super::exchange::Sending;
use super::exchange::Server;
use super::step::Cause;
use super::step::Incident;
use super::step::Outcome;
use super::step::Record;
use super::step::Undialled;
use crate::base::Fault;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Framing;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::http::emit;
use crate::http::head::Method;
use crate::http::head::RequestHead;

/// Seconds after which a client may try again when nobody is up: the probes' interval.
const RETRY_AFTER_SECONDS: u32 = 2;

/// Bytes of a request that was refused that are kept for the log.
const LINE_SHOWN: usize = 1024;

impl Exchange {
    /// What cannot be known of a head before it is read.
    pub(super) fn bounded(&self, head: &RequestHead) -> Result<(), Reject> {
        if usize::from(head.fields) > self.policy.headers {
            return Err(Kind::Request.reject(Reason::TooManyHeaders));
        }
        match head.framing {
            Framing::Length(length) if length > self.policy.body => {
                Err(Kind::Request.reject(Reason::BodyTooLarge))
            }
            Framing::None | Framing::UntilClose | Framing::Length(_) | Framing::Chunked => Ok(()),
        }
    }

    /// Refuses a request whose head is sound: what it says is told of it.
    pub(super) fn turn_away(
        &mut self,
        reject: Reject,
        head: RequestHead,
        length: usize,
        scratch: &mut Vec<u8>,
    ) {
        let bytes = self
            .up
            .unjudged()
            .get(..length)
            .unwrap_or_default()
            .to_vec();
        let method = head.method;
        self.refuse(reject, scratch);
        if let Some(account) = &mut self.account {
            account.method = method;
        }
        if let Some(aside) = &mut self.aside {
            aside.refused_head = Some(Box::new((head, bytes)));
        }
    }

    /// The request is refused: it and everything behind it are not looked at again.
    pub(super) fn refuse(&mut self, reject: Reject, scratch: &mut Vec<u8>) {
        self.life = Life::Last;
        let unread = match self.request {
            None => self.up.unjudged(),
            Some(_) => b"",
        };
        let count = unread.len();
        let mut lines = unread.split(|byte| matches!(byte, b'\r' | b'\n'));
        let line = lines.next().unwrap_or_default();
        let line = line.get(..LINE_SHOWN).unwrap_or(line).to_vec();
        self.answer(reject.status, Cause::Refused(reject.reason), scratch);
        if let Some(aside) = &mut self.aside {
            (aside.refused, aside.refused_bytes) = (line, count);
        }
    }

    /// Answers the request that runs with a status of our own.
    pub(super) fn answer(&mut self, status: u16, cause: Cause, scratch: &mut Vec<u8>) {
        let whole = self.drop_request();
        if !whole {
            self.life = Life::Last;
        }
        let request = self.request.as_ref();
        let head_only = request.is_some_and(|request| request.head.method.is_head());
        let persistent = self.life != Life::Last;
        let retry_after = (status == 503).then_some(RETRY_AFTER_SECONDS);
        scratch.clear();
        emit::local(
            scratch,
            status,
            sentence(cause),
            persistent,
            retry_after,
            head_only,
        );
        let body = if head_only {
            0
        } else {
            sentence(cause).len() + 1
        };
        let head = u32::try_from(scratch.len() - body).unwrap_or(u32::MAX);
        let before = self.account.map_or(0, |account| account.heads);
        // Interim answers that wait in `down` are older than this one.
        let waiting = self.down.pending().to_vec();
        self.down.clear();
        self.say_aside(&waiting);
        let bytes = std::mem::take(scratch);
        self.say_aside(&bytes);
        *scratch = bytes;
        self.account = Some(Record {
            method: self.account.map_or(Method::Other, |account| account.method),
            status,
            own: true,
            heads: before.saturating_add(head),
            end: cause.end(status),
        });
        self.incident = Some(Incident::Answered(status, cause));
        self.phase = Phase::Replying;
        if matches!(self.server, Server::Attached { .. }) {
            self.server = Server::Leaving { clean: false };
        }
    }

    /// Throws away what is here of the request; true if that was all of it, and what is left
    /// begins with the next one.
    fn drop_request(&mut self) -> bool {
        let Some(request) = &mut self.request else {
            self.up.clear();
            return false;
        };
        // An HTTP/1.0 client would have to be told that its connection is kept.
        let modern = matches!(request.head.version, Version::Http11);
        let persistent = request.persistent && modern;
        if request.head_bytes > 0 {
            let bytes = std::mem::take(&mut request.head_bytes);
            self.up.skip(bytes);
        } else {
            self.up.discard_pending();
        }
        let all = matches!(request.sending, Sending::Whole) || planted(Bug::LocalReplyLeavesBody);
        let whole = all && persistent;
        if !whole {
            self.up.clear();
        }
        whole
    }

    /// Puts bytes of our own in line for the client.
    pub(super) fn say_aside(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.aside
                .get_or_insert_default()
                .bytes
                .extend_from_slice(bytes);
        }
    }

    /// The answer broke off in the middle. Whatever else is said now, the client must not take
    /// the part for the whole: its connection is reset.
    pub(super) fn cut(&mut self, fault: Fault) {
        self.incident = Some(Incident::Cut(fault));
        self.phase = Phase::Over(Outcome::Cut(fault));
    }

    /// Whether nothing of a final answer was seen.
    pub(super) fn awaits_head(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| matches!(request.receiving, Receiving::Head { .. }))
    }
}

/// What the client reads: enough to know whom to ask, nothing about the servers behind.
const fn sentence(cause: Cause) -> &'static str {
    match cause {
        Cause::Refused(reason) => reason.why(),
        Cause::RequestSlow => "the request came too slowly",
        Cause::Undialled(Undialled::NobodyUp) => "no backend is up",
        Cause::Undialled(Undialled::Full) => "every backend is busy",
        Cause::Undialled(Undialled::Exhausted) => "the proxy is out of connections",
        Cause::Undialled(Undialled::Failed(Fault::TimedOut)) => "the backend did not connect",
        Cause::Undialled(Undialled::Failed(_)) => "the backend refused the connection",
        Cause::ServerBroke(_) => "the backend closed the connection without an answer",
        Cause::ResponseBroken(_) => "the backend's answer is malformed",
        Cause::ResponseSlow => "the backend did not answer in time",
    }
}
