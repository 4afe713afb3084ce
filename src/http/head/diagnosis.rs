//! The cold half of parsing: httparse said no (or stopped early), and this says why.
//!
//! A second, slow reading of the same bytes whose only product is a [`Reason`]. It never accepts
//! anything, so it cannot open a hole; a wrong guess here costs a wrong word in a log.

use crate::http::Kind;
use crate::http::Reason;
use crate::http::head::fields::TOKEN;
use crate::http::head::fields::is_token;
use crate::http::head::search;
use crate::limits;

/// Why `bytes` is not a head of this kind.
#[cold]
pub(super) fn head(bytes: &[u8], kind: Kind) -> Reason {
    if let Some(reason) = line_breaks(bytes) {
        return reason;
    }
    let mut lines = bytes.split(|byte| *byte == b'\n').map(without_cr);
    let start = lines.next().unwrap_or_default();
    if start.is_empty() {
        return Reason::LeadingBlankLines;
    }
    match kind {
        Kind::Request if !is_request_line(start) => return request_line(start),
        Kind::Response if !is_status_line(start) => return Reason::StatusInvalid,
        Kind::Request | Kind::Response => {}
    }
    let mut count = 0;
    for line in lines.take_while(|line| !line.is_empty()) {
        count += 1;
        if let Some(reason) = field_line(line) {
            return reason;
        }
    }
    if count > limits::HEADERS_MAX {
        return Reason::TooManyHeaders;
    }
    Reason::Malformed
}

/// Why this is not a request line with a version that we speak (F17 of the rules: 505 or 400).
#[cold]
pub(super) fn request_line(line: &[u8]) -> Reason {
    if line == b"PRI * HTTP/2.0" {
        return Reason::Http2Preface;
    }
    let words: Vec<&[u8]> = line.splitn(5, |byte| *byte == b' ').collect();
    let (method, target, version) = match words.as_slice() {
        [method, target, version] => (*method, *target, *version),
        [method, target] if is_token(method) && !target.is_empty() => return Reason::Http09,
        _ => return Reason::RequestLineInvalid,
    };
    if method.len() > limits::METHOD_BYTES_MAX {
        Reason::MethodTooLong
    } else if !is_token(method) {
        Reason::MethodInvalid
    } else if target.is_empty() {
        Reason::RequestLineInvalid
    } else if version == b"HTTP/1.1" || version == b"HTTP/1.0" {
        Reason::BadTarget
    } else if is_version(version) {
        Reason::VersionUnsupported
    } else {
        Reason::VersionInvalid
    }
}

fn line_breaks(bytes: &[u8]) -> Option<Reason> {
    let mut at = 0;
    while let Some(found) = search::low_byte(bytes, at) {
        match bytes.get(found..).unwrap_or_default() {
            [b'\r', b'\n', ..] => at = found + 2,
            [b'\t', ..] => at = found + 1,
            [byte, ..] => return Some(search::unwelcome(*byte)),
            [] => return None,
        }
    }
    None
}

fn field_line(line: &[u8]) -> Option<Reason> {
    if matches!(line, [b' ' | b'\t', ..]) {
        return Some(Reason::ObsFold);
    }
    let end = line
        .iter()
        .position(|byte| !TOKEN[usize::from(*byte)])
        .unwrap_or(line.len());
    match line.get(end..).unwrap_or_default() {
        [b':', ..] if end == 0 => Some(Reason::EmptyName),
        [b':', value @ ..] if value.contains(&0x7f) => Some(Reason::ControlByte),
        [b':', ..] => None,
        [b' ' | b'\t', rest @ ..] if rest.contains(&b':') => Some(Reason::SpaceBeforeColon),
        _ => Some(Reason::NameInvalid),
    }
}

fn is_request_line(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    is_token(method)
        && method.len() <= limits::METHOD_BYTES_MAX
        && !target.is_empty()
        && target.iter().all(|byte| (0x21..=0x7e).contains(byte))
        && matches!(words.next(), Some(b"HTTP/1.1" | b"HTTP/1.0"))
        && words.next().is_none()
}

fn is_status_line(line: &[u8]) -> bool {
    (line.starts_with(b"HTTP/1.1 ") || line.starts_with(b"HTTP/1.0 "))
        && line
            .get(9..12)
            .is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && matches!(line.get(12), None | Some(b' '))
        && !line.contains(&0x7f)
}

fn is_version(word: &[u8]) -> bool {
    let Some(number) = word.strip_prefix(b"HTTP/") else {
        return false;
    };
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    number.splitn(2, |byte| *byte == b'.').all(digits)
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
