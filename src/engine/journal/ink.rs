//! How values are written into a line without allocating: numbers, times, and text that cannot
//! break out of the place it is written to.

use std::fmt;
use std::net::SocketAddr;

use crate::base::Caller;
use crate::base::NO_ADDRESS;
use crate::base::calendar::Date;
use crate::base::time::Span;
use crate::http::emit;

/// How text is made harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// Inside a JSON string, RFC 8259 section 7; what is no UTF-8 becomes U+FFFD.
    Json,
    /// `\x22`, as nginx does by default.
    Nginx,
    /// `#22`, as HAProxy does.
    Haproxy,
}

/// Appends `bytes`, made harmless.
pub(super) fn text(out: &mut Vec<u8>, bytes: &[u8], escape: Escape) {
    // Nearly always there is nothing to do.
    if bytes.iter().all(|byte| is_plain(*byte)) {
        return out.extend_from_slice(bytes);
    }
    match escape {
        Escape::Json => {
            for chunk in bytes.utf8_chunks() {
                for c in chunk.valid().chars() {
                    json(out, c);
                }
                if !chunk.invalid().is_empty() {
                    out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
        Escape::Nginx => {
            for byte in bytes {
                match byte {
                    b'#' => out.push(b'#'),
                    byte if is_plain(*byte) => out.push(*byte),
                    byte => hex(out, b"\\x", *byte),
                }
            }
        }
        Escape::Haproxy => {
            for byte in bytes {
                match byte {
                    b'\\' => out.push(b'\\'),
                    byte if is_plain(*byte) => out.push(*byte),
                    byte => hex(out, b"#", *byte),
                }
            }
        }
    }
}

/// Bytes that every format writes as they are.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\' | b'#')
}

fn json(out: &mut Vec<u8>, c: char) {
    match c {
        '"' | '\\' => out.extend_from_slice(&[b'\\', c as u8]),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // Line separators of JavaScript's, and of some readers of lines.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            let code = u32::from(c);
            out.extend_from_slice(b"\\u");
            for shift in [12, 8, 4, 0] {
                out.push(LOWER[(code >> shift & 15) as usize]);
            }
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn hex(out: &mut Vec<u8>, mark: &[u8], byte: u8) {
    out.extend_from_slice(mark);
    out.push(UPPER[usize::from(byte >> 4)]);
    out.push(UPPER[usize::from(byte & 15)]);
}

const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

/// Appends what is displayed, made harmless.
pub(super) fn display(out: &mut Vec<u8>, what: impl fmt::Display, escape: Escape) {
    struct Pen<'a>(&'a mut Vec<u8>, Escape);
    impl fmt::Write for Pen<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            text(self.0, part.as_bytes(), self.1);
            Ok(())
        }
    }
    // A vector takes whatever is written to it.
    let _ = fmt::write(&mut Pen(out, escape), format_args!("{what}"));
}

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    padded(out, number, 1);
}

/// The same with zeros in front of it, up to that width.
pub(super) fn padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let (mut left, mut count) = (number, 0);
    for digit in digits.iter_mut().rev() {
        if left == 0 && count >= width {
            break;
        }
        *digit += u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        count += 1;
    }
    let from = digits.len() - count;
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// Appends a span in seconds, to the microsecond, without zeros at the end: `0`, `0.0025`.
pub(super) fn seconds(out: &mut Vec<u8>, span: Span) {
    let micros = span.0 / 1_000;
    number(out, micros / 1_000_000);
    let mut fraction = micros % 1_000_000;
    if fraction == 0 {
        return;
    }
    let mut width = 6;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        width -= 1;
    }
    out.push(b'.');
    padded(out, fraction, width);
}

/// Appends a span in whole milliseconds; -1 for none.
pub(super) fn millis(out: &mut Vec<u8>, span: Option<Span>) {
    match span {
        Some(span) => number(out, span.0 / 1_000_000),
        None => out.extend_from_slice(b"-1"),
    }
}

/// Appends an address without its port; IPv4 behind an IPv6 socket as what it is; `unix:` for who
/// has none.
pub(super) fn host(out: &mut Vec<u8>, address: SocketAddr) {
    if address.ip() == NO_ADDRESS {
        return display(out, Caller(address), Escape::Json);
    }
    display(out, address.ip().to_canonical(), Escape::Json);
}

/// Appends an address and its port, IPv6 in brackets.
pub(super) fn place(out: &mut Vec<u8>, address: SocketAddr) {
    let plain = SocketAddr::new(address.ip().to_canonical(), address.port());
    display(out, Caller(plain), Escape::Json);
}

