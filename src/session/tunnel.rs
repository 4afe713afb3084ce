//! The TCP session: bytes both ways, and half-close kept (RFC 9293 section 3.6).
//!
//! An end that one side has sent is passed on once the bytes before it are written; the other
//! way goes on until it ends too. Both directions are the same code over two [`Half`]s.

use std::rc::Rc;

use super::deadline;
use super::half::Half;
use super::step::Can;
use super::step::Incident;
use super::step::Outcome;
use super::step::Policy;
use super::step::Record;
use super::step::Step;
use super::step::Undialled;
use super::step::Way;
use super::step::Wish;
use crate::base::Fault;
use crate::base::Side;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::base::time::Moment;

/// A client joined to a server, byte for byte.
#[derive(Debug)]
pub struct Tunnel {
    pub(super) policy: Rc<Policy>,
    pub(super) up: Half,
    pub(super) down: Half,
    phase: Phase,
    /// There is nothing, or nothing more, to be agreed on with the client.
    greeted: bool,
    /// When the phase began, or a byte last moved.
    mark: Moment,
    pub(super) incident: Option<Incident>,
    /// The request that this was.
    pub(super) record: Option<Record>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// TLS with the client is being agreed on: nobody is troubled before that.
    Greeting,
    /// A server is wanted.
    Wanting,
    /// The engine is dialling.
    Dialling,
    /// The attempt took too long.
    Redialling,
    Running,
    Over(Outcome),
}

impl Tunnel {
    /// For a client that has just connected.
    #[must_use]
    pub fn new(policy: Rc<Policy>, now: Moment) -> Self {
        let phase = if policy.client_is_tls {
            Phase::Greeting
        } else {
            Phase::Wanting
        };
        Self {
            policy,
            up: Half::default(),
            down: Half::default(),
            greeted: phase != Phase::Greeting,
            phase,
            mark: now,
            incident: None,
            record: None,
        }
    }

    /// For two sides that have agreed on what goes through it: what is here already goes first.
    pub(super) fn joined(policy: Rc<Policy>, mut up: Half, mut down: Half, now: Moment) -> Self {
        for half in [&mut up, &mut down] {
            half.release();
            half.pass(half.unjudged().len());
        }
        Self {
            policy,
            up,
            down,
            phase: Phase::Running,
            greeted: true,
            mark: now,
            incident: None,
            record: None,
        }
    }

    pub(super) fn next(&mut self, can: Can) -> Step {
        match self.phase {
            Phase::Greeting if can.greeting() && can.read(Side::Client) => Step::Read(Side::Client),
            Phase::Greeting if can.greeting() => Step::Wait,
            Phase::Greeting | Phase::Wanting => {
                self.greeted = true;
                self.phase = Phase::Dialling;
                Step::Dial(Wish::Fresh)
            }
            Phase::Redialling => {
                self.phase = Phase::Dialling;
                Step::Redial(Fault::TimedOut)
            }
            Phase::Dialling => Step::Wait,
            Phase::Over(outcome) => Step::End(outcome),
            Phase::Running => self
                .direction(Side::Client, can)
                .or_else(|| self.direction(Side::Server, can))
                .unwrap_or_else(|| self.over()),
        }
    }

    /// What can be done for the bytes that come from `source`.
    fn direction(&self, source: Side, can: Can) -> Option<Step> {
        let half = self.half(source);
        let target = source.other();
        if half.source_ended && !half.target_finished && planted(Bug::EndOvertakesBytes) {
            return Some(Step::Finish(target));
        }
        if half.piped() > 0 {
            return can.write(target).then_some(Step::Pour(target));
        }
        if !half.pending().is_empty() {
            if can.write(target) {
                return Some(Step::Write(target));
            }
        } else if half.source_ended && !half.target_finished && can.finish(target) {
            return Some(Step::Finish(target));
        }
        if half.source_ended || !can.read(source) {
            return None;
        }
        if can.pipe() && half.is_bulk() && half.is_empty() {
            return Some(Step::Fill(source));
        }
        (half.room() > 0).then_some(Step::Read(source))
    }

