//! Long bodies through pipes: the bytes never pass through the program.
//!
//! Only the body of a known length, or one that is passed on as it is until its end, qualifies:
//! of all others the program has to see the bytes. A pipe is used when the window is empty, and
//! the window only when the pipe is, so their order needs no bookkeeping. What goes in is bounded
//! by what is left of the body: not a byte of what is behind it goes along.

use super::exchange::Exchange;
use super::exchange::Receiving;
use super::exchange::Sending;
use super::step::Step;
use crate::base::Side;
use crate::base::time::Moment;
use crate::limits;

impl Exchange {
    /// Whether bytes wait to be taken by the client.
    pub(super) fn waits_for_client(&self) -> bool {
        !self.pending(Side::Client).is_empty() || self.down.piped() > 0
    }

    /// How those bytes go out.
    pub(super) fn write_client(&self) -> Step {
        if self.pending(Side::Client).is_empty() {
            return Step::Pour(Side::Client);
        }
        Step::Write(Side::Client)
    }

    /// Whether what comes next from `side` is to go through a pipe.
    pub(super) fn splices(&self, side: Side) -> bool {
        let half = match side {
            Side::Client => &self.up,
            Side::Server => &self.down,
        };
        // Bytes of our own on their way to the client would be overtaken.
        let own = side == Side::Server && self.aside.is_some();
        half.is_bulk()
            && half.is_empty()
            && !own
            && self
                .body_left(side)
                .is_some_and(|left| left >= limits::SPLICE_BYTES_MIN)
    }

    pub(super) fn splice_most(&self, side: Side) -> usize {
        let left = self.body_left(side).unwrap_or(0);
        usize::try_from(left).map_or(limits::PIPE_BYTES, |left| left.min(limits::PIPE_BYTES))
    }

    /// How much of a body that may go through a pipe is still to come.
    fn body_left(&self, side: Side) -> Option<u64> {
        let request = self.request.as_ref()?;
        match side {
            Side::Client => match &request.sending {
                Sending::Length(left) => Some(*left),
                Sending::Chunked(_) | Sending::Whole => None,
            },
            Side::Server => match &request.receiving {
                Receiving::Length(left) => Some(*left),
                Receiving::UntilClose { chunks: false } => Some(u64::MAX),
                Receiving::UntilClose { chunks: true }
                | Receiving::Head { .. }
                | Receiving::Chunked(_)
                | Receiving::Whole => None,
            },
        }
    }

    pub(super) fn piped(&mut self, side: Side, count: usize, now: Moment) {
        self.mark = now;
        let Some(request) = &mut self.request else {
            return;
        };
        match side {
            Side::Client => {
                self.up.fill_pipe(count);
                request.replayable = false;
                if let Sending::Length(left) = &mut request.sending {
                    *left = left
                        .checked_sub(count as u64)
                        .expect("splice_most is no more than what is left");
                    if *left == 0 {
                        request.sending = Sending::Whole;
                    }
                }
            }
            Side::Server => {
                self.down.fill_pipe(count);
                if let Receiving::Length(left) = &mut request.receiving {
                    *left = left
                        .checked_sub(count as u64)
                        .expect("splice_most is no more than what is left");
                    if *left == 0 {
                        request.receiving = Receiving::Whole;
                    }
                }
                self.check_whole();
            }
        }
    }

    pub(super) fn poured(&mut self, side: Side, count: usize, now: Moment) {
        self.mark = now;
        match side {
            Side::Client => self.down.poured(count),
            Side::Server => self.up.poured(count),
        }
    }
}
