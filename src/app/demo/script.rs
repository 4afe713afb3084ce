//! What happens when: shares of the demo's length, so that a short one shows the same. Pure.

use crate::base::time::Span;

/// Something that happens to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Its process dies.
    Kill(&'static str),
    /// It is there again.
    Revive(&'static str),
    /// Its answers take [`SLOW`] from here on.
    Slow(&'static str),
    /// Its answers take no time again.
    Hurry(&'static str),
}

impl Act {
    /// For the audience.
    pub(super) fn words(self) -> String {
        match self {
            Self::Kill(name) => format!("killed {name}: connections are refused from now on"),
            Self::Revive(name) => format!("revived {name}: it listens again"),
            Self::Slow(name) => format!("slowed {name}: its answers take {SLOW}"),
            Self::Hurry(name) => format!("{name} is as quick as before"),
        }
    }
}

/// The acts that are still to come.
#[derive(Debug)]
pub(super) struct Script {
    length: Span,
    left: &'static [(u64, Act)],
}

impl Script {
    /// All of them, over a demo of that length.
    pub(super) const fn new(length: Span) -> Self {
        Self { length, left: ACTS }
    }

    /// The next act, if it is due.
    pub(super) fn next(&mut self, elapsed: Span) -> Option<Act> {
        let ((percent, act), left) = self.left.split_first()?;
        if elapsed < self.length.scaled(*percent, 100) {
            return None;
        }
        self.left = left;
        Some(*act)
    }
}

/// How long a slow origin takes.
pub(super) const SLOW: Span = Span::millis(50);

/// Per cent of the length, and what happens then.
const ACTS: &[(u64, Act)] = &[
    (20, Act::Kill("B")),
    (45, Act::Revive("B")),
    (60, Act::Slow("C")),
    (80, Act::Hurry("C")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_come_once_in_order_and_on_time() {
        let mut script = Script::new(Span::seconds(10));
        let mut seen = Vec::new();
        for tenth in 0..=100 {
            while let Some(act) = script.next(Span::millis(tenth * 100)) {
                seen.push((tenth, act));
            }
        }
        let expected = [
            (20, Act::Kill("B")),
            (45, Act::Revive("B")),
            (60, Act::Slow("C")),
            (80, Act::Hurry("C")),
        ];
        assert_eq!(seen, expected);
        assert_eq!(script.next(Span::seconds(99)), None);
    }
}
