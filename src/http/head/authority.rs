//! Targets and hosts: which ones are taken, and which part of a target is routed and forwarded.
//!
//! Stricter than RFC 3986 where leniency has let a route and a backend see different things.

use std::net::Ipv6Addr;

use crate::http::Reason;
use crate::http::head::method::Method;
use crate::limits;

/// A request target, taken apart by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Where the authority of an absolute-form stands: empty for the other forms.
    pub(super) authority: (usize, usize),
    /// Where path and query begin; they last until the target's end.
    pub(super) path: usize,
}

/// Takes `target` apart, RFC 9112 section 3.2.
///
/// In the query `^`, `{`, `|`, `}` and the backtick pass, because browsers send them raw (WHATWG
/// URL, query percent-encode set); in a path they are refused.
pub(super) fn target(target: &[u8], method: Method) -> Result<Target, Reason> {
    let mut allowed = PATH;
    for byte in target {
        if *byte == b'?' {
            allowed = QUERY;
        }
        if CLASS[usize::from(*byte)] & allowed == 0 {
            return Err(Reason::BadTarget);
        }
    }
    let origin = Target {
        authority: (0, 0),
        path: 0,
    };
    match target {
        [b'/', ..] => Ok(origin),
        b"*" if method == Method::Options => Ok(origin),
        _ => absolute(target).ok_or(Reason::BadTarget),
    }
}

fn absolute(target: &[u8]) -> Option<Target> {
    let start = [b"http://".as_slice(), b"https://"]
        .into_iter()
        .find(|scheme| {
            let head = target.get(..scheme.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        })?
        .len();
    let rest = target.get(start..)?;
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    let end = start + length;
    is_host(target.get(start..end)?).then_some(Target {
        authority: (start, end),
        path: end,
    })
}

/// Whether this is a name, an IPv4 address or an IPv6 address in brackets, each with an optional
/// port. Of RFC 3986's reg-name only the unreserved characters: nobody's name has a comma or a
/// percent sign in it, and backends disagree about what those mean.
pub(super) fn is_host(value: &[u8]) -> bool {
    if value.len() > limits::HOST_BYTES_MAX {
        return false;
    }
    let rest = if let [b'[', inner @ ..] = value {
        let Some(end) = inner.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let (address, rest) = inner.split_at(end);
        let text = std::str::from_utf8(address).unwrap_or_default();
        if text.parse::<Ipv6Addr>().is_err() {
            return false;
        }
        rest.get(1..).unwrap_or_default()
    } else {
        let end = value
            .iter()
            .position(|byte| CLASS[usize::from(*byte)] & NAME == 0)
            .unwrap_or(value.len());
        if end == 0 {
            return false;
        }
        value.get(end..).unwrap_or_default()
    };
    match rest {
        [] => true,
        [b':', port @ ..] => is_port(port),
        _ => false,
    }
}

fn is_port(digits: &[u8]) -> bool {
    (1..=5).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u32::from(*digit - b'0'))
            <= 65_535
}

const PATH: u8 = 1;
const QUERY: u8 = 2;
const NAME: u8 = 4;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0x21_u8;
    while byte < 0x7f {
        table[byte as usize] = match byte {
            b'"' | b'#' | b'<' | b'>' | b'\\' => 0,
            b'^' | b'`' | b'{' | b'|' | b'}' => QUERY,
            b'-' | b'.' | b'_' | b'~' => PATH | QUERY | NAME,
            other if other.is_ascii_alphanumeric() => PATH | QUERY | NAME,
            _ => PATH | QUERY,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for good in [
            "a",
            "a.b",
            "A-1_~.example",
            "127.0.0.1",
            "a:0",
            "a:65535",
            "[::1]",
            "[::1]:80",
            "[::ffff:1.2.3.4]:1",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            ":",
            ":80",
            "a:",
            "a:65536",
            "a:000001",
            "a:8a",
            "a,b",
            "a b",
            "u@a",
            "a/b",
            "a?b",
            "a#b",
            "a%41",
            "[",
            "[]",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[::1%25eth0]",
            "[v1.a]",
            "a\\b",
            "::1",
            "a:1:2",
            "b\u{fc}cher",
            "a\t",
            "a;b",
            "[1.2.3.4]",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
        assert!(is_host(&[b'a'; 300]) && !is_host(&[b'a'; 301]));
    }
}
