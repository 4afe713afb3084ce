//! `tidegate ctl`: talks to a running balancer through its admin interface.

mod client;
pub(super) mod help;
mod table;
mod target;

use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::json;

use super::exit::Exit;
use super::exit::Failure;
use super::explain;
use crate::admin::explain::Question;
use crate::base::time::Span;
use crate::config::Admin;
use crate::config::text::Complaint;
use crate::config::words::closest;
use client::Client;

pub(super) use target::Target;

/// What shall be done, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// Where the admin interface is, if not where it usually is.
    pub(super) admin: Option<Target>,
    /// A file with its token.
    pub(super) token_file: Option<PathBuf>,
    /// How long to wait for what is under way.
    pub(super) wait: Option<Span>,
    /// Who asks the request that is to be explained.
    pub(super) from: Option<IpAddr>,
    /// The words of the command.
    pub(super) words: Vec<String>,
}

impl Options {
    /// Whether there is such a command, with so many words.
    ///
    /// # Errors
    /// What is wrong with the words.
    pub(super) fn check(&self) -> Result<(), Complaint> {
        let Some((verb, rest)) = self.words.split_first() else {
            let instead = format!("write one of {}", names());
            return Err(Complaint::new("no command", "tidegate ctl", instead));
        };
        let Some((_, shape, least, most)) = VERBS.iter().find(|(name, ..)| name == verb) else {
            let meant = closest(verb, verbs());
            let instead = meant.map_or_else(
                || format!("write one of {}", names()),
                |meant| format!("did you mean {meant}?"),
            );
            return Err(Complaint::new("not a command of ctl", verb, instead));
        };
        if *verb == "explain" {
            return self.question().map(|_| ());
        }
        if self.from.is_some() {
            let instead = "--from is for tidegate ctl explain";
            return Err(Complaint::new(
                "an option of another command",
                verb,
                instead,
            ));
        }
        if (*least..=*most).contains(&rest.len()) {
            return Ok(());
        }
        let instead = format!("write tidegate ctl {verb}{shape}");
        let what = if rest.len() < *least {
            "a word too few"
        } else {
            "a word too many"
        };
        Err(Complaint::new(what, &self.words.join(" "), instead))
    }
}

impl Options {
    /// The request that is to be explained.
    fn question(&self) -> Result<Question, Complaint> {
        let wanted = explain::Words {
            words: self.words.get(1..).unwrap_or_default().to_vec(),
            from: self.from,
        };
        wanted.question()
    }
}

/// Does it.
pub(super) fn run(options: &Options) -> Result<Exit, Failure> {
    let token = match &options.token_file {
        Some(path) => Some(super::balance::token(path).map_err(|why| Failure::usage(&why))?),
        None => None,
    };
    let usual = || Target::Address(Admin::usual_address());
    let target = options.admin.clone().unwrap_or_else(usual);
    let address = target.address().map_err(|error| {
        let advice = "check its spelling, or write an address";
        Failure::run_time(&format!("{target}: {error}; {advice}"))
    })?;
    let client = Client::new(address, token);
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let wait = |name: &str| {
        let span = options.wait.map(|span| format!("?{name}={span}"));
        span.unwrap_or_default()
    };
    match words.as_slice() {
        ["status"] => {
            let (status, pools) = (client.get("/api/v1/status")?, client.get("/api/v1/pools")?);
            say(&table::overview(&status, &pools));
        }
        ["explain", ..] => return ask_why(options, &client),
        ["top"] => return top(&client),
        ["reload"] => {
            let done = client.ask("POST", "/api/v1/reload", None)?;
            say(&table::differences(&done));
        }
        ["add", rest @ .., url] => {
            let target = format!("/api/v1/pools/{}/backends", pool(&client, rest.first())?);
            let added = client.ask("POST", &target, Some(&json!({ "url": url })))?;
            say(&table::backend(&added));
        }
        ["weight", rest @ .., backend, weight] => {
            let weight: u16 = weight.parse().map_err(|_| {
                let instead = "write a whole number from 0 to 256";
                Failure::usage(&Complaint::new("not a weight", weight, instead))
            })?;
            let target = place(&client, rest.first(), backend)?;
            let body = json!({ "weight": weight });
            say(&table::backend(&client.ask(
                "PATCH",
                &target,
                Some(&body),
            )?));
        }
        ["remove", rest @ .., backend] => {
            let target = place(&client, rest.first(), backend)? + &wait("drain");
            client.ask("DELETE", &target, None)?;
            say(&format!("{backend} is removed\n"));
        }
        [verb, rest @ .., backend] => {
            let target = place(&client, rest.first(), backend)?;
            let target = format!("{target}/{verb}{}", wait("wait"));
            let now = client.ask("POST", &target, None)?;
            say(&table::backend(&now));
            let busy = now["in_flight"].as_u64().filter(|count| *count > 0);
            if let (Some(span), Some(count)) = (options.wait, busy) {
                let line = format!("{backend}: {count} still under way after {span}; wait longer");
                return Err(Failure::run_time(&line));
            }
        }
        // That is no command, which was checked when the line was read.
        [] | [_] => {}
    }
    Ok(Exit::Clean)
}

