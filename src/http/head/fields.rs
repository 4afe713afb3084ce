//! Field names and the places of the fields that do not travel.
//!
//! A name is told apart by its length and first letter before anything is compared, so the usual
//! field costs one jump. What must not be forwarded is noted as a cut while the head is judged, so
//! that writing it again is a handful of copies and no second search. Called by the passes over
//! heads, by the writer and by the trailer check.

use crate::http::Reason;

/// The names that mean something to a proxy; all others are [`Name::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Other,
    /// A meaningful name with `_` for `-`: CGI-style backends would take it for the real one.
    Underscored,
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    ProxyConnection,
    ProxyAuthorization,
    Te,
    Trailer,
    Upgrade,
    Expect,
    Http2Settings,
    ForwardedFor,
    ForwardedProto,
    ForwardedHost,
    /// `Forwarded`, `X-Real-IP` and the rest of the `X-Forwarded-` family.
    Forwarding,
}

impl Name {
    /// What `name`, a token, means.
    pub(super) fn of(name: &[u8]) -> Self {
        let first = name.first().map_or(0, |byte| byte | 0x20);
        let (known, meant): (&[u8], Self) = match (name.len(), first) {
            (2, b't') => (b"te", Self::Te),
            (4, b'h') => (b"host", Self::Host),
            (6, b'e') => (b"expect", Self::Expect),
            (7, b'u') => (b"upgrade", Self::Upgrade),
            (7, b't') => (b"trailer", Self::Trailer),
            (9, b'f') => (b"forwarded", Self::Forwarding),
            (9, b'x') => (b"x-real-ip", Self::Forwarding),
            (10, b'c') => (b"connection", Self::Connection),
            (10, b'k') => (b"keep-alive", Self::KeepAlive),
            (14, b'c') => (b"content-length", Self::ContentLength),
            (14, b'h') => (b"http2-settings", Self::Http2Settings),
            (16, b'p') => (b"proxy-connection", Self::ProxyConnection),
            (17, b't') => (b"transfer-encoding", Self::TransferEncoding),
            (19, b'p') => (b"proxy-authorization", Self::ProxyAuthorization),
            (12.., b'x') => return Self::forwarding(name),
            _ => return Self::Other,
        };
        match likeness(name, known) {
            Likeness::Same => meant,
            Likeness::Underscored => Self::Underscored,
            Likeness::None => Self::Other,
        }
    }

    fn forwarding(name: &[u8]) -> Self {
        const PREFIX: &[u8] = b"x-forwarded-";
        let (prefix, rest) = name.split_at_checked(PREFIX.len()).unwrap_or_default();
        match likeness(prefix, PREFIX) {
            Likeness::None => Self::Other,
            Likeness::Underscored => Self::Underscored,
            Likeness::Same if rest.eq_ignore_ascii_case(b"for") => Self::ForwardedFor,
            Likeness::Same if rest.eq_ignore_ascii_case(b"proto") => Self::ForwardedProto,
            Likeness::Same if rest.eq_ignore_ascii_case(b"host") => Self::ForwardedHost,
            Likeness::Same => Self::Forwarding,
        }
    }
}

enum Likeness {
    Same,
    Underscored,
    None,
}

/// Compares a token with a lower-case name of the same length. Setting bit 5 maps only letters to
/// letters and, among the bytes of tokens, only the hyphen to the hyphen.
fn likeness(name: &[u8], known: &[u8]) -> Likeness {
    let mut underscored = false;
    for (byte, expected) in name.iter().zip(known) {
        if byte | 0x20 != *expected {
            if *expected != b'-' || *byte != b'_' {
                return Likeness::None;
            }
            underscored = true;
        }
    }
    if underscored {
        Likeness::Underscored
    } else {
        Likeness::Same
    }
}

/// Whether `name` is that of the field with the id of a request, `wanted`: how its line is cut
/// then. One with `_` for `-`, which CGI-style backends would take for it, never travels. `wanted`
/// has small letters, digits and hyphens, or nothing.
pub(super) fn cut_of_id(name: &[u8], wanted: &[u8]) -> Option<Cut> {
    if name.len() != wanted.len() {
        return None;
    }
    match likeness(name, wanted) {
        Likeness::Same => Some(Cut::Id),
        Likeness::Underscored => Some(Cut::Hop),
        Likeness::None => None,
    }
}

