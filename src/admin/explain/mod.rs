//! Why a request would go where it would go: a walk through the same parser, the same writer of
//! heads and the same configuration that serve it, as a document.
//!
//! `tidegate explain` asks with a configuration alone; the admin interface adds what only a running
//! balancer knows. Both are shown by the same words, which are made from the document. What is
//! said of fields is not written down here but observed: a head with all of them is rewritten as
//! it would be, and compared.

mod fields;
mod question;
mod rules;

use serde_json::Value;
use serde_json::json;

use super::report;
use super::report::Pool as PoolReport;
use super::report::Report;
use super::report::State;
use crate::config::Backend;
use crate::config::Config;
use crate::config::Limits;
use crate::config::Listener;
use crate::config::Mode;
use crate::config::Pool;
use crate::config::url;
use crate::http::Reject;

pub use question::Question;

/// What only a running balancer knows.
#[derive(Clone, Debug)]
pub struct Live {
    /// Everything that is counted and known.
    pub report: Report,
    /// By pool: the ids of the servers whose turn it is, the next one first.
    pub turns: Vec<(String, Vec<String>)>,
}

/// What would become of the request: the `forwarded` of the document says whether it would get to
/// a server. Without `live` every server counts as up.
#[must_use]
pub fn explain(question: &Question, config: &Config, live: Option<&Live>) -> Value {
    let doors = doors(config, live);
    let (taker, reason) = taken_by(question, &doors);
    let door = &doors[taker];
    let listener = door.listener;
    let pool = &config.pools[listener.pool];
    let servers = servers(pool, listener.mode, live);
    let refusal = refusal(question, listener, &servers, live);
    let first = servers.iter().find(|server| server.turn == Some(1));
    let mut document = json!({
        "request": question.document(),
        "live": live.is_some(),
        "forwarded": refusal.is_none(),
        "answer": refusal,
        "listeners": listeners(&doors, taker, question, &reason),
        // What no route takes goes to the pool of the listener, and there are no routes yet.
        "route": null,
        "pool": {"name": pool.name, "mode": listener.mode.name(), "balance": "round-robin"},
        "backends": servers.iter().map(Server::document).collect::<Value>(),
        "next": first.map(|server| server.id.as_str()),
        "timeouts": rules::timeouts(listener, pool),
        "retry": rules::retry(question, listener.mode, pool),
        "reuse": rules::reuse(question, listener.mode, pool),
        "notes": notes(question, listener, live),
    });
    let told = first.or_else(|| servers.first());
    document["fields"] = match (listener.mode, told) {
        (Mode::Http, Some(server)) => fields::changes(question, listener, pool, &server.backend),
        _ => Value::Array(Vec::new()),
    };
    document
}

/// A listener, and where it really is.
struct Door<'a> {
    listener: &'a Listener,
    address: String,
    port: Option<u16>,
}

fn doors<'a>(config: &'a Config, live: Option<&Live>) -> Vec<Door<'a>> {
    let found = |listener: &'a Listener| {
        // Port 0 lets the system choose: what it chose is known to who runs.
        let same = |open: &&report::Listener| open.name == listener.name;
        let open = live.and_then(|live| live.report.listeners.iter().find(same));
        let address = open
            .map(|open| open.address.clone())
            .filter(|address| !address.is_empty())
            .unwrap_or_else(|| listener.listen.to_string());
        let port = address
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        Door {
            listener,
            address,
            port,
        }
    };
    config.listeners.iter().map(found).collect()
}