/// What would become of a request there.
fn ask_why(options: &Options, client: &Client) -> Result<Exit, Failure> {
    let question = options
        .question()
        .map_err(|complaint| Failure::usage(&complaint))?;
    let target = format!(
        "/api/v1/explain?method={}&scheme={}&host={}&path={}&client={}",
        escaped(&question.method),
        if question.secure { "https" } else { "http" },
        escaped(&question.host),
        escaped(&question.path),
        question.client,
    );
    Ok(explain::say(&client.get(&target)?))
}

/// A table that is drawn again every second, until the reader has enough.
fn top(client: &Client) -> Result<Exit, Failure> {
    let broken = |error: io::Error| Failure::run_time(&format!("no events: {error}"));
    let mut events = client.send("GET", "/events", None).map_err(broken)?;
    if events.status != 200 {
        // Asking in the usual way finds the words for it.
        client.get("/events")?;
    }
    let mut before: Option<u64> = None;
    while let Some(report) = events.event().map_err(broken)? {
        let requests = report["requests"].as_u64().unwrap_or(0);
        let rate = requests.saturating_sub(before.unwrap_or(requests));
        before = Some(requests);
        let text = table::overview(&report, &report["pools"]);
        let page = format!("\x1b[H\x1b[2J{text}\n{rate} requests since the last look\n");
        let mut out = io::stdout();
        if out
            .write_all(page.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            break;
        }
    }
    Ok(Exit::Clean)
}

fn place(client: &Client, named: Option<&&str>, backend: &str) -> Result<String, Failure> {
    let pool = match named {
        Some(_) => pool(client, named)?,
        None => home(client, backend)?,
    };
    let backend = escaped(backend);
    Ok(format!("/api/v1/pools/{pool}/backends/{backend}"))
}

/// The pool of a backend whose id or address is the only one of its kind.
fn home(client: &Client, backend: &str) -> Result<String, Failure> {
    let pools = client.get("/api/v1/pools")?;
    let is_there = |pool: &&serde_json::Value| {
        let mut backends = pool["backends"].as_array().into_iter().flatten();
        backends.any(|one| {
            let url = one["url"].as_str().unwrap_or_default();
            one["id"] == backend || url.split_once("://").is_some_and(|(_, at)| at == backend)
        })
    };
    let pools = pools.as_array().map_or(&[][..], Vec::as_slice);
    let mut found = pools.iter().filter(is_there);
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(escaped(only["name"].as_str().unwrap_or_default())),
        (None, _) if pools.len() > 1 => {
            let line = format!("no pool has a backend {backend}; tidegate ctl status lists them");
            Err(Failure::run_time(&line))
        }
        _ => pool(client, None),
    }
}

/// The pool that is meant: the one that is named, or the only one.
fn pool(client: &Client, named: Option<&&str>) -> Result<String, Failure> {
    if let Some(name) = named {
        return Ok(escaped(name));
    }
    let pools = client.get("/api/v1/pools")?;
    let names: Vec<&str> = pools
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|pool| pool["name"].as_str())
        .collect();
    match names.as_slice() {
        [only] => Ok(escaped(only)),
        names => {
            let instead = format!("write one of {} in front of it", names.join(", "));
            Err(Failure::usage(&Complaint::new(
                "no pool",
                "several pools",
                instead,
            )))
        }
    }
}

/// RFC 3986 section 2.1: everything but what never needs it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn say(text: &str) {
    // A reader that has seen enough is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
}

fn names() -> String {
    verbs().collect::<Vec<_>>().join(", ")
}

/// The names of all commands.
pub(super) fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|(name, ..)| *name)
}

/// Every command: its words, and how many there are at least and at most. The pool may be left
/// out if there is only one.
const VERBS: &[(&str, &str, usize, usize)] = &[
    ("status", "", 0, 0),
    ("add", " [POOL] URL", 1, 2),
    ("remove", " [POOL] BACKEND", 1, 2),
    ("drain", " [POOL] BACKEND", 1, 2),
    ("enable", " [POOL] BACKEND", 1, 2),
    ("disable", " [POOL] BACKEND", 1, 2),
    ("weight", " [POOL] BACKEND N", 2, 3),
    ("explain", " METHOD URL", 2, 2),
    ("reload", "", 0, 0),
    ("top", "", 0, 0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_checked_before_anybody_is_asked() {
        let check = |words: &str| {
            let options = Options {
                words: words.split_whitespace().map(str::to_owned).collect(),
                ..Options::default()
            };
            options.check().map_err(|complaint| complaint.to_string())
        };
        for words in [
            "status",
            "add http://a",
            "add app http://a",
            "weight app-1 3",
            "top",
        ] {
            assert_eq!(check(words), Ok(()), "{words}");
        }
        for (words, part) in [
            ("", "no command"),
            ("staus", "did you mean status?"),
            ("status now", "a word too many"),
            (
                "add",
                "a word too few: add; write tidegate ctl add [POOL] URL",
            ),
            ("weight app-1", "a word too few"),
            ("drain a b c", "a word too many"),
        ] {
            let complaint = check(words).unwrap_err();
            assert!(complaint.contains(part), "{complaint}");
        }
    }

    #[test]
    fn what_could_be_taken_for_a_path_is_escaped() {
        assert_eq!(escaped("a/b?c#d %é:1"), "a%2Fb%3Fc%23d%20%25%C3%A9:1");
    }
}
