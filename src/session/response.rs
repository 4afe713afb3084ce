//! Facts from the server: heads, bodies, and the end of its stream.
//!
//! The rule for a second try is here, in one place ([`Exchange::retry`]): nothing of a final
//! answer was seen, every byte sent is still here, the method may be repeated (RFC 9110 section
//! 9.2.2), and tries are left. A kept connection that dies says nothing about its server, so the
//! same one may be asked over a new connection; a new connection that dies does, and the next
//! server is asked.

use super::exchange::Exchange;
use super::exchange::Keep;
use super::exchange::Life;
use super::exchange::Phase;
use super::exchange::Receiving;
use super::exchange::Sending;
use super::exchange::Server;
use super::step::Cause;
use super::step::Wish;
use crate::base::Fault;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;
use crate::base::time::Span;
use crate::http::Framing;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::http::chunked::Chunked;
use crate::http::chunked::Keep as ChunkKeep;
use crate::http::emit;
use crate::http::head;
use crate::http::head::HeadScan;
use crate::http::head::ResponseHead;
use crate::http::head::Upgrade;
use crate::limits;

impl Exchange {
    pub(super) fn server_sent(&mut self, count: usize, scratch: &mut Vec<u8>, now: Moment) {
        self.down.filled(count);
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some(request) = &mut self.request else {
            return;
        };
        if request.replayable && !planted(Bug::RetryAfterAnswerBegan) {
            request.replayable = false;
            self.up.release();
        }
        // A head that trickles in does not move the deadline.
        if !self.awaits_head() {
            self.mark = now;
        }
        let result = self
            .look_for_response(scratch, now)
            .and_then(|()| self.judge_response());
        if let Err(reject) = result {
            self.break_response(reject, scratch);
        }
    }

    /// Reads heads, interim and final, until the body begins or bytes are missing.
    fn look_for_response(&mut self, scratch: &mut Vec<u8>, now: Moment) -> Result<(), Reject> {
        while let Some(request) = &mut self.request {
            let Receiving::Head {
                scan,
                interims,
                keeps,
            } = &mut request.receiving
            else {
                break;
            };
            if self.down.unjudged().is_empty() {
                break;
            }
            let Some(found) = scan.find(self.down.unjudged(), limits::HEAD_BYTES_MAX)? else {
                // An interim answer that waits in front of it makes room when it is written.
                let room = self.down.room() > 0 || !self.down.pending().is_empty();
                return if room {
                    Ok(())
                } else {
                    Err(refusal(Reason::HeadTooLarge))
                };
            };
            let to_head = request.head.method.is_head();
            let head = head::response(&self.down.unjudged()[..found], to_head)?;
            scratch.clear();
            self.mark = now;
            let agreed = head.status == 200 && planted(Bug::OkIsUpgrade);
            if head.status == 101 || (agreed && request.head.upgrade == Upgrade::Wanted) {
                return self.switch(&head, found, scratch);
            }
            let keeps = *keeps && head.persistent;
            if head.interim {
                let interims = *interims + 1;
                request.receiving = Receiving::Head {
                    scan: HeadScan::response(),
                    interims,
                    keeps,
                };
                self.pass_interim(&head, found, interims, scratch)?;
                if planted(Bug::FinalBehindInterimLost) {
                    break;
                }
            } else {
                self.begin_answer(&head, found, keeps, scratch);
            }
        }
        Ok(())
    }

    /// Interim answers go to HTTP/1.1 clients (RFC 9110 section 15.2); a `100` is our own word.
    fn pass_interim(
        &mut self,
        head: &ResponseHead,
        length: usize,
        interims: u8,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        if interims > limits::INTERIM_RESPONSES_MAX {
            return Err(refusal(Reason::StatusInvalid));
        }
        let modern = self
            .request
            .as_ref()
            .is_some_and(|r| matches!(r.head.version, Version::Http11));
        if modern && head.status != 100 {
            emit::interim(scratch, &self.down.unjudged()[..length], head);
        }
        self.count_head(scratch.len());
        self.down.replace(length, scratch);
        Ok(())
    }

