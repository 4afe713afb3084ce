//! The judge who knows no case: whatever was sent, what came of it must hold together.
//!
//! 1. What a backend got is read by the strict reader and by every lenient one as the same list
//!    of requests: there is no second opinion about it anywhere.
//! 2. That list is what the strict reader finds in what the client sent: same methods, targets,
//!    bodies and trailers, same fields but for those that are ours or for one hop.
//! 3. What the client got is what backends answered, in order, or a word of our own; where it is
//!    not whole, the client sees that.

use tidegate::session::Cause;
use tidegate::session::Outcome;

use crate::delivery::Record;
use crate::notation::shown;
use crate::reference::{self, Field, LENIENT, Message, Reader, Stop};

/// Why it does not hold together; `client` is everything that was sent.
pub(crate) fn judge(client: &[u8], record: &Record) -> Result<(), String> {
    let (sent, _) = reference::requests(Reader::Strict, client);
    let mut next = 0;
    let mut last = false;
    for connection in &record.connections {
        let got = agreed(connection.requests())?;
        for request in &got {
            canonical(request)?;
            // What follows may be of the protocol that was asked for.
            if last && !asks_upgrade(request) {
                return Err(format!("a request behind an upgrade: {request:?}"));
            }
            last |= asks_upgrade(request);
            // Once more only on another connection, when the one before died without an answer.
            let again = next > 0 && same(&sent[next - 1], request).is_ok();
            match sent.get(next).map(|sent| same(sent, request)) {
                Some(Ok(())) => next += 1,
                _ if again => {}
                Some(Err(why)) => return Err(format!("request {next}: {why}")),
                None => return Err(format!("a request that nobody sent: {request:?}")),
            }
        }
    }
    answers(&sent, record)
}

/// The whole requests in what a backend got, about which all readers agree.
pub(crate) fn agreed(received: &[u8]) -> Result<Vec<Message>, String> {
    let (requests, stop) = reference::requests(Reader::Strict, received);
    if let Some(Stop::Wrong(why)) = stop {
        return Err(format!(
            "a backend got what is no request ({why}): {}",
            shown(received)
        ));
    }
    for reader in LENIENT {
        let (others, other) = reference::requests(reader, received);
        if others != requests || other != stop {
            let text = shown(received);
            return Err(format!(
                "{reader:?} reads other requests in: {text}\n{others:?}"
            ));
        }
    }
    Ok(requests)
}

/// One Host, one framing field at most, nothing that is for one hop.
fn canonical(request: &Message) -> Result<(), String> {
    let count = |name: &[u8]| request.values(name).count();
    let framing = count(b"content-length") + count(b"transfer-encoding");
    let hop = HOP
        .iter()
        .filter(|name| !(asks_upgrade(request) && UPGRADE.contains(name)))
        .find(|name| count(name) > 0 && !OURS.contains(name));
    if count(b"host") != 1 || framing > 1 || hop.is_some() {
        return Err(format!("not canonical: {request:?}"));
    }
    Ok(())
}

/// The two fields that ask for another protocol, RFC 9110 section 7.8.
const UPGRADE: [&[u8]; 2] = [b"connection", b"upgrade"];

/// Whether it asks for another protocol, and for nothing else of this hop.
fn asks_upgrade(request: &Message) -> bool {
    let connection: Vec<_> = request.values(b"connection").collect();
    connection == [b"upgrade"] && request.values(b"upgrade").count() == 1
}

/// Whether `got` is `sent`, as a proxy may change it.
fn same(sent: &Message, got: &Message) -> Result<(), String> {
    if sent.start[0] != got.start[0] || target(sent) != got.start[1] {
        return Err(format!(
            "start line {:?} became {:?}",
            sent.start, got.start
        ));
    }
    if sent.body != got.body || sent.trailers != got.trailers {
        return Err(format!("body of {sent:?} became that of {got:?}"));
    }
    let chunks = sent.values(b"transfer-encoding").next().is_some();
    let left = kept(sent, chunks);
    let mut right = got.fields.clone();
    let via = right
        .iter()
        .rposition(|field| field.0 == b"via")
        .ok_or("no Via")?;
    right.remove(via);
    right.retain(|field| !OURS.contains(&field.0.as_slice()));
    if asks_upgrade(got) {
        let plain = got.start[0] == b"GET" && got.body.is_empty();
        if !plain || !got.values(b"upgrade").eq(sent.values(b"upgrade")) {
            return Err(format!("another upgrade than in {sent:?}"));
        }
        right.retain(|field| !UPGRADE.contains(&field.0.as_slice()));
    }
    if left != right {
        return Err(format!("fields {left:?} became {right:?}"));
    }
    Ok(())
}

