//! Request heads: from bytes to what routing, framing and forwarding need. Called by the session
//! of an HTTP client and by the admin server.

use std::mem::MaybeUninit;

use httparse::Header;
use httparse::Status;

use crate::http::Framing;
use crate::http::Kind;
use crate::http::Reason;
use crate::http::Reject;
use crate::http::Version;
use crate::http::head::authority;
use crate::http::head::diagnosis;
use crate::http::head::fields::Cut;
use crate::http::head::fields::Cuts;
use crate::http::head::fields::is_token_byte;
use crate::http::head::fields::piece;
use crate::http::head::fields::trimmed;
use crate::http::head::method::Method;
use crate::http::head::survey::Survey;
use crate::limits;

/// What the client would like to speak after this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upgrade {
    /// HTTP/1.1, as before.
    None,
    /// A protocol that takes the connection over once the server has agreed with a 101: asked for
    /// by a GET in HTTP/1.1 without a body that names it alone. WebSocket (RFC 6455) and others.
    Wanted,
    /// What is never granted: another HTTP, or TLS, which would hide requests in a tunnel that
    /// nobody judges; or any protocol, asked for in another way.
    Refused,
}

/// A request head that was found sound. Small, and refers to the head by offsets only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// As received; what is forwarded is always HTTP/1.1.
    pub version: Version,
    /// As received.
    pub method: Method,
    /// What follows: nothing, a length or chunks.
    pub framing: Framing,
    /// Whether the client means to send another request after this one.
    pub persistent: bool,
    /// Whether the client waits for a 100 before it sends the body that `framing` announces.
    pub expects_continue: bool,
    /// What the client would like to switch to.
    pub upgrade: Upgrade,
    /// How many fields the head has.
    pub fields: u8,
    pub(in crate::http) method_end: u8,
    pub(in crate::http) fields_at: u16,
    pub(in crate::http) target: (u16, u16),
    pub(in crate::http) host: (u16, u16),
    pub(in crate::http) cuts: Cuts,
}

impl RequestHead {
    /// The method's name. `bytes` is the head that this was made from, here and below.
    #[must_use]
    pub fn method_name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        piece(bytes, 0_usize, self.method_end)
    }

    /// The request line as it came, without its end.
    #[must_use]
    pub fn line<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        piece(
            bytes,
            0_usize,
            usize::from(self.fields_at).saturating_sub(2),
        )
    }

    /// What is forwarded as the target: path and query, or `*`.
    #[must_use]
    pub fn target<'a>(&self, bytes: &'a [u8]) -> Target<'a> {
        match piece(bytes, self.target.0, self.target.1) {
            [] if self.method == Method::Options => Target {
                slash: "",
                rest: b"*",
            },
            rest @ ([] | [b'?', ..]) => Target { slash: "/", rest },
            rest => Target { slash: "", rest },
        }
    }

    /// The path that routes are matched against: the target without its query, never empty.
    #[must_use]
    pub fn path<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let target = piece(bytes, self.target.0, self.target.1);
        let end = target.iter().position(|byte| *byte == b'?');
        match target
            .get(..end.unwrap_or(target.len()))
            .unwrap_or_default()
        {
            [] => b"/",
            path => path,
        }
    }

    /// The host the client asked for, port included; empty only in HTTP/1.0.
    #[must_use]
    pub fn host<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        piece(bytes, self.host.0, self.host.1)
    }

    /// What its sender calls the request: 1 to [`limits::REQUEST_ID_BYTES_MAX`] bytes of visible
    /// ASCII, said once. `None` if it says nothing, or anything else, or was not asked by
    /// [`request_with_id`].
    #[must_use]
    pub fn id<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let mut lines = self.cuts.iter().filter(|(.., why)| *why == Cut::Id);
        let (start, end, _) = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        let line = piece(bytes, start, end).strip_suffix(b"\r\n")?;
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = trimmed(line.get(colon + 1..)?);
        let fits = (1..=limits::REQUEST_ID_BYTES_MAX).contains(&value.len());
        // Of two lines, one after the other, the break between them is not visible.
        (fits && value.iter().all(u8::is_ascii_graphic)).then_some(value)
    }
}

/// A target in origin-form. An absolute-form without a path lacks the slash that is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// `"/"` if the bytes received lack it, else empty.
    pub slash: &'static str,
    /// What comes after it.
    pub rest: &'a [u8],
}

/// Reads exactly one complete head, as [`super::HeadScan`] found it.
///
/// # Errors
/// Whatever a strict reading of RFC 9112 and RFC 9110 refuses, and then some: see [`Reason`].
pub fn request(bytes: &[u8]) -> Result<RequestHead, Reject> {
    request_with_id(bytes, "")
}

/// The same, and finds what the request is called: [`RequestHead::id`]. `id` is the name of the
/// field that says so, in small letters, digits and hyphens, and none of those with a meaning of
/// their own; empty if there is none.
///
/// # Errors
/// Those of [`request`].
pub fn request_with_id(bytes: &[u8], id: &str) -> Result<RequestHead, Reject> {
    judge(bytes, id.as_bytes()).map_err(|reason| Kind::Request.reject(reason))
}

