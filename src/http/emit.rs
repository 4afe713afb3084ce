//! Everything that writes a head.
//!
//! A head is never forwarded as it came: start line and framing are generated from what was
//! understood, so what leaves can be read in one way only, and the fields between are copied in
//! runs around the cuts that [`super::head`] noted. Nothing here allocates: the caller's scratch
//! grows once to the largest head and stays. What is written is never longer than what was
//! received plus [`limits::WINDOW_HEADROOM_BYTES`]. Called by sessions, probes and the admin
//! server.

use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::base::NO_ADDRESS;
use crate::base::planted::Bug;
use crate::base::planted::planted;
use crate::http::Framing;
use crate::http::Version;
use crate::http::head;
use crate::http::head::Cut;
use crate::http::head::Cuts;
use crate::http::head::Method;
use crate::http::head::RequestHead;
use crate::http::head::ResponseHead;
use crate::limits;

/// What a forwarded request says about the way it came.
#[derive(Clone, Copy, Debug)]
pub struct Forward<'a> {
    /// Who asked; [`NO_ADDRESS`] has none and is left out, or `unknown` where there is a word for
    /// that (RFC 7239 section 6.2).
    pub client: IpAddr,
    /// `http` or `https`, as the client spoke to us.
    pub scheme: &'a str,
    /// What the backend is told as Host.
    pub host: HostRule<'a>,
    /// Whether the peer is a proxy whose X-Forwarded fields are believed: then `client` is
    /// appended to them. Otherwise they are replaced, and others of that sort removed.
    pub trusted: bool,
    /// In which fields that is said.
    pub told: Told,
    /// Whether an upgrade is asked of the backend as the client asks it of us.
    pub upgrade: bool,
    /// What the request is called, unless the client has said so and is trusted; `None` if it
    /// needs no name. The head must have been read with the same name of the field.
    pub id: Option<Id<'a>>,
}

/// What a request is called, so that it is known again in the logs of all who saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a> {
    /// The field that says so: at most [`limits::REQUEST_ID_NAME_BYTES_MAX`] bytes of a token.
    pub field: &'a str,
    /// What it says, in 32 hexadecimal digits.
    pub number: u128,
}

/// In which fields a backend is told who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// X-Forwarded-For, -Proto and -Host.
    Each,
    /// Forwarded, RFC 7239.
    One,
    /// All of them.
    Both,
    /// In none.
    Nothing,
}

impl Told {
    const fn each(self) -> bool {
        matches!(self, Self::Each | Self::Both)
    }

    const fn one(self) -> bool {
        matches!(self, Self::One | Self::Both)
    }
}

/// Which Host a backend is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostRule<'a> {
    /// The client's. An HTTP/1.0 client may have sent none ([`RequestHead::host`] is empty): then
    /// an empty one is sent, which some backends refuse, so prefer a literal there.
    Keep,
    /// This one: a valid host, at most [`limits::HOST_BYTES_MAX`] long.
    Literal(&'a str),
}

/// How a response goes to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the client speaks.
    pub to: Version,
    /// Whether the client's connection is kept after this response.
    pub persistent: bool,
    /// How we mark the end of the body, which may differ from how the backend did.
    pub framing: Framing,
}

/// Writes `bytes`, the request that `head` was made from, as it goes to a backend: HTTP/1.1, Host
/// first, what is for this hop alone left out (RFC 9110 section 7.6), one framing field or none.
pub fn request(out: &mut Vec<u8>, bytes: &[u8], head: &RequestHead, forward: &Forward<'_>) {
    out.reserve(bytes.len() + limits::WINDOW_HEADROOM_BYTES);
    let target = head.target(bytes);
    out.extend_from_slice(head.method_name(bytes));
    out.push(b' ');
    out.extend_from_slice(target.slash.as_bytes());
    out.extend_from_slice(target.rest);
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(match forward.host {
        HostRule::Keep => head.host(bytes),
        HostRule::Literal(host) => host.as_bytes(),
    });
    out.extend_from_slice(CRLF);
    let upgrade = forward.upgrade && head.cuts.has(Cut::Upgrade);
    let called = forward.trusted && head.id(bytes).is_some();
    copy(out, bytes, head.fields_at, &head.cuts, |cut| match cut {
        Cut::Hop => planted(Bug::FramingForwardedVerbatim),
        // What is believed travels as it came, unless it is gone on with.
        Cut::ForwardedFor => forward.trusted && !forward.told.each(),
        Cut::Trailer => head.framing == Framing::Chunked,
        Cut::Upgrade => upgrade,
        Cut::ForwardedProto | Cut::ForwardedHost | Cut::Forwarding => forward.trusted,
        Cut::Id => called,
    });
    via(out, head.version);
    if forward.told.each() {
        x_forwarded(out, bytes, head, forward);
    }
    if forward.told.one() {
        forwarded(out, bytes, head, forward);
    }
    if let Some(id) = forward.id.filter(|_| !called) {
        out.extend_from_slice(id.field.as_bytes());
        out.extend_from_slice(b": ");
        digits(out, id.number);
        out.extend_from_slice(CRLF);
    }
    if upgrade {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    }
    // What has no body by nature tells no length of none.
    if head.framing != Framing::Length(0) || announces_emptiness(head.method) {
        framing(out, head.framing);
    }
    out.extend_from_slice(CRLF);
}