    /// The server has agreed to another protocol (RFC 9110 section 7.8): from here on the
    /// connection is a tunnel. Only now may bytes that the client sent behind its head go on.
    fn switch(
        &mut self,
        head: &ResponseHead,
        length: usize,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        let wanted = self
            .request
            .as_ref()
            .is_some_and(|r| r.head.upgrade == Upgrade::Wanted);
        let sent = self.up.pending().is_empty() && self.up.piped() == 0;
        if !wanted || !sent {
            return Err(refusal(Reason::StatusInvalid));
        }
        emit::interim(scratch, &self.down.unjudged()[..length], head);
        self.down.replace(length, scratch);
        self.count_head(scratch.len());
        if let Some(account) = &mut self.account {
            account.status = head.status;
        }
        self.phase = Phase::Switched;
        Ok(())
    }

    /// The final head: decides how the body goes out and whether the client stays.
    fn begin_answer(
        &mut self,
        head: &ResponseHead,
        length: usize,
        keeps: bool,
        scratch: &mut Vec<u8>,
    ) {
        let Some(request) = &mut self.request else {
            return;
        };
        let modern = matches!(request.head.version, Version::Http11);
        let keep = if keeps {
            Keep::For(
                head.keep_alive_timeout
                    .map(|seconds| Span::seconds(u64::from(seconds))),
            )
        } else {
            Keep::Not
        };
        let (receiving, framing) = match head.framing {
            Framing::None | Framing::Length(0) => (Receiving::Whole, head.framing),
            Framing::Length(length) => (Receiving::Length(length), head.framing),
            Framing::Chunked if modern => (
                Receiving::Chunked(Chunked::new(ChunkKeep::Framing)),
                Framing::Chunked,
            ),
            Framing::Chunked => (
                Receiving::Chunked(Chunked::new(ChunkKeep::Data)),
                Framing::UntilClose,
            ),
            Framing::UntilClose if modern => {
                (Receiving::UntilClose { chunks: true }, Framing::Chunked)
            }
            Framing::UntilClose => (Receiving::UntilClose { chunks: false }, Framing::UntilClose),
        };
        // An answer before the request is whole: the rest of it has no place to go.
        let early = !matches!(request.sending, Sending::Whole);
        let closes = matches!(framing, Framing::UntilClose);
        request.persistent &= !early && !closes && self.life != Life::Last;
        request.receiving = receiving;
        self.server_keep = keep;
        if let Some(account) = &mut self.account {
            account.status = head.status;
        }
        let answer = emit::Answer {
            to: request.head.version,
            persistent: request.persistent,
            framing,
        };
        emit::response(scratch, &self.down.unjudged()[..length], head, answer);
        self.count_head(scratch.len());
        self.down.replace(length, scratch);
        self.check_whole();
    }

    /// A head of so many bytes goes to the client.
    fn count_head(&mut self, bytes: usize) {
        if let Some(account) = &mut self.account {
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            account.heads = account.heads.saturating_add(bytes);
        }
    }

    /// Passes what has come of the body on.
    fn judge_response(&mut self) -> Result<(), Reject> {
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        match &mut request.receiving {
            Receiving::Head { .. } | Receiving::Whole => return Ok(()),
            Receiving::Length(left) => {
                let here = self.down.unjudged().len();
                let count = usize::try_from(*left).map_or(here, |left| left.min(here));
                self.down.pass(count);
                *left -= count as u64;
                if *left > 0 {
                    return Ok(());
                }
            }
            Receiving::Chunked(chunked) => {
                let progress = chunked.filter(self.down.unjudged_mut())?;
                self.down.squeeze(progress.consumed, progress.produced);
                if !progress.done {
                    return Ok(());
                }
            }
            Receiving::UntilClose { chunks } => {
                if !*chunks {
                    let count = self.down.unjudged().len();
                    self.down.pass(count);
                } else {
                    self.down.wrap_chunk();
                }
                return Ok(());
            }
        }
        request.receiving = Receiving::Whole;
        self.check_whole();
        Ok(())
    }

