//! The one strict pass over the fields of a head, the same for both directions.
//!
//! httparse has cut the head into names and values; this pass proves that they lie in the bytes
//! exactly as a strict reading has them (every line `name:OWS value OWS CRLF`, one after another,
//! nothing between them) and gathers what framing, host and connection handling need. RFC 9112
//! sections 5 to 7, RFC 9110 section 7.6. Called by `request` and `response`.

use std::ptr;

use httparse::Header;

use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Framing;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Version;
use crate::http::head::fields;
use crate::http::head::fields::Cut;
use crate::http::head::fields::Cuts;
use crate::http::head::fields::Name;
use crate::http::head::fields::is_token;
use crate::http::head::fields::piece;
use crate::http::head::fields::trimmed;

/// What the fields say.
#[derive(Clone, Debug)]
pub(super) struct Survey<'a> {
    kind: Kind,
    pub(super) cuts: Cuts,
    pub(super) length: Option<u64>,
    pub(super) coding: Coding,
    pub(super) connection: Connection,
    /// Value of `Host`, with its offset.
    pub(super) host: Option<(&'a [u8], u16)>,
    pub(super) upgrade: Option<&'a [u8]>,
    pub(super) expect: Option<&'a [u8]>,
    pub(super) keep_alive: Option<&'a [u8]>,
}

/// What `Transfer-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Absent,
    Chunked,
    Unknown,
    Malformed,
}

/// What `Connection` says, all its lines together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    persistence: Persistence,
    pub(super) upgrade: bool,
    /// Tokens that name fields not known to be for one hop anyway.
    named: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Persistence {
    ByVersion,
    KeepAlive,
    Close,
}

impl Connection {
    /// Whether the sender means to go on after this message, RFC 9112 section 9.3.
    pub(super) fn persists(self, version: Version) -> bool {
        match self.persistence {
            Persistence::ByVersion => version == Version::Http11,
            Persistence::KeepAlive => true,
            Persistence::Close => false,
        }
    }
}