/// Changes the Host of a head that [`request`] wrote, for another backend: writes a new beginning
/// (request line and Host) and answers how many bytes of `emitted` it stands for. The rest of
/// `emitted` follows unchanged.
#[must_use]
pub fn rehost(out: &mut Vec<u8>, emitted: &[u8], host: &str) -> usize {
    let line = past_line(emitted, 0);
    out.extend_from_slice(head::piece(emitted, 0_usize, line));
    out.extend_from_slice(b"Host: ");
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(CRLF);
    past_line(emitted, line)
}

/// The Host of a head that [`request`] wrote.
#[must_use]
pub fn host_of(emitted: &[u8]) -> &[u8] {
    let line = past_line(emitted, 0);
    let end = past_line(emitted, line);
    let field = head::piece(emitted, line, end);
    let value = field.strip_prefix(b"Host: ").unwrap_or_default();
    value.strip_suffix(CRLF).unwrap_or_default()
}

/// Writes `bytes`, the final response that `head` was made from, as it goes to the client.
pub fn response(out: &mut Vec<u8>, bytes: &[u8], head: &ResponseHead, answer: Answer) {
    out.reserve(bytes.len() + limits::WINDOW_HEADROOM_BYTES);
    status_line(out, bytes, head);
    copy(out, bytes, head.fields_at, &head.cuts, |cut| {
        cut == Cut::Trailer && answer.framing == Framing::Chunked
    });
    via(out, head.version);
    match (answer.framing, head.told_length) {
        (Framing::None, Some(length)) => framing(out, Framing::Length(length)),
        (known, _) => framing(out, known),
    }
    match (answer.persistent, answer.to) {
        (false, _) => out.extend_from_slice(b"Connection: close\r\n"),
        (true, Version::Http10) => out.extend_from_slice(b"Connection: keep-alive\r\n"),
        (true, Version::Http11) => {}
    }
    out.extend_from_slice(CRLF);
}

/// Writes a 1xx as it goes to an HTTP/1.1 client. A 101, which ends HTTP on the connection, keeps
/// its Upgrade; the caller has checked that one was asked for.
pub fn interim(out: &mut Vec<u8>, bytes: &[u8], head: &ResponseHead) {
    out.reserve(bytes.len() + limits::WINDOW_HEADROOM_BYTES);
    let switches = head.status == 101;
    status_line(out, bytes, head);
    copy(out, bytes, head.fields_at, &head.cuts, |cut| {
        cut == Cut::Upgrade && switches
    });
    if switches {
        out.extend_from_slice(b"Connection: upgrade\r\n");
    }
    out.extend_from_slice(CRLF);
}