/// The target as it goes to an origin, RFC 9112 section 3.2.
fn target(request: &Message) -> Vec<u8> {
    let target = &request.start[1];
    let lower = target.to_ascii_lowercase();
    let scheme = [b"http://".as_slice(), b"https://"];
    let Some(scheme) = scheme.into_iter().find(|scheme| lower.starts_with(scheme)) else {
        return target.clone();
    };
    let rest = &target[scheme.len()..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?'))
        .unwrap_or(rest.len());
    match &rest[end..] {
        [] if request.start[0] == b"OPTIONS" => b"*".to_vec(),
        path @ [b'/', ..] => path.to_vec(),
        query => [b"/", query].concat(),
    }
}

/// The fields that travel, RFC 9110 section 7.6.1.
fn kept(message: &Message, chunks: bool) -> Vec<Field> {
    let named: Vec<Vec<u8>> = message
        .values(b"connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|token| token.trim_ascii().to_ascii_lowercase())
        .collect();
    let travels = |field: &&Field| {
        let name = field.0.as_slice();
        !HOP.contains(&name)
            && !OURS.contains(&name)
            && !name.starts_with(b"x-forwarded-")
            && !named.iter().any(|token| token == name)
            && (chunks || name != b"trailer")
    };
    message.fields.iter().filter(travels).cloned().collect()
}

/// What the client got, against what backends answered.
fn answers(sent: &[Message], record: &Record) -> Result<(), String> {
    let mut rest = record.to_client.as_slice();
    let mut given = record.answers.iter();
    let mut local = record.refusals.iter();
    let mut finals = 0;
    let mut kept = None;
    let ended = !record.reset && !gone(record);
    while !rest.is_empty() {
        let method = match sent.get(finals) {
            Some(sent) => sent.start[0].as_slice(),
            // Answered before it was whole, it is not among those that were sent.
            None if reference::response(rest, b"GET", ended).is_ok() => b"GET",
            None => record
                .answers
                .last()
                .map_or(b"".as_slice(), |given| &given.0),
        };
        let (answer, length) = match reference::response(rest, method, ended) {
            Ok(read) => read,
            Err(Stop::Wrong(why)) => {
                return Err(format!("an answer that is none ({why}): {}", shown(rest)));
            }
            Err(Stop::Short) if record.reset || gone(record) => return Ok(()),
            Err(Stop::Short) if refused(record) && headless(rest) => return Ok(()),
            Err(Stop::Short) => return Err(format!("an answer without end: {}", shown(rest))),
        };
        let own = is_own(&answer);
        // HEAD, refused before or after it was understood: with a body, or without.
        let length = match reference::response(rest, b"GET", ended) {
            Ok((_, whole)) if own && refused(record) && headless(rest) => whole,
            _ => length,
        };
        rest = &rest[length..];
        if answer.status() == 101 {
            // What comes behind it is another protocol.
            let switched = record.connections.iter().any(|one| one.switched.is_some());
            return if switched {
                Ok(())
            } else {
                Err("a 101 for nothing".to_owned())
            };
        }
        if answer.status() < 200 {
            continue;
        }
        kept = Some(promises(&answer, sent.get(finals)));
        finals += 1;
        if own {
            let said = local.next().map(|(status, _)| *status);
            if said != Some(answer.status()) {
                return Err(format!("{} without a cause", answer.status()));
            }
        } else if !given.any(|given| is_answer(given, &answer)) {
            return Err(format!("an answer that no backend gave: {answer:?}"));
        }
    }
    match kept {
        Some(true) if record.closed && !gone(record) && !record.reset => {
            Err("closed, though said to be kept".to_owned())
        }
        Some(false) if !record.closed && !record.forced && !gone(record) && !record.reset => {
            Err("kept, though said to be closed".to_owned())
        }
        _ => Ok(()),
    }
}

/// Whether the client may take its connection for kept, RFC 9112 section 9.3.
fn promises(answer: &Message, request: Option<&Message>) -> bool {
    let says = |what: &[u8]| {
        let mut said = answer.values(b"connection");
        said.any(|value| value.eq_ignore_ascii_case(what))
    };
    match request {
        Some(request) if request.start[2] == b"HTTP/1.0" => says(b"keep-alive"),
        _ => !says(b"close"),
    }
}

fn gone(record: &Record) -> bool {
    matches!(
        record.outcome,
        Some(Outcome::ClientGone | Outcome::Refused(_))
    )
}

fn refused(record: &Record) -> bool {
    record
        .refusals
        .iter()
        .any(|(_, cause)| matches!(cause, Cause::Refused(_)))
}

/// The last answer, and possibly one to HEAD.
fn headless(rest: &[u8]) -> bool {
    let Some(head) = reference::head_length(rest) else {
        return false;
    };
    let whole = reference::response(rest, b"GET", false);
    rest.len() == head || whole.is_ok_and(|(_, length)| length == rest.len())
}

fn is_own(answer: &Message) -> bool {
    answer.status() >= 400
        && answer.values(b"via").next().is_none()
        && answer
            .values(b"cache-control")
            .any(|value| value == b"no-store")
}

/// Whether this is what that backend said.
fn is_answer((method, bytes, ended): &(Vec<u8>, Vec<u8>, bool), answer: &Message) -> bool {
    let mut rest = bytes.as_slice();
    while let Ok((said, length)) = reference::response(rest, method, *ended) {
        rest = &rest[length..];
        if said.status() >= 200 {
            let hop = answer
                .fields
                .iter()
                .any(|field| RESPONSE_HOP.contains(&field.0.as_slice()));
            return !hop && said.start[1..] == answer.start[1..] && said.body == answer.body;
        }
    }
    false
}

const HOP: [&[u8]; 12] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"upgrade",
    b"expect",
    b"http2-settings",
    b"proxy-authorization",
    b"forwarded",
    b"x-real-ip",
    b"x-forwarded-server",
    b"x-forwarded-port",
];

const RESPONSE_HOP: [&[u8]; 4] = [b"keep-alive", b"proxy-connection", b"te", b"upgrade"];

/// Written anew for every request.
const OURS: [&[u8]; 6] = [
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"x-forwarded-for",
    b"x-forwarded-proto",
    b"x-forwarded-host",
];