/// Whether `Connection` may not name this field (RFC 9110 section 7.6.1): removing it would change
/// what the message means or who is believed to have sent it.
pub(super) fn is_connection_protected(name: &[u8]) -> bool {
    match Name::of(name) {
        Name::Underscored
        | Name::Host
        | Name::ContentLength
        | Name::TransferEncoding
        | Name::ForwardedFor
        | Name::ForwardedProto
        | Name::ForwardedHost
        | Name::Forwarding => true,
        Name::Connection
        | Name::KeepAlive
        | Name::ProxyConnection
        | Name::ProxyAuthorization
        | Name::Te
        | Name::Trailer
        | Name::Upgrade
        | Name::Expect
        | Name::Http2Settings => false,
        Name::Other => is_one_of(name, &CONNECTION_PROTECTED),
    }
}

/// Whether this field may not stand in a trailer section (RFC 9110 section 6.5.1): framing,
/// routing, authentication, request modifiers, response controls, and how content is read.
pub(in crate::http) fn is_trailer_forbidden(name: &[u8]) -> bool {
    Name::of(name) != Name::Other
        || is_one_of(name, &CONNECTION_PROTECTED)
        || is_one_of(name, &TRAILER_FORBIDDEN)
}

fn is_one_of(name: &[u8], known: &[&[u8]]) -> bool {
    known
        .iter()
        .any(|known| known.len() == name.len() && !matches!(likeness(name, known), Likeness::None))
}

/// Whether `line`, without its line break, is a field by RFC 9112 section 5, and where its name
/// ends.
pub(in crate::http) fn is_field_line(line: &[u8]) -> Option<usize> {
    let end = line.iter().position(|byte| !TOKEN[usize::from(*byte)])?;
    let (name, rest) = line.split_at_checked(end)?;
    let [b':', value @ ..] = rest else {
        return None;
    };
    let plain = value
        .iter()
        .all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f));
    (!name.is_empty() && plain).then_some(end)
}

/// Whether this is a token, RFC 9110 section 5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)])
}

/// The bytes between two offsets of the head that they were taken from; nothing for another one.
pub(in crate::http) fn piece(
    bytes: &[u8],
    start: impl Into<usize>,
    end: impl Into<usize>,
) -> &[u8] {
    bytes.get(start.into()..end.into()).unwrap_or_default()
}

/// Whether this byte may stand in a token.
pub(in crate::http) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
        )
        || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Without spaces and tabs at either end.
pub(in crate::http) fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Why a run of lines is not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Cut {
    /// It is for this hop alone, or is written anew.
    Hop,
    /// `Trailer`: travels with chunks only.
    Trailer,
    /// `Upgrade`: travels only where upgrading is allowed.
    Upgrade,
    /// `X-Forwarded-For`: written anew, from the received one if that is believed.
    ForwardedFor,
    /// `X-Forwarded-Proto`: travels if it is believed.
    ForwardedProto,
    /// `X-Forwarded-Host`: travels if it is believed.
    ForwardedHost,
    /// Others of that sort: travel if they are believed.
    Forwarding,
    /// What the request is called: travels if it is believed and can be used.
    Id,
}

/// The runs of lines of one head that may not be copied, in order, touching ones of a kind as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Cuts {
    runs: [Run; CUTS_MAX],
    count: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: u16,
    end: u16,
    why: Cut,
}

impl Cuts {
    pub(super) const NONE: Self = Self {
        runs: [Run {
            start: 0,
            end: 0,
            why: Cut::Hop,
        }; CUTS_MAX],
        count: 0,
    };

    /// Notes the line from `start` to `end`; lines come in order.
    pub(super) fn push(&mut self, start: u16, end: u16, why: Cut) -> Result<(), Reason> {
        let count = usize::from(self.count);
        if let Some(last) = count
            .checked_sub(1)
            .and_then(|last| self.runs.get_mut(last))
            && last.end == start
            && last.why == why
        {
            last.end = end;
            return Ok(());
        }
        let slot = self.runs.get_mut(count).ok_or(Reason::TooManyHopFields)?;
        *slot = Run { start, end, why };
        self.count += 1;
        Ok(())
    }

