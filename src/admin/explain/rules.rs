//! What holds for a request besides its way: how long is waited, what is tried again, and which
//! connections it may go over.

use serde_json::Value;
use serde_json::json;

use super::question::Question;
use crate::base::time::Span;
use crate::config::Limits;
use crate::config::Listener;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::ReuseMode;
use crate::config::STALE_AFTER;

/// What a request is judged as that is a line and a host only, and how much more it might bring.
pub(super) fn limits(question: &Question, limits: &Limits) -> String {
    let brings = question.head("").len();
    let (fields, head) = (limits.headers, limits.request_head);
    let body = match limits.body {
        None => "a body of any length".to_owned(),
        Some(bytes) => format!("a body of {bytes} bytes (413)"),
    };
    format!(
        "judged as a head of 1 field and {brings} bytes without a body; this listener takes \
         {fields} fields and {head} bytes (431), and {body}"
    )
}

/// Lengths of time, each with what happens when it is over.
pub(super) fn timeouts(listener: &Listener, pool: &Pool) -> Value {
    let (client, server) = (&listener.timeouts, &pool.timeouts);
    let http = [
        ("head", "the whole head of the request", client.head, "408"),
        ("read", "a client silent in its body", client.read, "408"),
        (
            "connect",
            "connecting, TLS included",
            server.connect,
            "the next backend, at last 504",
        ),
        ("response", "the head of the answer", server.response, "504"),
        (
            "response_body",
            "a backend silent in its answer",
            server.read,
            "a reset",
        ),
        (
            "write",
            "a client that takes nothing",
            client.write,
            "a reset",
        ),
        ("idle", "the next request", client.idle, "closed"),
    ];
    let tcp = [
        ("connect", "connecting", server.connect, "the next backend"),
        ("tunnel", "both sides silent", client.tunnel, "a reset"),
    ];
    let rows = match listener.mode {
        Mode::Http => http.as_slice(),
        Mode::Tcp => tcp.as_slice(),
    };
    let row = |row: &(&str, &str, Span, &str)| {
        let (name, waits_for, span, then) = row;
        json!({"name": name, "waits_for": waits_for, "span": span.to_string(), "then": then})
    };
    rows.iter().map(row).collect()
}

/// How many servers are tried, and for what.
pub(super) fn retry(question: &Question, mode: Mode, pool: &Pool) -> Value {
    let tries = pool.retry.tries;
    let idempotent = mode == Mode::Http && question.is_idempotent();
    let method = &question.method;
    let rule = match mode {
        Mode::Tcp => {
            "until a connection stands the next backend is asked; nothing is sent twice".to_owned()
        }
        Mode::Http if idempotent => format!(
            "a connection that fails leads to the next backend; {method} may be sent again if \
             nothing of an answer came: {tries} tries in all"
        ),
        Mode::Http => format!(
            "a connection that fails leads to the next backend; {method} is never sent twice: \
             once it is on its way a broken connection is a 502"
        ),
    };
    json!({"tries": tries, "idempotent": idempotent, "rule": rule})
}

/// Over which connections it may go.
pub(super) fn reuse(question: &Question, mode: Mode, pool: &Pool) -> Value {
    let reuse = &pool.reuse;
    let kept = format!("up to {} per backend, for {}", reuse.idle, reuse.idle_time);
    let rule = match reuse.mode {
        _ if mode == Mode::Tcp => "every client has a connection of its own".to_owned(),
        ReuseMode::Never => "every request has a new connection".to_owned(),
        _ if reuse.idle == 0 => "every request has a new connection".to_owned(),
        ReuseMode::Always => format!("a kept connection if there is one ({kept})"),
        ReuseMode::Safe if question.is_idempotent() => {
            format!("a kept connection if there is one ({kept})")
        }
        ReuseMode::Safe => format!(
            "a kept connection that was used within {STALE_AFTER} ({kept}), else a new one: a \
             request that must not be sent twice is never put on one that may be closing"
        ),
    };
    json!({
        "mode": reuse.mode.name(),
        "idle": reuse.idle,
        "idle_time": reuse.idle_time.to_string(),
        "rule": rule,
    })
}