    fn over(&mut self) -> Step {
        if self.up.target_finished && self.down.target_finished {
            self.phase = Phase::Over(Outcome::Done);
            return Step::End(Outcome::Done);
        }
        Step::Wait
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        let timeouts = &self.policy.timeouts;
        match self.phase {
            Phase::Wanting | Phase::Redialling | Phase::Over(_) => None,
            Phase::Greeting => Some(self.mark + timeouts.client.head),
            Phase::Dialling => Some(self.mark + timeouts.server.connect),
            Phase::Running => Some(self.mark + deadline::tunnel(timeouts)),
        }
    }

    pub(super) const fn half(&self, source: Side) -> &Half {
        match source {
            Side::Client => &self.up,
            Side::Server => &self.down,
        }
    }

    const fn half_mut(&mut self, source: Side) -> &mut Half {
        match source {
            Side::Client => &mut self.up,
            Side::Server => &mut self.down,
        }
    }

    pub(super) fn filled(&mut self, side: Side, count: usize, now: Moment) {
        self.mark = now;
        let half = self.half_mut(side);
        half.filled(count);
        half.pass(count);
    }

    pub(super) fn piped(&mut self, side: Side, count: usize, now: Moment) {
        self.mark = now;
        self.half_mut(side).fill_pipe(count);
    }

    pub(super) fn poured(&mut self, side: Side, count: usize, now: Moment) {
        if !planted(Bug::WritingDoesNotCount) {
            self.mark = now;
        }
        self.half_mut(side.other()).poured(count);
    }

    pub(super) fn wrote(&mut self, side: Side, count: usize, now: Moment) {
        if !planted(Bug::WritingDoesNotCount) {
            self.mark = now;
        }
        self.half_mut(side.other()).wrote(count, false);
    }

    pub(super) const fn ended(&mut self, side: Side, now: Moment) {
        self.mark = now;
        self.half_mut(side).source_ended = true;
    }

    pub(super) const fn finished(&mut self, side: Side, now: Moment) {
        self.mark = now;
        self.half_mut(side.other()).target_finished = true;
    }

    /// One side was reset: the other must see that too, or it would take the part for the whole.
    /// A server that takes no more may have left a last word: it is read before anything is
    /// concluded, and what the client still sends goes nowhere.
    pub(super) fn broke(&mut self, side: Side, way: Way, fault: Fault) {
        if (side, way) == (Side::Server, Way::Writing) {
            self.up.clear();
            self.up.source_ended = true;
            self.up.target_finished = true;
            return;
        }
        self.phase = Phase::Over(match side {
            // It got nothing yet that could look whole, but maybe a word about what is wrong.
            Side::Client if self.phase == Phase::Greeting => Outcome::Done,
            Side::Client => Outcome::ClientGone,
            Side::Server => Outcome::Cut(fault),
        });
    }

    pub(super) const fn dialled(&mut self, now: Moment) {
        self.phase = Phase::Running;
        self.mark = now;
    }

    pub(super) const fn undialled(&mut self, why: Undialled) {
        self.incident = Some(Incident::Answered(0, super::step::Cause::Undialled(why)));
        self.phase = Phase::Over(Outcome::NoServer(why));
    }

    /// Whether TLS with the client is agreed on, if there is any: a tunnel that counts.
    pub(super) fn has_begun(&self) -> bool {
        self.greeted
    }

    pub(super) const fn touch(&mut self, now: Moment) {
        self.mark = now;
    }

