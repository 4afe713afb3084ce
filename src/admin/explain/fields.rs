//! What becomes of a request's fields on the way to a server: found out by rewriting a head that
//! has every field which anything is done about, with the code that rewrites all of them.

use serde_json::Value;
use serde_json::json;

use super::question::Question;
use crate::config::Backend;
use crate::config::Forwarded;
use crate::config::Listener;
use crate::config::Pool;
use crate::http::emit;
use crate::http::emit::Forward;
use crate::http::emit::HostRule;
use crate::http::emit::Id;
use crate::http::emit::Told;
use crate::http::head;

/// Each field that does not arrive as it was sent, or only because it is believed: its name, what
/// is done, and what the server sees.
pub(super) fn changes(
    question: &Question,
    listener: &Listener,
    pool: &Pool,
    backend: &Backend,
) -> Value {
    let field = listener.request_id.as_deref();
    // What the client says of its scheme has to be a lie: the truth would look like belief.
    let (scheme, lie) = match listener.tls {
        Some(_) => ("https", "http"),
        None => ("http", "https"),
    };
    let sent: Vec<(&str, &str)> = SENT
        .iter()
        .copied()
        .chain([("X-Forwarded-Proto", lie)])
        .chain(field.map(|field| (field, SENT_ID)))
        .collect();
    let lines: String = sent
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let bytes = question.head(&lines);
    let Ok(head) = head::request_with_id(bytes.as_bytes(), field.unwrap_or_default()) else {
        return Value::Array(Vec::new());
    };
    let (host, always) = pool.host.told(backend);
    let mut arrived = Vec::new();
    emit::request(
        &mut arrived,
        bytes.as_bytes(),
        &head,
        &Forward {
            client: question.client,
            scheme,
            host: if always {
                HostRule::Literal(&host)
            } else {
                HostRule::Keep
            },
            trusted: trusts(listener, question),
            told: told(listener.forwarded),
            upgrade: false,
            id: field.map(|field| Id { field, number: 0 }),
        },
    );
    let arrived = String::from_utf8_lossy(&arrived);
    let arrived: Vec<(&str, &str)> = arrived
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| match field {
            Some(field) if field == name && value != SENT_ID => (name, NEW_ID),
            _ => (name, value),
        })
        .collect();
    let known = std::iter::once(("Host", question.host.as_str()));
    let known: Vec<(&str, &str)> = known.chain(sent).collect();
    let fate = |&(name, value): &(&str, &str)| fate(name, value, &arrived);
    let added = arrived
        .iter()
        .filter(|(name, _)| {
            !known
                .iter()
                .any(|(other, _)| name.eq_ignore_ascii_case(other))
        })
        .map(|(name, value)| json!({"name": name, "change": "added", "value": value}));
    known.iter().map(fate).chain(added).collect()
}

/// Whether what the client says of others is believed.
pub(super) fn trusts(listener: &Listener, question: &Question) -> bool {
    let mut networks = listener.trusted_proxies.iter();
    networks.any(|network| network.contains(question.client))
}

fn fate(name: &str, value: &str, arrived: &[(&str, &str)]) -> Value {
    let all: Vec<&str> = arrived
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value)
        .collect();
    let seen = all.join(", ");
    let change = match seen.as_str() {
        "" => "removed",
        seen if seen == value => "kept",
        seen if seen
            .strip_prefix(value)
            .is_some_and(|more| more.starts_with(", ")) =>
        {
            "appended"
        }
        _ => "replaced",
    };
    json!({"name": name, "change": change, "value": seen})
}

const fn told(forwarded: Forwarded) -> Told {
    match forwarded {
        Forwarded::XForwarded => Told::Each,
        Forwarded::Rfc7239 => Told::One,
        Forwarded::Both => Told::Both,
        Forwarded::Off => Told::Nothing,
    }
}

/// A client that sends every field about which something is done, among them lies about itself.
const SENT: &[(&str, &str)] = &[
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-Host", "client.example"),
    ("Forwarded", "for=203.0.113.9"),
    ("X-Real-IP", "203.0.113.9"),
    ("Connection", "keep-alive, TE"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("Proxy-Authorization", "Basic Og=="),
    ("TE", "trailers"),
];

/// What that client calls its request.
const SENT_ID: &str = "a-name-of-its-own";

/// What it is called otherwise.
const NEW_ID: &str = "32 hexadecimal digits, others for every request";
