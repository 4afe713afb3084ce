//! Moments of the world's clock as text.

use crate::base::calendar::Date;

/// `2026-11-21T01:52:03.123Z`, RFC 3339, of so many nanoseconds since 1970.
pub(super) fn rfc3339(nanoseconds: u64) -> String {
    let (seconds, milli) = (nanoseconds / 1_000_000_000, nanoseconds / 1_000_000 % 1_000);
    let Date {
        year,
        month,
        day,
        hour,
        minute,
        second,
    } = Date::of(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_795_225_923_123, "2026-11-21T01:52:03.123Z"),
        ];
        for (milliseconds, text) in table {
            assert_eq!(rfc3339(milliseconds * 1_000_000), text);
        }
    }
}