/// Writes an answer of our own, body included unless `head_only` (it answers HEAD). `persistent`
/// must be false for an HTTP/1.0 client, which would wait for the close. `retry_after` in seconds.
pub fn local(
    out: &mut Vec<u8>,
    status: u16,
    body: &str,
    persistent: bool,
    retry_after: Option<u32>,
    head_only: bool,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    number(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(phrase(status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: text/plain; charset=utf-8\r\n");
    out.extend_from_slice(b"Cache-Control: no-store\r\n");
    if status == 405 {
        out.extend_from_slice(b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
    }
    if let Some(seconds) = retry_after {
        out.extend_from_slice(b"Retry-After: ");
        number(out, u64::from(seconds));
        out.extend_from_slice(CRLF);
    }
    framing(out, Framing::Length(body.len() as u64 + 1));
    if !persistent {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    out.extend_from_slice(CRLF);
    if !head_only {
        out.extend_from_slice(body.as_bytes());
        out.push(b'\n');
    }
}

/// The usual reason phrase of a status, RFC 9110 section 15; empty for one without.
#[must_use]
pub const fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// The field lines from `from` to the empty line, without the runs that `keeps` does not keep.
fn copy(out: &mut Vec<u8>, bytes: &[u8], from: u16, cuts: &Cuts, keeps: impl Fn(Cut) -> bool) {
    let mut at = from;
    for (start, end, cut) in cuts.iter() {
        if !keeps(cut) {
            out.extend_from_slice(head::piece(bytes, at, start));
            at = end;
        }
    }
    let end = bytes.len().saturating_sub(CRLF.len());
    out.extend_from_slice(head::piece(bytes, at, end));
}

/// Ours is always HTTP/1.1 and always has the space after the code.
fn status_line(out: &mut Vec<u8>, bytes: &[u8], head: &ResponseHead) {
    const CODE_END: usize = b"HTTP/1.1 200".len();
    let code = head::piece(bytes, b"HTTP/1.1".len(), CODE_END);
    out.extend_from_slice(b"HTTP/1.1");
    out.extend_from_slice(code);
    match head::piece(bytes, CODE_END, head.fields_at) {
        phrase @ [b' ', ..] => out.extend_from_slice(phrase),
        _ => out.extend_from_slice(b" \r\n"),
    }
}

/// RFC 9110 section 7.6.3: the version is the one received.
fn via(out: &mut Vec<u8>, version: Version) {
    out.extend_from_slice(match version {
        Version::Http10 => b"Via: 1.0 tidegate\r\n",
        Version::Http11 => b"Via: 1.1 tidegate\r\n",
    });
}

/// RFC 7239 section 4: a proxy adds itself behind what came, in a line of its own if it likes.
fn forwarded(out: &mut Vec<u8>, bytes: &[u8], head: &RequestHead, forward: &Forward<'_>) {
    out.extend_from_slice(b"Forwarded: for=");
    let is_v6 = forward.client.to_canonical().is_ipv6();
    // Section 6: an IPv6 address is in brackets, and so in quotes.
    out.extend_from_slice(if is_v6 { b"\"[" } else { b"" });
    if forward.client == NO_ADDRESS {
        out.extend_from_slice(b"unknown");
    } else {
        address(out, forward.client);
    }
    out.extend_from_slice(if is_v6 { b"]\"" } else { b"" });
    out.extend_from_slice(b";proto=");
    out.extend_from_slice(forward.scheme.as_bytes());
    let host = head.host(bytes);
    if !host.is_empty() {
        // A host has neither quotes nor backslashes.
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    out.extend_from_slice(CRLF);
}

fn x_forwarded(out: &mut Vec<u8>, bytes: &[u8], head: &RequestHead, forward: &Forward<'_>) {
    let before = out.len();
    out.extend_from_slice(b"X-Forwarded-For: ");
    let empty = out.len();
    if forward.trusted && head.cuts.has(Cut::ForwardedFor) {
        for (start, end, cut) in head.cuts.iter() {
            if cut == Cut::ForwardedFor {
                chain(out, head::piece(bytes, start, end));
            }
        }
    }
    if forward.client != NO_ADDRESS {
        address(out, forward.client);
        out.extend_from_slice(CRLF);
    } else if out.len() == empty {
        out.truncate(before);
    } else {
        out.truncate(out.len() - b", ".len());
        out.extend_from_slice(CRLF);
    }
    if !(forward.trusted && head.cuts.has(Cut::ForwardedProto)) {
        out.extend_from_slice(b"X-Forwarded-Proto: ");
        out.extend_from_slice(forward.scheme.as_bytes());
        out.extend_from_slice(CRLF);
    }
    let host = head.host(bytes);
    let believed = forward.trusted && head.cuts.has(Cut::ForwardedHost);
    if !believed && !host.is_empty() {
        out.extend_from_slice(b"X-Forwarded-Host: ");
        out.extend_from_slice(host);
        out.extend_from_slice(CRLF);
    }
}

/// The values of X-Forwarded-For lines as the beginning of one list: many backends read but one
/// line, and not all the same one.
fn chain(out: &mut Vec<u8>, lines: &[u8]) {
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let value = line.get(b"X-Forwarded-For:".len()..).unwrap_or_default();
        let value = head::trimmed(value);
        if !value.is_empty() {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
    }
}

fn framing(out: &mut Vec<u8>, framing: Framing) {
    match framing {
        Framing::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            number(out, length);
            out.extend_from_slice(CRLF);
        }
        Framing::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
}

/// Whether a request of this method that says `Content-Length: 0` goes on saying so: some backends
/// answer 411 to a POST that does not (RFC 9110 section 8.6).
const fn announces_emptiness(method: Method) -> bool {
    match method {
        Method::Post | Method::Put | Method::Patch | Method::Other => true,
        Method::Get | Method::Head | Method::Delete | Method::Options | Method::Trace => false,
    }
}

/// An address without port or brackets; IPv4 behind an IPv6 socket as what it is.
fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => address_v4(out, address),
        IpAddr::V6(address) => {
            // A vector takes whatever is written to it.
            let _ = write!(out, "{address}");
        }
    }
}

fn address_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let [first, rest @ ..] = address.octets();
    number(out, u64::from(first));
    for octet in rest {
        out.push(b'.');
        number(out, u64::from(octet));
    }
}

/// Decimal, without the formatting machinery: this is on the way of every message.
fn number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; 20];
    let mut left = number;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        count += 1;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(head::piece(&digits, digits.len() - count, digits.len()));
}

/// The 32 hexadecimal digits of an id.
pub fn digits(out: &mut Vec<u8>, number: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut all = [0; 32];
    for (pair, byte) in all.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair.copy_from_slice(&[
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]);
    }
    out.extend_from_slice(&all);
}

/// Where the line after the one at `from` begins.
fn past_line(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'\n');
    end.map_or(bytes.len(), |end| from + end + 1)
}

const CRLF: &[u8] = b"\r\n";

#[cfg(test)]
mod tests;
