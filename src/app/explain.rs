//! `tidegate explain`: why a request would go where it would go, in words.
//!
//! The words are made from the document that the admin interface answers with, so that a
//! configuration and a running balancer are explained in the same ones.

use std::io::Write;
use std::net::IpAddr;

use serde_json::Value;

use super::exit::Exit;
use super::exit::Failure;
use super::places::Loaded;
use crate::admin::explain;
use crate::admin::explain::Question;
use crate::config::text::Complaint;

/// What is asked for on a command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// The method and the URL, as far as they are said.
    pub(super) words: Vec<String>,
    /// Who asks, if that is said.
    pub(super) from: Option<IpAddr>,
}

impl Words {
    /// The request that is meant.
    ///
    /// # Errors
    /// What no client could send, or nothing.
    pub(super) fn question(&self) -> Result<Question, Complaint> {
        let [method, url] = self.words.as_slice() else {
            let instead = "write METHOD URL, like GET http://example.com/a";
            let said = self.words.join(" ");
            return Err(Complaint::new("no request to explain", &said, instead));
        };
        let question = Question::of(method, url)?;
        Ok(Question {
            client: self.from.unwrap_or(question.client),
            ..question
        })
    }
}

/// Explains it by a configuration alone.
pub(super) fn run(question: &Question, loaded: &Loaded) -> Result<Exit, Failure> {
    super::balance::prepare(loaded)?;
    Ok(say(&explain::explain(question, &loaded.config, None)))
}

/// Says it; the program has failed if the request would get to nobody.
pub(super) fn say(document: &Value) -> Exit {
    // A reader that has seen enough is no failure.
    let _ = std::io::stdout().write_all(words(document).as_bytes());
    match document["forwarded"].as_bool() {
        Some(true) => Exit::Clean,
        _ => Exit::Failed,
    }
}

/// The whole text.
fn words(document: &Value) -> String {
    let mut lines = vec![headline(document), String::new()];
    let mut section = |name: &str, rows: Vec<String>| {
        for (at, row) in rows.into_iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            lines.push(format!("{name:9} {row}").trim_end().to_owned());
        }
    };
    section("result", vec![result(document)]);
    section("listener", each(&document["listeners"], listener));
    let sound = document["answer"]["status"]
        .as_u64()
        .is_none_or(|status| status == 503);
    if !sound {
        // What is malformed goes nowhere, so there is nothing to say of the way.
        lines.push(String::new());
        return lines.join("\n");
    }
    section("route", vec![route(document)]);
    section("pool", vec![pool(&document["pool"])]);
    section("backends", backends(&document["backends"]));
    section("fields", fields(&document["fields"]));
    section("waits", waits(&document["timeouts"]));
    section("retries", vec![text(&document["retry"]["rule"])]);
    section("goes over", vec![text(&document["reuse"]["rule"])]);
    section("note", each(&document["notes"], text));
    lines.push(String::new());
    lines.join("\n")
}

fn headline(document: &Value) -> String {
    let request = &document["request"];
    let [method, scheme, host, path, client] =
        ["method", "scheme", "host", "path", "client"].map(|name| text(&request[name]));
    format!("{method} {scheme}://{host}{path} from {client}")
}

fn result(document: &Value) -> String {
    let answer = &document["answer"];
    if document["forwarded"].as_bool() == Some(true) {
        let whom = text(&document["next"]);
        return match document["live"].as_bool() {
            Some(true) => format!("forwarded, next to {whom}"),
            _ => "forwarded, if a backend is up".to_owned(),
        };
    }
    match answer["status"].as_u64() {
        Some(status) => format!(
            "answered {status} by the balancer: {}",
            text(&answer["why"])
        ),
        None => format!("closed by the balancer: {}", text(&answer["why"])),
    }
}

fn listener(one: &Value) -> String {
    let [name, mode, address, why] = ["name", "mode", "address", "why"].map(|at| text(&one[at]));
    let takes = match one["takes"].as_bool() {
        Some(true) => "takes it",
        _ => "does not",
    };
    format!("{name}, {mode} on {address}, {takes}: {why}")
}

fn route(document: &Value) -> String {
    match document["route"].as_str() {
        Some(route) => route.to_owned(),
        None => "none: the listener's pool gets everything".to_owned(),
    }
}

fn pool(pool: &Value) -> String {
    let [name, mode, balance] = ["name", "mode", "balance"].map(|at| text(&pool[at]));
    format!("{name}, {mode}, {balance}")
}