/// Appends the 32 digits of an id.
pub(super) fn id(out: &mut Vec<u8>, number: u128) {
    emit::digits(out, number);
}

/// Appends `2026-11-21T01:52:03.123Z`, RFC 3339, of nanoseconds since 1970.
pub(super) fn rfc3339(out: &mut Vec<u8>, unix: u64) {
    let date = Date::of(unix / 1_000_000_000);
    for (number, width, behind) in [
        (date.year, 4, b'-'),
        (date.month, 2, b'-'),
        (date.day, 2, b'T'),
        (date.hour, 2, b':'),
        (date.minute, 2, b':'),
        (date.second, 2, b'.'),
        (unix / 1_000_000 % 1_000, 3, b'Z'),
    ] {
        padded(out, number, width);
        out.push(behind);
    }
}

/// Appends `21/Nov/2026:01:52:03`.
pub(super) fn common_date(out: &mut Vec<u8>, unix: u64) {
    const MONTHS: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let date = Date::of(unix / 1_000_000_000);
    padded(out, date.day, 2);
    out.push(b'/');
    let month = usize::try_from(date.month - 1).unwrap_or(0);
    out.extend_from_slice(MONTHS.get(month).copied().unwrap_or(b"???"));
    out.push(b'/');
    padded(out, date.year, 4);
    for number in [date.hour, date.minute, date.second] {
        out.push(b':');
        padded(out, number, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_cannot_break_out() {
        let evil = b"a\"b\\c\nd\x00e\x7ff\xffg#h\xc3\xbc";
        let table = [
            (Escape::Json, "a\\\"b\\\\c\\nd\\u0000e\\u007ff\u{fffd}g#hü"),
            (
                Escape::Nginx,
                "a\\x22b\\x5Cc\\x0Ad\\x00e\\x7Ff\\xFFg#h\\xC3\\xBC",
            ),
            (Escape::Haproxy, "a#22b\\c#0Ad#00e#7Ff#FFg#23h#C3#BC"),
        ];
        for (escape, expected) in table {
            assert_eq!(written(|out| text(out, evil, escape)), expected);
        }
    }

    #[test]
    fn every_byte_is_harmless_in_every_format() {
        for byte in 0..=u8::MAX {
            let line = written(|out| text(out, &[b'a', byte, b'"'], Escape::Json));
            let read: String = serde_json::from_str(&format!("\"{line}\"")).unwrap();
            assert!(read.starts_with('a') && read.ends_with('"'));
            for escape in [Escape::Json, Escape::Nginx, Escape::Haproxy] {
                let line = written(|out| text(out, &[byte], escape));
                assert!(!line.contains(|c: char| c.is_control()), "{byte}: {line}");
                assert!(escape == Escape::Json || !line.contains('"'));
            }
        }
    }

    #[test]
    fn numbers_and_times() {
        let table = [
            (Span(0), "0"),
            (Span(999), "0"),
            (Span(1_000), "0.000001"),
            (Span(2_500_000), "0.0025"),
            (Span(12_000_000_000), "12"),
            (Span(12_340_000_000), "12.34"),
        ];
        for (span, expected) in table {
            assert_eq!(written(|out| seconds(out, span)), expected);
        }
        assert_eq!(written(|out| number(out, 0)), "0");
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| padded(out, 7, 3)), "007");
        assert_eq!(written(|out| millis(out, None)), "-1");
        assert_eq!(written(|out| millis(out, Some(Span(1_999_999)))), "1");
        let unix = 1_795_225_923_123_456_789;
        assert_eq!(
            written(|out| rfc3339(out, unix)),
            "2026-11-21T01:52:03.123Z"
        );
        assert_eq!(
            written(|out| common_date(out, unix)),
            "21/Nov/2026:01:52:03"
        );
        assert_eq!(written(|out| id(out, 0xab)), format!("{:032x}", 0xab));
    }

    #[test]
    fn addresses() {
        let four = "[::ffff:10.0.0.7]:80".parse().unwrap();
        let six = "[2001:db8::1]:80".parse().unwrap();
        assert_eq!(written(|out| place(out, four)), "10.0.0.7:80");
        assert_eq!(written(|out| host(out, four)), "10.0.0.7");
        assert_eq!(written(|out| place(out, six)), "[2001:db8::1]:80");
        assert_eq!(written(|out| host(out, six)), "2001:db8::1");
    }
}
