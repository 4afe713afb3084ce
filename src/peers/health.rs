//! Rise and fall: when a server counts as up or down.
//!
//! Probes and requests feed the same counters. The first result after a server was added counts
//! alone; until then it takes part, so that nobody is refused while nothing is known.

use crate::base::Fault;
use crate::base::random::Random;
use crate::base::time::Moment;
use crate::base::time::Span;

/// How many results in a row change the verdict.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Successes until a server that is down is up.
    pub rise: u32,
    /// Failures until a server that is up is down.
    pub fall: u32,
}

/// A changed verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// It is up now.
    Up,
    /// It is down now, for this reason.
    Down(Fault),
}

/// What is known of one server's health.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// The verdict. Servers that were never tried count as up.
    pub up: bool,
    /// Results in a row that speak against the verdict.
    pub streak: u32,
    /// When the verdict was given; `None` before the first result.
    pub since: Option<Moment>,
    /// Why it is down.
    pub fault: Option<Fault>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            up: true,
            streak: 0,
            since: None,
            fault: None,
        }
    }
}

impl Health {
    /// A success.
    pub const fn passed(&mut self, thresholds: Thresholds, now: Moment) -> Option<Flip> {
        if self.since.is_none() {
            self.settle(true, None, now);
            return None;
        }
        if self.up {
            self.streak = 0;
            return None;
        }
        self.streak += 1;
        if self.streak < thresholds.rise {
            return None;
        }
        self.settle(true, None, now);
        Some(Flip::Up)
    }

    /// A failure.
    pub const fn failed(
        &mut self,
        thresholds: Thresholds,
        fault: Fault,
        now: Moment,
    ) -> Option<Flip> {
        let first = self.since.is_none();
        if !self.up {
            self.streak = 0;
            self.fault = Some(fault);
            return None;
        }
        self.streak += 1;
        if self.streak < thresholds.fall && !first {
            return None;
        }
        self.settle(false, Some(fault), now);
        Some(Flip::Down(fault))
    }

    const fn settle(&mut self, up: bool, fault: Option<Fault>, now: Moment) {
        self.up = up;
        self.streak = 0;
        self.since = Some(now);
        self.fault = fault;
    }

    /// The time to the next probe: `interval`, a quarter of it while the verdict is in doubt,
    /// give or take a tenth so that probes of many servers spread.
    #[must_use]
    pub fn pause(&self, interval: Span, random: &mut Random) -> Span {
        let base = if self.streak > 0 {
            interval.scaled(1, 4)
        } else {
            interval
        };
        base.scaled(900 + random.below(201), 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Thresholds = Thresholds { rise: 2, fall: 3 };

    #[test]
    fn the_first_result_counts_alone() {
        let mut health = Health::default();
        assert!(health.up);
        let flip = health.failed(USUAL, Fault::Refused, Moment(1));
        assert_eq!(flip, Some(Flip::Down(Fault::Refused)));
        let mut health = Health::default();
        assert_eq!(health.passed(USUAL, Moment(1)), None);
        assert_eq!(health.failed(USUAL, Fault::Refused, Moment(2)), None);
    }

    #[test]
    fn falls_after_three_in_a_row_and_rises_after_two() {
        let mut health = Health::default();
        health.passed(USUAL, Moment(0));
        assert_eq!(health.failed(USUAL, Fault::Reset, Moment(1)), None);
        assert_eq!(health.failed(USUAL, Fault::Reset, Moment(2)), None);
        assert_eq!(health.passed(USUAL, Moment(3)), None);
        assert_eq!(health.failed(USUAL, Fault::Reset, Moment(4)), None);
        assert_eq!(health.failed(USUAL, Fault::Reset, Moment(5)), None);
        let flip = health.failed(USUAL, Fault::Reset, Moment(6));
        assert_eq!(flip, Some(Flip::Down(Fault::Reset)));
        assert_eq!(health.passed(USUAL, Moment(7)), None);
        assert_eq!(health.failed(USUAL, Fault::TimedOut, Moment(8)), None);
        assert_eq!(health.passed(USUAL, Moment(9)), None);
        assert_eq!(health.passed(USUAL, Moment(10)), Some(Flip::Up));
        assert_eq!(health.fault, None);
    }

    #[test]
    fn pauses_are_jittered_by_a_tenth_and_quartered_in_doubt() {
        let mut random = Random::new(5);
        let calm = Health::default();
        let doubtful = Health { streak: 1, ..calm };
        for _ in 0..1_000 {
            let pause = calm.pause(Span::seconds(2), &mut random);
            assert!(
                (Span::millis(1_800)..=Span::millis(2_200)).contains(&pause),
                "{pause}"
            );
            let pause = doubtful.pause(Span::seconds(2), &mut random);
            assert!(
                (Span::millis(450)..=Span::millis(550)).contains(&pause),
                "{pause}"
            );
        }
    }
}