    pub(super) fn expired(&mut self, now: Moment) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.mark = now;
        self.phase = match self.phase {
            Phase::Greeting => Phase::Over(Outcome::Idle),
            Phase::Dialling => Phase::Redialling,
            Phase::Running => Phase::Over(Outcome::TunnelIdle),
            other @ (Phase::Wanting | Phase::Redialling | Phase::Over(_)) => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::buffer::Pool;
    use crate::config::ClientTimeouts;
    use crate::session::Timeouts;

    #[test]
    fn a_last_word_is_read_from_a_server_that_takes_no_more() {
        let mut tunnel = Tunnel::new(Rc::new(Policy::default()), Moment(0));
        let all = Can::NOTHING
            .with_read(Side::Client, true)
            .with_write(Side::Client, true)
            .with_read(Side::Server, true)
            .with_write(Side::Server, true);
        let mut pool = Pool::new(2);
        assert_eq!(tunnel.next(all), Step::Dial(Wish::Fresh));
        tunnel.dialled(Moment(1));
        for side in [Side::Client, Side::Server] {
            tunnel.half_mut(side).lend(pool.take().unwrap());
        }
        assert_eq!(tunnel.next(all), Step::Read(Side::Client));
        tunnel.half_mut(Side::Client).space()[..4].copy_from_slice(b"more");
        tunnel.filled(Side::Client, 4, Moment(2));
        assert_eq!(tunnel.next(all), Step::Write(Side::Server));
        tunnel.broke(Side::Server, Way::Writing, Fault::Reset);
        assert_eq!(tunnel.next(all), Step::Read(Side::Server));
        tunnel.half_mut(Side::Server).space()[..3].copy_from_slice(b"bye");
        tunnel.filled(Side::Server, 3, Moment(3));
        assert_eq!(tunnel.next(all), Step::Write(Side::Client));
        assert_eq!(tunnel.half(Side::Server).pending(), b"bye");
        tunnel.wrote(Side::Client, 3, Moment(3));
        tunnel.ended(Side::Server, Moment(4));
        assert_eq!(tunnel.next(all), Step::Finish(Side::Client));
        tunnel.finished(Side::Client, Moment(4));
        assert_eq!(tunnel.next(all), Step::End(Outcome::Done));
    }

    #[test]
    fn nobody_is_dialled_before_tls_is_agreed_on() {
        let policy = Policy {
            client_is_tls: true,
            timeouts: Timeouts {
                client: ClientTimeouts::default(),
                ..Timeouts::default()
            },
            ..Policy::default()
        };
        let head = policy.timeouts.client.head;
        let policy = Rc::new(policy);
        let greeting = Can::NOTHING.with_greeting(true);
        let mut tunnel = Tunnel::new(Rc::clone(&policy), Moment(5));
        assert_eq!(tunnel.next(greeting), Step::Wait);
        let more = greeting.with_read(Side::Client, true);
        assert_eq!(tunnel.next(more), Step::Read(Side::Client));
        assert_eq!(tunnel.deadline(), Some(Moment(5) + head));
        assert!(!tunnel.has_begun());
        assert_eq!(tunnel.next(Can::NOTHING), Step::Dial(Wish::Fresh));
        assert!(tunnel.has_begun());

        let mut slow = Tunnel::new(Rc::clone(&policy), Moment(5));
        slow.expired(Moment(5) + head);
        assert_eq!(slow.next(greeting), Step::End(Outcome::Idle));
        let mut stranger = Tunnel::new(policy, Moment(5));
        let fault = Fault::Tls(crate::base::TlsFault::Protocol);
        stranger.broke(Side::Client, Way::Reading, fault);
        assert_eq!(stranger.next(greeting), Step::End(Outcome::Done));
    }

    #[test]
    fn every_byte_that_is_taken_is_a_sign_of_life() {
        let mut tunnel = Tunnel::new(Rc::new(Policy::default()), Moment(0));
        tunnel.dialled(Moment(0));
        tunnel.up.lend(Pool::new(1).take().unwrap());
        tunnel.filled(Side::Client, 100, Moment(1));
        let before = tunnel.deadline().unwrap();
        tunnel.wrote(Side::Server, 1, Moment(6));
        assert_eq!(tunnel.deadline(), Some(Moment(before.0 + 5)));
    }

    #[test]
    fn an_end_that_cannot_be_told_yet_does_not_stop_the_other_way() {
        let mut tunnel = Tunnel::new(Rc::new(Policy::default()), Moment(0));
        let mut pool = Pool::new(2);
        let stuck = Can::NOTHING.with_stuck(Side::Server, true);
        assert_eq!(tunnel.next(stuck), Step::Dial(Wish::Fresh));
        tunnel.dialled(Moment(1));
        tunnel.half_mut(Side::Server).lend(pool.take().unwrap());
        tunnel.ended(Side::Client, Moment(2));
        assert_eq!(tunnel.next(stuck), Step::Wait);
        let talks = stuck.with_read(Side::Server, true);
        assert_eq!(tunnel.next(talks), Step::Read(Side::Server));
        let takes = Can::NOTHING.with_read(Side::Server, true);
        assert_eq!(tunnel.next(takes), Step::Finish(Side::Server));
    }
}
