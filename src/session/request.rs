//! Facts from the client: heads, bodies, the end of its stream, its errors.

use super::deadline::Waiting;
use super::exchange::Exchange;
use super::exchange::Life;
use super::exchange::Named;
use super::exchange::Phase;
use super::exchange::Receiving;
use super::exchange::Running;
use super::exchange::Sending;
use super::exchange::Server;
use super::step::Cause;
use super::step::Dialled;
use super::step::Outcome;
use super::step::Record;
use super::step::Undialled;
use super::step::Way;
use super::step::Wish;
use crate::base::Fault;
use crate::base::Side;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::config::Forwarded;
use crate::http::Framing;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::http::chunked::Chunked;
use crate::http::chunked::Keep as ChunkKeep;
use crate::http::emit;
use crate::http::head;
use crate::http::head::HeadScan;
use crate::http::head::Upgrade;
use crate::limits;
use crate::tally::End;

impl Exchange {
    pub(super) fn filled(&mut self, side: Side, count: usize, scratch: &mut Vec<u8>, now: Moment) {
        match side {
            Side::Client => self.client_sent(count, scratch, now),
            Side::Server => self.server_sent(count, scratch, now),
        }
    }

    fn client_sent(&mut self, count: usize, scratch: &mut Vec<u8>, now: Moment) {
        self.up.filled(count);
        match &mut self.phase {
            Phase::Idle => {
                self.phase = Phase::Head(HeadScan::request());
                self.mark = now;
                self.look_for_head(scratch);
            }
            Phase::Head(_) => {
                if planted(Bug::TrickleExtendsHead) {
                    self.mark = now;
                }
                self.look_for_head(scratch);
            }
            Phase::Lingering(left) => {
                self.up.clear();
                match left.checked_sub(count) {
                    Some(rest) => *left = rest,
                    None => self.phase = Phase::Over(Outcome::Done),
                }
            }
            Phase::Running => {
                self.mark = now;
                self.judge_body(scratch);
            }
            Phase::Wanting(_)
            | Phase::Dialling
            | Phase::Redialling
            | Phase::Switched
            | Phase::Replying
            | Phase::Finishing
            | Phase::Over(_) => {}
        }
    }

    /// Goes on with the bytes behind the request that was answered, if there are any.
    pub(super) fn next_request(&mut self) {
        self.life = Life::Kept;
        self.phase = Phase::Idle;
        if !self.up.unjudged().is_empty() {
            self.phase = Phase::Head(HeadScan::request());
            let mut scratch = Vec::new();
            self.look_for_head(&mut scratch);
        }
    }

    /// Searches for the end of the head among the unjudged bytes; judges the head if it is whole.
    fn look_for_head(&mut self, scratch: &mut Vec<u8>) {
        let Phase::Head(scan) = &mut self.phase else {
            return;
        };
        let found = scan.find(self.up.unjudged(), self.policy.request_head);
        let judged = match found {
            Ok(None) => {
                if self.up.room() > 0 {
                    return;
                }
                // Long, but not too long: it gets the memory that its policy grants.
                self.up.widen(self.policy.request_head);
                if self.up.room() > 0 {
                    return;
                }
                Err(Kind::Request.reject(Reason::HeadTooLarge))
            }
            Ok(Some(end)) => {
                let lead = scan.lead();
                self.up.skip(lead);
                let length = end - lead;
                let id = self.policy.id_field();
                head::request_with_id(&self.up.unjudged()[..length], id).map(|head| (head, length))
            }
            Err(reject) => Err(reject),
        };
        match judged {
            Ok((head, length)) => match self.bounded(&head) {
                Ok(()) => self.begin(head, length),
                Err(reject) => self.turn_away(reject, head, length, scratch),
            },
            Err(reject) => self.refuse(reject, scratch),
        }
    }

    /// A request whose head is sound wants a server.
    ///
    /// One that asks for another protocol is the last of its connection, unless it gets it: RFC
    /// 9110 section 7.8 lets a client that has sent its request go on in the new protocol at once,
    /// so that what comes behind the head, however late, may be of that protocol, and may have
    /// been chosen by somebody else to look like a request (RFC 9931). No WebSocket client has a
    /// use for a connection that did not become one, and none sends anything before the 101 (RFC
    /// 6455 section 4.1): closing costs nobody anything. nginx and HAProxy execute such bytes.
    fn begin(&mut self, head: head::RequestHead, head_bytes: usize) {
        let idempotent = head.method.is_idempotent();
        let sending = match head.framing {
            Framing::None | Framing::UntilClose | Framing::Length(0) => Sending::Whole,
            Framing::Length(length) => Sending::Length(length),
            Framing::Chunked => {
                Sending::Chunked(Chunked::new(ChunkKeep::Framing).bounded(self.policy.body))
            }
        };
        self.requests = self.requests.saturating_add(1);
        self.account = Some(Record {
            method: head.method,
            status: 0,
            own: false,
            heads: 0,
            end: End::Ok,
        });
        let running = Running {
            head,
            head_bytes,
            host: Named::Kept,
            sending,
            receiving: Receiving::Head {
                scan: HeadScan::response(),
                interims: 0,
                keeps: true,
            },
            tries: 0,
            persistent: head.persistent
                && head.upgrade != Upgrade::Wanted
                && self.requests != self.policy.requests
                && self.life != Life::Last,
            replayable: idempotent || planted(Bug::PostRetried),
        };
        self.request = Some(match self.vacant.take() {
            Some(mut memory) => {
                *memory = running;
                memory
            }
            None => Box::new(running),
        });
        let repeatable = idempotent && fits(head.framing, head_bytes);
        self.phase = Phase::Wanting(if repeatable { Wish::Any } else { Wish::Young });
    }