fn backends(all: &Value) -> Vec<String> {
    let all: Vec<&Value> = all.as_array().into_iter().flatten().collect();
    // Those whose turn it is come first; the rest of many is only counted.
    let mut order = all.clone();
    order.sort_by_key(|one| one["turn"].as_u64().unwrap_or(u64::MAX));
    let cells = |one: &&Value| {
        let share = one["share"].as_f64().unwrap_or(0.0) * 100.0;
        let turn = match one["turn"].as_u64() {
            Some(1) => "next".to_owned(),
            Some(turn) => format!("then ({turn})"),
            None => String::new(),
        };
        let host = one["host"].as_str().map(|_| text(&one["host"]));
        let load = match (one["in_flight"].as_u64(), one["max_conns"].as_u64()) {
            (None, None) => String::new(),
            (None, Some(most)) => format!("max_conns {most}"),
            (Some(count), None) => format!("{count} running"),
            (Some(count), Some(most)) => format!("{count} of {most} running"),
        };
        [
            text(&one["id"]),
            text(&one["url"]),
            text(&one["state"]),
            format!("weight {}", one["weight"]),
            format!("{share:.1} %"),
            turn,
            load,
            host.map_or_else(String::new, |host| format!("Host: {host}")),
            text(&one["reason"]),
        ]
    };
    let rows: Vec<[String; 9]> = order.iter().take(BACKENDS_SHOWN).map(cells).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| aligned(row, &rows)).collect();
    if let Some(more) = all
        .len()
        .checked_sub(BACKENDS_SHOWN)
        .filter(|more| *more > 0)
    {
        lines.push(format!("and {more} more"));
    }
    if lines.is_empty() {
        lines.push("none".to_owned());
    }
    lines
}

/// The cells of a row, each as wide as the widest of its column; columns without a word are left
/// out.
fn aligned<const N: usize>(row: &[String; N], rows: &[[String; N]]) -> String {
    let mut line = String::new();
    for (at, cell) in row.iter().enumerate() {
        let widths = rows.iter().map(|row| row[at].chars().count());
        let width = widths.max().unwrap_or(0);
        if width > 0 {
            line += &format!("{cell:width$}  ");
        }
    }
    line.trim_end().to_owned()
}

/// What the backend sees; fields that are merely taken out share a line.
fn fields(all: &Value) -> Vec<String> {
    let all: Vec<&Value> = all.as_array().into_iter().flatten().collect();
    let named = |change: &str| -> Vec<&Value> {
        let all = all.iter().copied();
        all.filter(|one| one["change"] == change).collect()
    };
    let lines = |change: &str, note: &str| -> Vec<String> {
        let line = |one: &Value| format!("{}: {}{note}", text(&one["name"]), text(&one["value"]));
        named(change).into_iter().map(line).collect()
    };
    let names = |change: &str| -> Vec<String> {
        named(change).iter().map(|one| text(&one["name"])).collect()
    };
    let mut rows = lines("added", ", added");
    rows.extend(lines("replaced", ", whatever the client says"));
    rows.extend(lines("appended", ", its own after the client's"));
    let kept = names("kept");
    if !kept.is_empty() {
        rows.push(format!("as the client sends them: {}", kept.join(", ")));
    }
    let removed = names("removed");
    if !removed.is_empty() {
        rows.push(format!("taken out: {}", removed.join(", ")));
    }
    if rows.is_empty() && all.is_empty() {
        rows.push("nothing is changed or looked at".to_owned());
    }
    rows
}

fn waits(all: &Value) -> Vec<String> {
    let one = |one: &Value| {
        let [span, what, then] = ["span", "waits_for", "then"].map(|at| text(&one[at]));
        format!("{span} for {what}, then {then}")
    };
    each(all, one)
}

fn each(all: &Value, line: impl Fn(&Value) -> String) -> Vec<String> {
    all.as_array().into_iter().flatten().map(line).collect()
}

/// Words, harmless to a terminal: a balancer elsewhere is believed, but not with that.
fn text(value: &Value) -> String {
    let letters = value.as_str().unwrap_or_default().chars();
    letters.filter(|letter| !letter.is_control()).collect()
}

/// More backends than that are hardly read, and leave no room for the rest.
const BACKENDS_SHOWN: usize = 12;

#[cfg(test)]
mod tests;