impl<'a> Survey<'a> {
    /// Judges the fields that begin at `at` in `bytes`, which must end with them. The field called
    /// `id` says what the request is called; nothing is called nothing.
    pub(super) fn new(
        bytes: &'a [u8],
        at: usize,
        headers: &[Header<'a>],
        kind: Kind,
        id: &[u8],
    ) -> Result<Self, Reason> {
        let mut survey = Self::blank(kind);
        survey.pass(bytes, at, headers, (&[], id))?;
        if survey.connection.named == 0 {
            return Ok(survey);
        }
        // Connection names fields of its own, which may stand before it: once more, now knowing.
        let mut named: [&[u8]; NAMED_MAX] = [b""; NAMED_MAX];
        let mut count = 0;
        let values = headers
            .iter()
            .filter(|header| Name::of(header.name.as_bytes()) == Name::Connection);
        for token in values.flat_map(|header| tokens(header.value)) {
            if names_a_field(token) {
                *named.get_mut(count).ok_or(Reason::ConnectionInvalid)? = token;
                count += 1;
            }
        }
        survey = Self::blank(kind);
        survey.pass(bytes, at, headers, (piece_of(&named, count), id))?;
        Ok(survey)
    }

    const fn blank(kind: Kind) -> Self {
        Self {
            kind,
            cuts: Cuts::NONE,
            length: None,
            coding: Coding::Absent,
            connection: Connection {
                persistence: Persistence::ByVersion,
                upgrade: false,
                named: 0,
            },
            host: None,
            upgrade: None,
            expect: None,
            keep_alive: None,
        }
    }

    fn pass(
        &mut self,
        bytes: &'a [u8],
        mut at: usize,
        headers: &[Header<'a>],
        (named, id): (&[&[u8]], &[u8]),
    ) -> Result<(), Reason> {
        for header in headers {
            let name = header.name.as_bytes();
            let value_at = value_start(bytes, at, name)?;
            let end = line_end(bytes, value_at + header.value.len())?;
            let value = piece(bytes, value_at, value_at + header.value.len());
            let line = (offset(at)?, offset(end)?);
            self.take(Name::of(name), value, offset(value_at)?, line)?;
            if !named.is_empty() && named.iter().any(|token| token.eq_ignore_ascii_case(name)) {
                self.cut_named(Name::of(name), line)?;
            } else if let Some(why) = fields::cut_of_id(name, id) {
                self.cuts.push(line.0, line.1, why)?;
            }
            at = end;
        }
        if bytes.get(at..) == Some(b"\r\n") {
            Ok(())
        } else {
            Err(Reason::Malformed)
        }
    }

    fn take(
        &mut self,
        name: Name,
        value: &'a [u8],
        value_at: u16,
        line: (u16, u16),
    ) -> Result<(), Reason> {
        let why = match name {
            Name::Other => return Ok(()),
            Name::Underscored => return Err(Reason::UnderscoreName),
            Name::ContentLength => self.take_length(value)?,
            Name::TransferEncoding => self.take_coding(value),
            Name::Connection => self.take_connection(value)?,
            Name::KeepAlive => {
                self.keep_alive = Some(value);
                Cut::Hop
            }
            Name::Upgrade if value.is_ascii() => {
                // Two of them are two opinions on what comes next: none is granted.
                self.upgrade = Some(if self.upgrade.is_some() { b"" } else { value });
                Cut::Upgrade
            }
            Name::Upgrade => return Err(Reason::NonAscii),
            Name::Trailer => Cut::Trailer,
            Name::ProxyConnection | Name::Te | Name::Http2Settings => Cut::Hop,
            // What is left means something in requests only.
            _ if self.kind == Kind::Response => return Ok(()),
            Name::Host if self.host.is_some() => return Err(Reason::HostDuplicate),
            Name::Host => {
                self.host = Some((value, value_at));
                Cut::Hop
            }
            Name::Expect if self.expect.is_some() => return Err(Reason::ExpectUnknown),
            Name::Expect => {
                self.expect = Some(value);
                Cut::Hop
            }
            Name::ProxyAuthorization => Cut::Hop,
            Name::ForwardedFor => Cut::ForwardedFor,
            Name::ForwardedProto => Cut::ForwardedProto,
            Name::ForwardedHost => Cut::ForwardedHost,
            Name::Forwarding => Cut::Forwarding,
        };
        self.cuts.push(line.0, line.1, why)
    }

    /// A field that Connection names goes, unless it went already or is `Upgrade`, whose fate is
    /// decided when the head is written.
    fn cut_named(&mut self, name: Name, line: (u16, u16)) -> Result<(), Reason> {
        let kept = match self.kind {
            Kind::Request => name == Name::Other,
            Kind::Response => matches!(name, Name::Other | Name::Expect | Name::ProxyAuthorization),
        };
        if !kept {
            return Ok(());
        }
        self.cuts.push(line.0, line.1, Cut::Hop)
    }

    fn take_length(&mut self, value: &[u8]) -> Result<Cut, Reason> {
        if self.length.is_some() {
            return Err(Reason::LengthDuplicate);
        }
        self.length = Some(plain_number(value).ok_or(Reason::LengthInvalid)?);
        Ok(Cut::Hop)
    }

    fn take_coding(&mut self, value: &[u8]) -> Cut {
        self.coding = match self.coding {
            Coding::Absent => coding(value),
            Coding::Chunked | Coding::Unknown | Coding::Malformed => Coding::Malformed,
        };
        Cut::Hop
    }

    fn take_connection(&mut self, value: &[u8]) -> Result<Cut, Reason> {
        for token in tokens(value) {
            if token.eq_ignore_ascii_case(b"close") {
                self.connection.persistence = Persistence::Close;
            } else if token.eq_ignore_ascii_case(b"keep-alive") {
                if self.connection.persistence == Persistence::ByVersion {
                    self.connection.persistence = Persistence::KeepAlive;
                }
            } else if token.eq_ignore_ascii_case(b"upgrade") {
                self.connection.upgrade = true;
            } else if !is_token(token) {
                return Err(Reason::ConnectionInvalid);
            } else if fields::is_connection_protected(token) {
                return Err(Reason::ConnectionNamesProtected);
            } else if names_a_field(token) {
                self.connection.named += 1;
                if self.connection.named > NAMED_MAX {
                    return Err(Reason::ConnectionInvalid);
                }
            }
        }
        Ok(Cut::Hop)
    }

    /// What the framing fields mean together, before a message's kind, method and status have
    /// their say: `None` here is "neither field". RFC 9112 section 6.3, without its leniency.
    pub(super) fn framing(&self, version: Version) -> Result<Framing, Reason> {
        match (self.coding, self.length) {
            (Coding::Absent, Some(length)) => Ok(Framing::Length(length)),
            (Coding::Absent, None) => Ok(Framing::None),
            (Coding::Chunked, Some(_)) if planted(Bug::LengthBesideCoding) => Ok(Framing::Chunked),
            (_, Some(_)) => Err(Reason::LengthWithCoding),
            (Coding::Chunked, None) if planted(Bug::CodingInHttp10) => Ok(Framing::Chunked),
            (_, None) if version == Version::Http10 => Err(Reason::CodingInHttp10),
            (Coding::Chunked, None) => Ok(Framing::Chunked),
            (Coding::Unknown, None) => Err(Reason::CodingUnknown),
            (Coding::Malformed, None) => Err(Reason::CodingMalformed),
        }
    }
}

/// The elements of a comma list, empty ones left out as RFC 9110 section 5.6.1 wants.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trimmed)
        .filter(|token| !token.is_empty())
}

/// Whether a Connection token is the name of a field that would otherwise be kept.
fn names_a_field(token: &[u8]) -> bool {
    !token.eq_ignore_ascii_case(b"close")
        && !matches!(
            Name::of(token),
            Name::KeepAlive
                | Name::Upgrade
                | Name::Te
                | Name::Http2Settings
                | Name::Connection
                | Name::ProxyConnection
        )
}

/// A number without sign, blanks or leading zeros, at most 2^63-1 (RFC 9112 section 6.3, stricter:
/// some readers take `010` for eight).
pub(super) fn plain_number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || (digits.len() > 1 && digits.first() == Some(&b'0'))
    {
        return None;
    }
    let mut number = 0_u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits stay below 2^64.
        number = number * 10 + u64::from(digit);
    }
    i64::try_from(number).is_ok().then_some(number)
}