    pub(super) fn dialled(&mut self, got: Dialled<'_>, scratch: &mut Vec<u8>, now: Moment) {
        let Some(request) = &mut self.request else {
            return;
        };
        self.mark = now;
        self.phase = Phase::Running;
        self.server = Server::Attached {
            reused: got.reused,
            deaf: false,
        };
        request.tries = request.tries.saturating_add(1);
        scratch.clear();
        if request.head_bytes > 0 {
            let received = &self.up.unjudged()[..request.head_bytes];
            let said = request.head.host(received);
            // HTTP/1.0 clients need not name a host; servers of today want one.
            request.host = if said.is_empty() {
                Named::Supplied
            } else if got.own_host {
                Named::Replaced(String::from_utf8_lossy(said).into())
            } else {
                Named::Kept
            };
            let keep = request.host == Named::Kept;
            let forward = emit::Forward {
                client: self.client,
                scheme: if self.policy.client_is_tls {
                    "https"
                } else {
                    "http"
                },
                host: if keep {
                    emit::HostRule::Keep
                } else {
                    emit::HostRule::Literal(got.authority)
                },
                trusted: self.trusted,
                told: told(self.policy.forwarded),
                upgrade: request.head.upgrade == Upgrade::Wanted,
                id: self.policy.id(got.number),
            };
            emit::request(scratch, received, &request.head, &forward);
            self.up.replace(request.head_bytes, scratch);
            request.head_bytes = 0;
            self.welcome_body();
            self.judge_body(scratch);
        } else {
            if !planted(Bug::RetrySendsRest) {
                self.up.rewind();
            }
            self.rename(got, scratch);
        }
    }

    /// A head that goes to a second server names that one, or the client's host again.
    fn rename(&mut self, got: Dialled<'_>, scratch: &mut Vec<u8>) {
        let Some(request) = &mut self.request else {
            return;
        };
        let sent = self.up.replayable();
        if got.own_host && request.host == Named::Kept {
            let said = emit::host_of(sent);
            request.host = Named::Replaced(String::from_utf8_lossy(said).into());
        }
        let host = match &request.host {
            Named::Kept => return,
            Named::Replaced(_) if got.own_host => got.authority,
            Named::Replaced(said) => said,
            Named::Supplied => got.authority,
        };
        let old = emit::rehost(scratch, sent, host);
        self.up.replace_kept(old, scratch);
    }

