//! Instants and lengths of time as plain numbers. No clock lives here.
//!
//! `std::time::Instant` can be neither constructed, printed nor compared with a literal, so a
//! replay could not be written with it. Everything that decides takes `now` as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds since the kernel started counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub u64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// That many whole seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(count.saturating_mul(1_000_000_000))
    }

    /// That many milliseconds.
    #[must_use]
    pub const fn millis(count: u64) -> Self {
        Self(count.saturating_mul(1_000_000))
    }

    /// As the standard library's type.
    #[must_use]
    pub const fn to_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// From the standard library's type; more than 584 years count as 584 years.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }

    /// This span `numerator / denominator` times; more than 584 years count as 584 years.
    #[must_use]
    pub const fn scaled(self, numerator: u64, denominator: u64) -> Self {
        let exact = self.0 as u128 * numerator as u128 / denominator as u128;
        match exact > u64::MAX as u128 {
            true => Self(u64::MAX),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it was compared right above"
            )]
            false => Self(exact as u64),
        }
    }
}

impl Moment {
    /// The span from `earlier` to this moment; zero if it lies in the future.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Moment {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Span> for Moment {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl fmt::Display for Span {
    /// The shortest exact form among `1h`, `2m`, `3s`, `4ms`, `5us`, `6ns`; fractions of a
    /// second beyond that are shown in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 5] = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
        ];
        if self.0 == 0 {
            return f.write_str("0s");
        }
        for (unit, name) in UNITS {
            if self.0.is_multiple_of(unit) {
                return write!(f, "{}{name}", self.0 / unit);
            }
        }
        if self.0 >= 1_000_000 {
            return write!(f, "{}.{:03}ms", self.0 / 1_000_000, self.0 / 1_000 % 1_000);
        }
        write!(f, "{}ns", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Moment(u64::MAX) + Span(1), Moment(u64::MAX));
        assert_eq!(Moment(1) - Span(2), Moment(0));
        assert_eq!(Moment(1).since(Moment(2)), Span::ZERO);
    }

    #[test]
    fn scaling_is_exact_to_the_nanosecond() {
        assert_eq!(Span::seconds(2).scaled(9, 10), Span::millis(1_800));
        assert_eq!(Span(7).scaled(1, 4), Span(1));
        let many = u64::MAX / 100;
        assert_eq!(Span::seconds(5).scaled(many, many), Span::seconds(5));
        assert_eq!(Span(u64::MAX).scaled(3, 2), Span(u64::MAX));
        assert_eq!(Span::seconds(2).scaled(1_100, 1_000), Span::millis(2_200));
    }

    #[test]
    fn spans_print_in_the_largest_exact_unit() {
        let shown: Vec<String> = [
            Span::seconds(3_600),
            Span::seconds(90),
            Span::millis(250),
            Span(1_234_567),
            Span(7),
            Span::ZERO,
        ]
        .iter()
        .map(ToString::to_string)
        .collect();
        assert_eq!(shown, ["1h", "90s", "250ms", "1.234ms", "7ns", "0s"]);
    }
}