    /// Start, end and cause of each run.
    pub(in crate::http) fn iter(&self) -> impl Iterator<Item = (u16, u16, Cut)> {
        let runs = self.runs.get(..usize::from(self.count));
        let runs = runs.unwrap_or_default();
        runs.iter().map(|run| (run.start, run.end, run.why))
    }

    /// Whether a run was cut for this cause.
    pub(in crate::http) fn has(&self, why: Cut) -> bool {
        self.iter().any(|(_, _, cut)| cut == why)
    }
}

/// Runs in one head. There are sixteen names to cut, and neighbours count once.
const CUTS_MAX: usize = 16;

const CONNECTION_PROTECTED: [&[u8]; 8] = [
    b"authorization",
    b"cookie",
    b"set-cookie",
    b"content-type",
    b"content-encoding",
    b"content-range",
    b"cache-control",
    b"via",
];

const TRAILER_FORBIDDEN: [&[u8]; 19] = [
    b"age",
    b"allow",
    b"content-location",
    b"date",
    b"expires",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"location",
    b"max-forwards",
    b"pragma",
    b"proxy-authenticate",
    b"range",
    b"retry-after",
    b"set-cookie2",
    b"vary",
    b"www-authenticate",
];

/// Which bytes are those of tokens.
pub(super) const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x7f {
        table[byte as usize] = is_token_byte(byte);
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_only_whole() {
        for (name, meant) in [
            ("te", Name::Te),
            ("HOST", Name::Host),
            ("Expect", Name::Expect),
            ("uPGRADE", Name::Upgrade),
            ("Trailer", Name::Trailer),
            ("Forwarded", Name::Forwarding),
            ("X-Real-IP", Name::Forwarding),
            ("Connection", Name::Connection),
            ("keep-alive", Name::KeepAlive),
            ("Content-Length", Name::ContentLength),
            ("HTTP2-Settings", Name::Http2Settings),
            ("Proxy-Connection", Name::ProxyConnection),
            ("Transfer-ENCODING", Name::TransferEncoding),
            ("Proxy-Authorization", Name::ProxyAuthorization),
            ("X-Forwarded-For", Name::ForwardedFor),
            ("x-forwarded-proto", Name::ForwardedProto),
            ("X-FORWARDED-HOST", Name::ForwardedHost),
            ("X-Forwarded-Server", Name::Forwarding),
            ("X-Forwarded-", Name::Forwarding),
            ("content_length", Name::Underscored),
            ("Transfer_Encoding", Name::Underscored),
            ("X_Forwarded-For", Name::Underscored),
            ("x-forwarded_host", Name::Underscored),
            ("x_real-ip", Name::Underscored),
            ("Hosts", Name::Other),
            ("h0st", Name::Other),
            ("x-request-id", Name::Other),
            ("content~length", Name::Other),
            ("X-Forwardee-For", Name::Other),
            ("", Name::Other),
        ] {
            assert_eq!(Name::of(name.as_bytes()), meant, "{name}");
        }
    }

    #[test]
    fn touching_cuts_of_a_kind_are_one_and_there_is_an_end_to_them() {
        let mut cuts = Cuts::NONE;
        cuts.push(10, 20, Cut::Hop).unwrap();
        cuts.push(20, 30, Cut::Hop).unwrap();
        cuts.push(30, 40, Cut::Upgrade).unwrap();
        cuts.push(50, 60, Cut::Upgrade).unwrap();
        let runs: Vec<_> = cuts.iter().collect();
        assert_eq!(
            runs,
            [
                (10, 30, Cut::Hop),
                (30, 40, Cut::Upgrade),
                (50, 60, Cut::Upgrade)
            ]
        );
        assert!(cuts.has(Cut::Upgrade) && !cuts.has(Cut::Trailer));
        for line in 4..=16 {
            cuts.push(line * 100, line * 100 + 1, Cut::Hop).unwrap();
        }
        assert_eq!(
            cuts.push(9_000, 9_001, Cut::Hop),
            Err(Reason::TooManyHopFields)
        );
    }
}