    /// Tells a client that waits for it to send its body (RFC 9110 section 10.1.1).
    fn welcome_body(&mut self) {
        let Some(request) = &self.request else { return };
        let waits = request.head.expects_continue
            && matches!(request.head.version, Version::Http11)
            && !matches!(request.sending, Sending::Whole)
            && self.up.unjudged().is_empty();
        if waits && matches!(self.phase, Phase::Running) {
            self.say_aside(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// Passes what has come of the body on.
    fn judge_body(&mut self, scratch: &mut Vec<u8>) {
        let Some(request) = &mut self.request else {
            return;
        };
        match &mut request.sending {
            Sending::Length(left) => {
                let here = self.up.unjudged().len();
                let count = usize::try_from(*left).map_or(here, |left| left.min(here));
                self.up.pass(count);
                *left -= count as u64;
                if *left == 0 {
                    request.sending = Sending::Whole;
                }
            }
            Sending::Chunked(chunked) => match chunked.filter(self.up.unjudged_mut()) {
                Ok(progress) => {
                    self.up.squeeze(progress.consumed, progress.produced);
                    if progress.done {
                        request.sending = Sending::Whole;
                    }
                }
                Err(reject) => self.break_request(reject, scratch),
            },
            Sending::Whole if planted(Bug::UpgradeBeforeConsent) => {
                if request.head.upgrade == Upgrade::Wanted {
                    self.up.pass(self.up.unjudged().len());
                }
            }
            Sending::Whole => {}
        }
        self.discard_for_deaf();
    }

    /// A server that takes no more of the request: what the client still sends is thrown away, so
    /// that it gets to reading the answer. What a retry needs is kept.
    fn discard_for_deaf(&mut self) {
        let replayable = self
            .request
            .as_ref()
            .is_some_and(|request| request.replayable);
        if matches!(self.server, Server::Attached { deaf: true, .. }) && !replayable {
            self.up.discard_pending();
        }
    }

    /// The body is malformed in the middle: the server must see a cut request, the client why.
    fn break_request(&mut self, reject: Reject, scratch: &mut Vec<u8>) {
        if self.response_begun() {
            self.phase = Phase::Over(Outcome::Refused(reject.reason));
            return;
        }
        self.server = Server::Leaving { clean: false };
        self.refuse(reject, scratch);
    }

    pub(super) fn response_begun(&self) -> bool {
        self.request
            .as_ref()
            .is_some_and(|request| !matches!(request.receiving, Receiving::Head { .. }))
    }

    pub(super) fn ended(&mut self, side: Side, scratch: &mut Vec<u8>, now: Moment) {
        match side {
            Side::Server => self.server_ended(None, scratch, now),
            Side::Client => {
                self.up.source_ended = true;
                let cut = self.request.as_ref().is_some_and(|request| {
                    matches!(request.sending, Sending::Length(_) | Sending::Chunked(_))
                });
                if cut && matches!(self.phase, Phase::Running | Phase::Replying) {
                    self.phase = Phase::Over(Outcome::ClientGone);
                }
            }
        }
    }

    pub(super) fn broke(
        &mut self,
        side: Side,
        way: Way,
        fault: Fault,
        scratch: &mut Vec<u8>,
        now: Moment,
    ) {
        match (side, way) {
            (Side::Client, _) => {
                let idle = matches!(self.phase, Phase::Idle | Phase::Lingering(_));
                let outcome = if idle {
                    Outcome::Done
                } else {
                    Outcome::ClientGone
                };
                self.phase = Phase::Over(outcome);
            }
            (Side::Server, Way::Reading) => self.server_ended(Some(fault), scratch, now),
            (Side::Server, Way::Writing) => {
                // An answer may be waiting behind the error: it is read before anything is
                // concluded.
                if let Server::Attached { deaf, .. } = &mut self.server {
                    *deaf = true;
                    self.discard_for_deaf();
                }
            }
        }
    }

    pub(super) fn undialled(&mut self, why: Undialled, scratch: &mut Vec<u8>, now: Moment) {
        self.mark = now;
        let status = match why {
            Undialled::NobodyUp | Undialled::Full | Undialled::Exhausted => 503,
            Undialled::Failed(Fault::TimedOut) => 504,
            Undialled::Failed(_) => 502,
        };
        self.answer(status, Cause::Undialled(why), scratch);
    }

    pub(super) fn expired(&mut self, scratch: &mut Vec<u8>, now: Moment) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.mark = now;
        match &self.phase {
            Phase::Idle => self.phase = Phase::Over(Outcome::Idle),
            Phase::Head(_) => self.answer(408, Cause::RequestSlow, scratch),
            Phase::Dialling => self.phase = Phase::Redialling,
            Phase::Replying | Phase::Finishing => {
                self.phase = Phase::Over(Outcome::ClientSlow);
            }
            Phase::Lingering(_) => self.phase = Phase::Over(Outcome::Done),
            Phase::Running => match self.running_waits() {
                Waiting::ClientTakes => self.phase = Phase::Over(Outcome::ClientSlow),
                Waiting::ClientSends => {
                    self.server = Server::Leaving { clean: false };
                    self.answer(408, Cause::RequestSlow, scratch);
                }
                Waiting::Response => {
                    self.server = Server::Leaving { clean: false };
                    self.answer(504, Cause::ResponseSlow, scratch);
                }
                Waiting::ResponseBody
                | Waiting::FirstHead
                | Waiting::NextHead
                | Waiting::Head
                | Waiting::Dial
                | Waiting::Linger => self.cut(Fault::TimedOut),
            },
            Phase::Wanting(_) | Phase::Redialling | Phase::Switched | Phase::Over(_) => {}
        }
    }
}

/// Whether all of the request is sure to be still here when its server breaks off: what is longer
/// than a window is let go as it is sent. The head may grow by the headroom.
fn fits(framing: Framing, head_bytes: usize) -> bool {
    let room = limits::WINDOW_READ_BYTES - limits::WINDOW_HEADROOM_BYTES;
    match framing {
        Framing::None | Framing::UntilClose | Framing::Length(0) => true,
        Framing::Length(body) => body <= room.saturating_sub(head_bytes) as u64,
        Framing::Chunked => false,
    }
}

const fn told(forwarded: Forwarded) -> emit::Told {
    match forwarded {
        Forwarded::XForwarded => emit::Told::Each,
        Forwarded::Rfc7239 => emit::Told::One,
        Forwarded::Both => emit::Told::Both,
        Forwarded::Off => emit::Told::Nothing,
    }
}

const _: () = assert!(limits::LINGER_BYTES_MAX >= limits::WINDOW_READ_BYTES);

#[cfg(test)]
mod tests;