    /// Once the answer is whole the server connection is free, or has to go: surplus bytes, an
    /// end, an unfinished request or the server's own word spoil it (RFC 9112 section 9.3).
    pub(super) fn check_whole(&mut self) {
        let Some(request) = &self.request else { return };
        if !matches!(request.receiving, Receiving::Whole) {
            return;
        }
        let sent = matches!(request.sending, Sending::Whole)
            && self.up.pending().is_empty()
            && self.up.piped() == 0
            || planted(Bug::EarlyAnswerReused);
        let surplus = self.down.unjudged().len();
        let clean = sent
            && (surplus == 0 || planted(Bug::SurplusConnectionReused))
            && matches!(self.server_keep, Keep::For(_))
            && matches!(self.server, Server::Attached { deaf: false, .. });
        if !planted(Bug::SurplusBytesKept) {
            self.down.drop_unjudged();
        }
        self.up.discard_pending();
        self.server = Server::Leaving { clean };
    }

    fn break_response(&mut self, reject: Reject, scratch: &mut Vec<u8>) {
        if self.awaits_head() {
            self.down.drop_unjudged();
            self.answer(502, Cause::ResponseBroken(reject.reason), scratch);
        } else {
            self.cut(Fault::Other(0));
        }
    }

    /// The server's stream is over, in order or by an error.
    pub(super) fn server_ended(
        &mut self,
        fault: Option<Fault>,
        scratch: &mut Vec<u8>,
        now: Moment,
    ) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        let Some(request) = &mut self.request else {
            return;
        };
        let chunked = matches!(request.receiving, Receiving::Chunked(_)) && fault.is_none();
        if chunked && planted(Bug::CutChunksLookWhole) {
            request.receiving = Receiving::UntilClose { chunks: true };
        }
        match &request.receiving {
            Receiving::Head { .. } => {
                let began = !self.down.unjudged().is_empty();
                let fault = fault.unwrap_or(Fault::Ended);
                let final_word = began && !planted(Bug::RetryAfterAnswerBegan);
                if final_word || !self.retry() {
                    self.down.drop_unjudged();
                    self.answer(502, Cause::ServerBroke(fault), scratch);
                }
                self.mark = now;
            }
            Receiving::UntilClose { chunks } if fault.is_none() => {
                let chunks = *chunks;
                request.receiving = Receiving::Whole;
                self.server_keep = Keep::Not;
                if chunks && self.down.is_empty() {
                    self.say_aside(LAST_CHUNK);
                } else if chunks {
                    self.down.append(LAST_CHUNK);
                }
                self.check_whole();
            }
            Receiving::UntilClose { .. } | Receiving::Length(_) | Receiving::Chunked(_) => {
                self.cut(fault.unwrap_or(Fault::Ended));
            }
            Receiving::Whole => {}
        }
    }

    /// Tries once more, if that can do no harm.
    fn retry(&mut self) -> bool {
        let reused = matches!(self.server, Server::Attached { reused: true, .. });
        let Some(request) = &mut self.request else {
            return false;
        };
        let quiet = matches!(request.receiving, Receiving::Head { interims: 0, .. });
        let never = planted(Bug::NeverRetries);
        if never || !quiet || !request.replayable || request.tries >= self.policy.tries {
            return false;
        }
        self.server = Server::Leaving { clean: false };
        self.phase = Phase::Wanting(if reused { Wish::Fresh } else { Wish::Elsewhere });
        true
    }
}

/// The end of a body in chunks, without trailers.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

const fn refusal(reason: Reason) -> Reject {
    Reject {
        status: 502,
        reason,
    }
}