fn judge(bytes: &[u8], id: &[u8]) -> Result<RequestHead, Reason> {
    if bytes.len() > limits::REQUEST_HEAD_BYTES_MAX {
        return Err(Reason::HeadTooLarge);
    }
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; limits::HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    let outcome = parsed.parse_with_uninit_headers(bytes, &mut slots);
    let (Ok(Status::Complete(length)), Some(name), Some(path), Some(minor)) =
        (outcome, parsed.method, parsed.path, parsed.version)
    else {
        return Err(diagnosis::head(bytes, Kind::Request));
    };
    let line = Line::new(bytes, name, path, minor);
    let (Some(line), true) = (line, length == bytes.len()) else {
        return Err(diagnosis::head(bytes, Kind::Request));
    };
    if name.len() > limits::METHOD_BYTES_MAX {
        return Err(Reason::MethodTooLong);
    }
    if name == "CONNECT" {
        return Err(Reason::ConnectRefused);
    }
    if line.end > limits::REQUEST_LINE_BYTES_MAX {
        return Err(Reason::LineTooLong);
    }
    let method = Method::of(name.as_bytes());
    let survey = Survey::new(bytes, line.end + 2, parsed.headers, Kind::Request, id)?;
    finish(bytes, &line, method, &survey, parsed.headers.len())
}

/// The request line by position, proven to have exactly one space between its three words.
struct Line {
    version: Version,
    method_end: usize,
    target_end: usize,
    end: usize,
}

impl Line {
    fn new(bytes: &[u8], method: &str, path: &str, minor: u8) -> Option<Self> {
        let version = if minor == 1 {
            Version::Http11
        } else {
            Version::Http10
        };
        let method_end = method.len();
        let target_end = method_end + 1 + path.len();
        let sound = bytes.starts_with(method.as_bytes())
            && bytes.get(method_end) == Some(&b' ')
            && bytes.get(method_end + 1..target_end) == Some(path.as_bytes())
            && match bytes.get(target_end..target_end + 11) {
                Some(b" HTTP/1.1\r\n") => version == Version::Http11,
                Some(b" HTTP/1.0\r\n") => version == Version::Http10,
                _ => false,
            };
        sound.then_some(Self {
            version,
            method_end,
            target_end,
            end: target_end + 9,
        })
    }
}

fn finish(
    bytes: &[u8],
    line: &Line,
    method: Method,
    survey: &Survey<'_>,
    fields: usize,
) -> Result<RequestHead, Reason> {
    let target_at = line.method_end + 1;
    let whole = piece(bytes, target_at, line.target_end);
    let target = authority::target(whole, method)?;
    let named = piece(whole, target.authority.0, target.authority.1);
    let host = match survey.host {
        Some((host, _)) if !authority::is_host(host) => return Err(Reason::HostInvalid),
        Some((host, _)) if !named.is_empty() && !host.eq_ignore_ascii_case(named) => {
            return Err(Reason::TargetNotHost);
        }
        Some((host, at)) => (usize::from(at), usize::from(at) + host.len()),
        None if line.version == Version::Http11 => return Err(Reason::HostMissing),
        None => (
            target_at + target.authority.0,
            target_at + target.authority.1,
        ),
    };
    let framing = survey.framing(line.version)?;
    let expects = match survey.expect {
        None => false,
        Some(value) => {
            if line.version == Version::Http10 || !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Reason::ExpectUnknown);
            }
            !matches!(framing, Framing::None | Framing::Length(0))
        }
    };
    Ok(RequestHead {
        version: line.version,
        method,
        framing,
        persistent: survey.connection.persists(line.version),
        expects_continue: expects,
        upgrade: upgrade(line.version, method, framing, survey),
        fields: u8::try_from(fields).unwrap_or(u8::MAX),
        method_end: u8::try_from(line.method_end).map_err(|_| Reason::MethodTooLong)?,
        fields_at: short(line.end + 2)?,
        target: (short(target_at + target.path)?, short(line.target_end)?),
        host: (short(host.0)?, short(host.1)?),
        cuts: survey.cuts,
    })
}

fn upgrade(version: Version, method: Method, framing: Framing, survey: &Survey<'_>) -> Upgrade {
    let Some(wanted) = survey.upgrade.filter(|_| survey.connection.upgrade) else {
        return Upgrade::None;
    };
    let starts = |prefix: &[u8]| {
        wanted
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let hides_requests = starts(b"h2") || starts(b"http") || starts(b"tls");
    let alone = !wanted.is_empty()
        && wanted
            .iter()
            .all(|byte| is_token_byte(*byte) || *byte == b'/');
    let plain = (version, method, framing) == (Version::Http11, Method::Get, Framing::None);
    if plain && alone && !hides_requests {
        Upgrade::Wanted
    } else {
        Upgrade::Refused
    }
}

fn short(position: usize) -> Result<u16, Reason> {
    u16::try_from(position).map_err(|_| Reason::HeadTooLarge)
}