/// Judges one Transfer-Encoding value, RFC 9112 section 7: a list of codings, each a token with
/// parameters.
fn coding(value: &[u8]) -> Coding {
    let ends = |value: &[u8]| value.to_ascii_lowercase().ends_with(b"chunked");
    if value.eq_ignore_ascii_case(b"chunked") || (planted(Bug::CodingGuessed) && ends(value)) {
        return Coding::Chunked;
    }
    let mut chunked_before = false;
    for element in value.split(|byte| *byte == b',').map(trimmed) {
        let mut parts = element.split(|byte| *byte == b';').map(trimmed);
        let name = parts.next().unwrap_or_default();
        let mut parameters = parts.clone();
        let is_chunked = name.eq_ignore_ascii_case(b"chunked");
        if !is_token(name)
            || chunked_before
            || (is_chunked && parameters.next().is_some())
            || !parts.all(is_parameter)
        {
            return Coding::Malformed;
        }
        chunked_before = is_chunked;
    }
    Coding::Unknown
}

fn is_parameter(parameter: &[u8]) -> bool {
    let mut halves = parameter.splitn(2, |byte| *byte == b'=').map(trimmed);
    is_token(halves.next().unwrap_or_default()) && halves.next().is_some_and(is_token)
}

/// Where the value of the line at `at` begins, given the name that httparse read there.
fn value_start(bytes: &[u8], at: usize, name: &[u8]) -> Result<usize, Reason> {
    let line = bytes.get(at..).unwrap_or_default();
    if !ptr::eq(line.as_ptr(), name.as_ptr()) {
        return Err(Reason::NameInvalid);
    }
    match line.get(name.len()..).unwrap_or_default() {
        [b':', rest @ ..] => Ok(at + name.len() + 1 + blanks(rest)),
        _ => Err(Reason::SpaceBeforeColon),
    }
}

/// Where the next line begins, given where the value ends.
fn line_end(bytes: &[u8], at: usize) -> Result<usize, Reason> {
    let rest = bytes.get(at..).unwrap_or_default();
    let blank = blanks(rest);
    match rest.get(blank..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(at + blank + 2),
        [b'\n', ..] if planted(Bug::BareLfAccepted) => Ok(at + blank + 1),
        [b'\n', ..] => Err(Reason::BareLf),
        _ => Err(Reason::BareCr),
    }
}

fn blanks(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

fn offset(position: usize) -> Result<u16, Reason> {
    u16::try_from(position).map_err(|_| Reason::HeadTooLarge)
}

fn piece_of<'t, 'b>(named: &'t [&'b [u8]], count: usize) -> &'t [&'b [u8]] {
    named.get(..count).unwrap_or(named)
}

/// Fields that one head's Connection may name: every one of them is compared with every name.
const NAMED_MAX: usize = 16;