/// The position of the one that takes it, and why that one.
fn taken_by(question: &Question, doors: &[Door<'_>]) -> (usize, String) {
    let port = question.port();
    match doors.iter().position(|door| door.port == Some(port)) {
        Some(at) => (at, format!("it is on port {port}")),
        None if doors.len() == 1 => (0, "it is the only one".to_owned()),
        None => (0, format!("it is the first, and none is on port {port}")),
    }
}

fn listeners(doors: &[Door<'_>], taker: usize, question: &Question, reason: &str) -> Value {
    let one = |(at, door): (usize, &Door<'_>)| {
        let why = match door.port {
            _ if at == taker => reason.to_owned(),
            Some(port) if port == question.port() => "another one is before it".to_owned(),
            Some(port) => format!("it is on port {port}"),
            None => "it is on no port".to_owned(),
        };
        json!({
            "name": door.listener.name,
            "address": door.address,
            "mode": door.listener.mode.name(),
            "takes": at == taker,
            "why": why,
        })
    };
    doors.iter().enumerate().map(one).collect()
}

/// A server that the request might get to.
struct Server {
    id: String,
    backend: Backend,
    state: &'static str,
    reason: String,
    weight: u16,
    max_conns: Option<u32>,
    in_flight: Option<u64>,
    /// Its part of what comes to the pool now, in thousandths.
    share: u64,
    /// 1 for the one whose turn it is, 2 for the one that is asked if that one fails.
    turn: Option<usize>,
    /// What it is told as Host, unless that is what the client says.
    host: Option<String>,
}

impl Server {
    fn document(&self) -> Value {
        json!({
            "id": self.id,
            "url": self.backend.to_string(),
            "state": self.state,
            "reason": self.reason,
            "weight": self.weight,
            "max_conns": self.max_conns,
            "share": thousandths(self.share),
            "in_flight": self.in_flight,
            "turn": self.turn,
            "host": self.host,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is a thousand at most")]
fn thousandths(share: u64) -> f64 {
    share as f64 / 1_000.0
}

fn servers(pool: &Pool, mode: Mode, live: Option<&Live>) -> Vec<Server> {
    // By name: what runs keeps the numbers of pools that are gone.
    let known = live.and_then(|live| {
        let report = live.report.pools.iter().find(|one| one.name == pool.name)?;
        let turns = live.turns.iter().find(|(name, _)| *name == pool.name)?;
        Some((report, &turns.1))
    });
    let mut servers = match known {
        Some((report, turns)) => running(report, turns, pool, mode),
        None => configured(pool),
    };
    let takes = |server: &Server| server.state == State::Up.name() || live.is_none();
    let weight_of = |server: &Server| u64::from(server.weight) * u64::from(takes(server));
    let all: u64 = servers.iter().map(weight_of).sum();
    for server in &mut servers {
        server.share = (weight_of(server) * 1_000 + all / 2)
            .checked_div(all)
            .unwrap_or(0);
        let (host, always) = pool.host.told(&server.backend);
        server.host = (always && mode == Mode::Http).then_some(host);
    }
    servers
}

fn configured(pool: &Pool) -> Vec<Server> {
    // Round robin begins with the heaviest, and with the first of several.
    let weights = pool.backends.iter().map(|one| one.weight);
    let heaviest = weights.max().filter(|weight| *weight > 0);
    let first = pool
        .backends
        .iter()
        .position(|one| Some(one.weight) == heaviest);
    let one = |(at, backend): (usize, &Backend)| Server {
        id: format!("{}-{}", pool.name, at + 1),
        backend: backend.clone(),
        state: "unknown",
        reason: "not known until it runs".to_owned(),
        weight: backend.weight,
        max_conns: backend.max_conns,
        in_flight: None,
        share: 0,
        turn: (first == Some(at)).then_some(1),
        host: None,
    };
    pool.backends.iter().enumerate().map(one).collect()
}

fn running(report: &PoolReport, turns: &[String], pool: &Pool, mode: Mode) -> Vec<Server> {
    let turns = turns.get(..pool.retry.tries as usize).unwrap_or(turns);
    let known = report.backends.iter().filter_map(|one| {
        // What it shows is what it was made from.
        let backend = url::backend(&one.url, mode, Some(mode)).ok()?;
        Some(Server {
            id: one.id.clone(),
            backend,
            state: one.state.name(),
            reason: one.reason.clone(),
            weight: one.weight,
            max_conns: one.max_conns,
            in_flight: Some(one.in_flight),
            share: 0,
            turn: turns.iter().position(|id| *id == one.id).map(|at| at + 1),
            host: None,
        })
    });
    known.collect()
}

/// What the client is answered instead, if the request would get to no server.
fn refusal(
    question: &Question,
    listener: &Listener,
    servers: &[Server],
    live: Option<&Live>,
) -> Option<Value> {
    if listener.mode == Mode::Http && listener.tls.is_some() && !question.secure {
        let why = "this port speaks TLS, ask with https://";
        return Some(json!({"status": 400, "why": why, "code": "clear_text"}));
    }
    if listener.mode == Mode::Http
        && let Err(Reject { status, reason }) = question.judge(listener)
    {
        return Some(json!({"status": status, "why": reason.why(), "code": reason.code()}));
    }
    let up = |one: &Server| one.state == State::Up.name();
    let why = match live {
        _ if servers.iter().any(|server| server.turn.is_some()) => return None,
        None if servers.is_empty() => "the pool has no backend",
        Some(_) if servers.iter().any(up) => {
            match servers
                .iter()
                .filter(|one| up(one))
                .all(|one| one.weight == 0)
            {
                true => "every backend that is up has weight 0",
                false => "every backend that is up has max_conns requests",
            }
        }
        None => "every weight is 0",
        Some(_) => "no backend is up",
    };
    Some(match listener.mode {
        Mode::Http => json!({"status": 503, "why": why, "code": "no_backend"}),
        // A connection that nobody can be found for is closed.
        Mode::Tcp => json!({"status": null, "why": why, "code": "no_backend"}),
    })
}

fn notes(question: &Question, listener: &Listener, live: Option<&Live>) -> Vec<String> {
    let mut notes = Vec::new();
    if question.secure && listener.tls.is_none() {
        notes.push(
            "this listener ends no TLS: an https:// request gets here only if somebody in front \
             does that"
                .to_owned(),
        );
    }
    if listener.mode == Mode::Http && listener.limits != Limits::default() {
        notes.push(rules::limits(question, &listener.limits));
    }
    if fields::trusts(listener, question) {
        let client = question.client;
        notes.push(format!(
            "{client} is a trusted proxy: it is believed when it says who asked"
        ));
    }
    let process = live.map(|live| &live.report.process);
    if let Some(process) = process.filter(|process| process.workers > 1) {
        notes.push(format!(
            "turns are those of the first of {} event loops",
            process.workers
        ));
    }
    if process.is_some_and(|process| process.unready == "draining") {
        notes.push("the process is out of service: it still serves whoever comes".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
