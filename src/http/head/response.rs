//! Response heads: from bytes to what framing, reuse and forwarding need. Called by the session of
//! an HTTP client and by probes.

use std::mem::MaybeUninit;

use httparse::Header;
use httparse::Status;

use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Framing;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::http::head::diagnosis;
use crate::http::head::fields::Cuts;
use crate::http::head::fields::trimmed;
use crate::http::head::survey::Coding;
use crate::http::head::survey::Survey;
use crate::http::head::survey::plain_number;
use crate::limits;

/// A response head that was found sound. Small, and refers to the head by offsets only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// As received; what is forwarded is always HTTP/1.1.
    pub version: Version,
    /// 100 to 599.
    pub status: u16,
    /// What follows this head, given the method that it answers.
    pub framing: Framing,
    /// Whether the backend's connection can be used again once this response has ended.
    pub persistent: bool,
    /// A 1xx other than 101: another head follows.
    pub interim: bool,
    /// How long the backend keeps an idle connection, in seconds, if it says so.
    pub keep_alive_timeout: Option<u32>,
    /// Content-Length of a response that has no body but may tell one (to HEAD, and 304).
    pub(in crate::http) told_length: Option<u64>,
    pub(in crate::http) fields_at: u16,
    pub(in crate::http) cuts: Cuts,
}

/// Reads exactly one complete head, as [`super::HeadScan`] found it; `to_head` if it answers HEAD.
///
/// # Errors
/// Whatever a strict reading of RFC 9112 refuses, always as 502.
pub fn response(bytes: &[u8], to_head: bool) -> Result<ResponseHead, Reject> {
    judge(bytes, to_head).map_err(|reason| Kind::Response.reject(reason))
}

fn judge(bytes: &[u8], to_head: bool) -> Result<ResponseHead, Reason> {
    if bytes.len() > usize::from(u16::MAX) {
        return Err(Reason::HeadTooLarge);
    }
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; limits::HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let outcome = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        bytes,
        &mut slots,
    );
    let (Ok(Status::Complete(length)), Some(status)) = (outcome, parsed.code) else {
        return Err(diagnosis::head(bytes, Kind::Response));
    };
    let (Some((version, fields_at)), true) = (status_line(bytes, status), length == bytes.len())
    else {
        return Err(diagnosis::head(bytes, Kind::Response));
    };
    if !(100..=599).contains(&status) {
        return Err(Reason::StatusInvalid);
    }
    let survey = Survey::new(bytes, fields_at, parsed.headers, Kind::Response, b"")?;
    finish(version, status, to_head, fields_at, &survey)
}

/// Version and end of the status line, its line break included. The space after the code is owed
/// but often forgotten where there is no phrase (RFC 9112 section 4).
fn status_line(bytes: &[u8], status: u16) -> Option<(Version, usize)> {
    let version = match bytes.get(..9)? {
        b"HTTP/1.1 " => Version::Http11,
        b"HTTP/1.0 " => Version::Http10,
        _ => return None,
    };
    let digits = std::str::from_utf8(bytes.get(9..12)?).ok()?;
    if digits.parse() != Ok(status) {
        return None;
    }
    let rest = bytes.get(12..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    match rest.get(..end)? {
        [b'\r'] | [b' ', .., b'\r'] => Some((version, 12 + end + 1)),
        _ => None,
    }
}

fn finish(
    version: Version,
    status: u16,
    to_head: bool,
    fields_at: usize,
    survey: &Survey<'_>,
) -> Result<ResponseHead, Reason> {
    let said = survey.framing(version)?;
    // 204 and 1xx may not even tell a length; a backend that does is out of step (RFC 9110 8.6).
    let forbidden = status < 200 || status == 204;
    let contradicts = forbidden && (survey.length.is_some() || survey.coding != Coding::Absent);
    let bodiless = forbidden || status == 304 || (to_head && !planted(Bug::HeadAnswerHasBody));
    let framing = if bodiless {
        Framing::None
    } else if said == Framing::None {
        Framing::UntilClose
    } else {
        said
    };
    Ok(ResponseHead {
        version,
        status,
        framing,
        persistent: survey.connection.persists(version)
            && framing != Framing::UntilClose
            && !contradicts,
        interim: status < 200 && status != 101,
        keep_alive_timeout: survey.keep_alive.and_then(timeout),
        told_length: survey.length.filter(|_| bodiless && !forbidden),
        fields_at: u16::try_from(fields_at).map_err(|_| Reason::HeadTooLarge)?,
        cuts: survey.cuts,
    })
}

/// Seconds of `timeout=` in a Keep-Alive value; nonsense is no promise.
fn timeout(value: &[u8]) -> Option<u32> {
    value.split(|byte| *byte == b',').find_map(|parameter| {
        let (name, number) = trimmed(parameter).split_at_checked(b"timeout=".len())?;
        if !name.eq_ignore_ascii_case(b"timeout=") {
            return None;
        }
        u32::try_from(plain_number(trimmed(number))?).ok()
    })
}
