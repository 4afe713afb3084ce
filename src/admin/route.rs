//! From a request to what it asks for.

use serde_json::Map;
use serde_json::Value;

use super::answer::Answer;
use super::change::Change;
use super::change::Edit;
use super::change::Wanted;
use super::change::Whom;
use super::explain::Question;
use super::filter::Filter;
use super::request::Request;
use crate::base::time::Span;
use crate::config::Backend;
use crate::config::LogLevel;
use crate::config::Mode;
use crate::config::text;
use crate::config::url;
use crate::config::words::closest;
use crate::http::head::Method;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The page for people.
    Page,
    /// Events, for as long as the client listens.
    Events,
    /// Whether the loop turns.
    Healthy,
    /// Whether requests would be served.
    Ready,
    /// Everything that is counted.
    Metrics,
    /// The process.
    Status,
    /// All pools with their servers.
    Pools,
    /// One pool with its servers.
    Pool(String),
    /// The servers of a pool.
    Backends(String),
    /// One server.
    Backend(Whom),
    /// Client connections.
    Connections(Filter),
    /// The last requests.
    Requests(Filter),
    /// The last changes of state, so many at most.
    Changes(Filter),
    /// The configuration that is in effect.
    Config,
    /// Something is to be different.
    Change(Change, After),
    /// The configuration is to be read again.
    Reload,
    /// Why a request would go where it would go.
    Explain(Box<Question>),
}

/// What a change is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// 200 and what it is now.
    Show,
    /// 201 and what there is now.
    Created,
    /// 204, once the server is gone.
    Gone,
    /// 200 and what it is now, as soon as nothing is under way there; 202 if that takes longer.
    Idle(Span),
}

/// What the pool of a name balances, if there is one.
type Modes<'a> = &'a dyn Fn(&str) -> Option<Mode>;

/// What a request asks for. `drain` is how long a removed server may take, if nothing is said;
/// `mode` knows what the pool of a name balances.
///
/// # Errors
/// The answer that says what is wrong with it.
pub fn route(request: &Request, drain: Span, mode: Modes<'_>) -> Result<Command, Answer> {
    let malformed = || Answer::problem(400, "a malformed escape in the target");
    let segments = request.segments().ok_or_else(malformed)?;
    let parameters = request.parameters().ok_or_else(malformed)?;
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let place = Place::of(&path).ok_or_else(|| {
        Answer::problem(404, "there is no such resource; see /, or /api/v1/status")
    })?;
    let method = if request.method.is_head() {
        Method::Get
    } else {
        request.method
    };
    let allowed = place.methods();
    if !allowed.iter().any(|(known, _)| *known == method) {
        let names: Vec<&str> = allowed.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        let detail = format!("allowed here: {names}");
        return Err(Answer::problem(405, &detail).with("Allow", names));
    }
    let known = place.parameters(method);
    if let Some((name, _)) = parameters
        .iter()
        .find(|(name, _)| !known.contains(&name.as_str()))
    {
        return Err(unknown("parameter", name, known));
    }
    let value = |name: &str| {
        let found = parameters.iter().rev().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    place.command(method, request, &value, (drain, mode))
}

/// What a path names.
#[derive(Clone, Debug)]
enum Place<'a> {
    Fixed(Command),
    Listed(List),
    Pool(&'a str),
    Backends(&'a str),
    Backend(&'a str, &'a str),
    Action(&'a str, &'a str, Wanted),
    Reload,
    Drain,
    LogLevel,
    Explain,
}

/// What there are lists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Connections,
    Requests,
    Changes,
}

impl<'a> Place<'a> {
    fn of(path: &[&'a str]) -> Option<Self> {
        let fixed = |command| Some(Self::Fixed(command));
        match path {
            [] => fixed(Command::Page),
            ["events"] => fixed(Command::Events),
            ["healthz"] => fixed(Command::Healthy),
            ["readyz"] => fixed(Command::Ready),
            ["metrics"] => fixed(Command::Metrics),
            ["api", "v1", rest @ ..] => match rest {
                ["status"] => fixed(Command::Status),
                ["pools"] => fixed(Command::Pools),
                ["config"] => fixed(Command::Config),
                ["connections"] => Some(Self::Listed(List::Connections)),
                ["requests"] => Some(Self::Listed(List::Requests)),
                ["events"] => Some(Self::Listed(List::Changes)),
                ["explain"] => Some(Self::Explain),
                ["reload"] => Some(Self::Reload),
                ["drain"] => Some(Self::Drain),
                ["log-level"] => Some(Self::LogLevel),
                ["pools", pool] => Some(Self::Pool(pool)),
                ["pools", pool, "backends"] => Some(Self::Backends(pool)),
                ["pools", pool, "backends", id] => Some(Self::Backend(pool, id)),
                ["pools", pool, "backends", id, word] => {
                    Wanted::named(word).map(|wanted| Self::Action(pool, id, wanted))
                }
                _ => None,
            },
            _ => None,
        }
    }

    const fn methods(&self) -> &'static [(Method, &'static str)] {
        const GET: (Method, &str) = (Method::Get, "GET");
        const POST: (Method, &str) = (Method::Post, "POST");
        const PATCH: (Method, &str) = (Method::Patch, "PATCH");
        const DELETE: (Method, &str) = (Method::Delete, "DELETE");
        match self {
            Self::Fixed(_) | Self::Listed(_) | Self::Pool(_) | Self::Explain => &[GET],
            Self::Backends(_) => &[GET, POST],
            Self::Backend(..) => &[GET, PATCH, DELETE],
            Self::Action(..) | Self::Reload => &[POST],
            Self::Drain => &[POST, DELETE],
            Self::LogLevel => &[(Method::Put, "PUT")],
        }
    }

    fn parameters(&self, method: Method) -> &'static [&'static str] {
        match (self, method) {
            (Self::Listed(List::Requests), _) => {
                &["limit", "pool", "backend", "status", "end", "client"]
            }
            (Self::Listed(List::Connections), _) => &["limit", "pool", "backend", "client"],
            (Self::Listed(List::Changes), _) => &["limit"],
            (Self::Backend(..), Method::Delete) => &["drain", "wait"],
            (Self::Backend(..), Method::Patch) | (Self::Action(..), _) => &["wait"],
            (Self::Explain, _) => &["method", "scheme", "host", "path", "client"],
            _ => &[],
        }
    }

    fn command<'v>(
        self,
        method: Method,
        request: &Request,
        value: &dyn Fn(&str) -> Option<&'v str>,
        (drain, mode): (Span, Modes<'_>),
    ) -> Result<Command, Answer> {
        let wait = span("wait", value)?;
        let after = wait.map_or(After::Show, After::Idle);
        let edited = |whom, edit| Command::Change(Change::Edit { whom, edit }, after);
        Ok(match (self, method) {
            (Self::Fixed(command), _) => command,
            (Self::Listed(list), _) => {
                let filter = Filter::read(value)?;
                match list {
                    List::Connections => Command::Connections(filter),
                    List::Requests => Command::Requests(filter),
                    List::Changes => Command::Changes(filter),
                }
            }
            (Self::Pool(pool), _) => Command::Pool(pool.to_owned()),
            (Self::Backends(pool), Method::Post) => {
                Command::Change(added(pool, request, mode(pool))?, After::Created)
            }
            (Self::Backends(pool), _) => Command::Backends(pool.to_owned()),
            (Self::Backend(pool, id), Method::Patch) => edited(whom(pool, id), edit(request)?),
            (Self::Backend(pool, id), Method::Delete) => {
                let whom = whom(pool, id);
                let drain = span("drain", value)?.unwrap_or(drain);
                Command::Change(Change::Remove { whom, drain }, After::Gone)
            }
            (Self::Backend(pool, id), _) => Command::Backend(whom(pool, id)),
            (Self::Action(pool, id, wanted), _) => {
                let edit = Edit {
                    state: Some(wanted),
                    ..Edit::default()
                };
                edited(whom(pool, id), edit)
            }
            (Self::Reload, _) => Command::Reload,
            (Self::Drain, method) => {
                Command::Change(Change::Drain(method == Method::Post), After::Show)
            }
            (Self::LogLevel, _) => Command::Change(log_level(request)?, After::Show),
            (Self::Explain, _) => Command::Explain(Box::new(question(value)?)),
        })
    }
}

fn question<'v>(value: &dyn Fn(&str) -> Option<&'v str>) -> Result<Question, Answer> {
    let bad = |why: &dyn std::fmt::Display| Answer::problem(400, &why.to_string());
    let usual = Question::default();
    let or = |name: &str, usual: String| value(name).map_or(usual, str::to_owned);
    let client = value("client").map(text::address).transpose();
    let question = Question {
        method: or("method", usual.method),
        secure: match value("scheme") {
            None | Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(bad(&format!("scheme={other:?}: write http or https"))),
        },
        host: or("host", usual.host),
        path: or("path", usual.path),
        client: client.map_err(|why| bad(&why))?.unwrap_or(usual.client),
    };
    question.check().map_err(|why| bad(&why))?;
    Ok(question)
}

fn whom(pool: &str, backend: &str) -> Whom {
    Whom {
        pool: pool.to_owned(),
        backend: backend.to_owned(),
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Answer {
    let advice = match (closest(name, known.iter().copied()), known) {
        (Some(meant), _) => format!("did you mean {meant:?}?"),
        (None, []) => "there are none here".to_owned(),
        (None, known) => format!("known here: {}", known.join(", ")),
    };
    Answer::problem(400, &format!("unknown {what} {name:?}; {advice}"))
}

fn span<'v>(name: &str, value: &dyn Fn(&str) -> Option<&'v str>) -> Result<Option<Span>, Answer> {
    let Some(text) = value(name) else {
        return Ok(None);
    };
    let span = text::duration(text).map_err(|why| Answer::problem(400, &why.to_string()))?;
    if span > WAIT_MAX {
        let detail = format!("{name}={text} is too long; write {WAIT_MAX} or less");
        return Err(Answer::problem(400, &detail));
    }
    Ok(Some(span))
}

/// What JSON may be called: its name, nothing, or what curl and others call every body. A page of
/// another origin is refused by its Origin.
const MEDIA: [&str; 3] = ["application/json", "", "application/x-www-form-urlencoded"];

/// The object in a body, whose keys are all known.
fn object(request: &Request, known: &[&str]) -> Result<Map<String, Value>, Answer> {
    if !MEDIA.contains(&request.media.as_str()) {
        let detail = "Content-Type: application/json is expected";
        return Err(Answer::problem(415, detail));
    }
    let value = serde_json::from_slice(&request.body)
        .map_err(|error| Answer::problem(400, &format!("not JSON: {error}")))?;
    let Value::Object(object) = value else {
        return Err(Answer::problem(
            400,
            "an object is expected, like {\"weight\":1}",
        ));
    };
    if let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(unknown("key", key, known));
    }
    Ok(object)
}

fn number(object: &Map<String, Value>, key: &str, most: u32) -> Result<Option<u32>, Answer> {
    let Some(value) = object.get(key) else {
        return Ok(None);
    };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| *number <= most)
        .map(Some)
        .ok_or_else(|| {
            let detail = format!("{key} is {value}; write a whole number from 0 to {most}");
            Answer::problem(400, &detail)
        })
}

fn weight(object: &Map<String, Value>) -> Result<Option<u16>, Answer> {
    let weight = number(object, "weight", WEIGHT_MAX)?;
    Ok(weight.and_then(|weight| u16::try_from(weight).ok()))
}

fn word<'o>(object: &'o Map<String, Value>, key: &str) -> Result<Option<&'o str>, Answer> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word)),
        Some(value) => {
            let detail = format!("{key} is {value}; write a string");
            Err(Answer::problem(400, &detail))
        }
    }
}

fn added(pool: &str, request: &Request, mode: Option<Mode>) -> Result<Change, Answer> {
    let object = object(request, &["url", "weight", "max_conns"])?;
    let Some(url) = word(&object, "url")? else {
        let detail = "url is missing, like {\"url\":\"http://10.0.0.9:80\"}";
        return Err(Answer::problem(400, detail));
    };
    let mut backend = backend(url, mode)?;
    if let Some(weight) = weight(&object)? {
        backend.weight = weight;
    }
    if let Some(most) = number(&object, "max_conns", u32::MAX)? {
        backend.max_conns = Some(most).filter(|most| *most > 0);
    }
    Ok(Change::Add {
        pool: pool.to_owned(),
        backend,
    })
}

/// Without a scheme it has that of its pool. One of another scheme is sound, but unfit.
fn backend(url: &str, mode: Option<Mode>) -> Result<Backend, Answer> {
    let bad = |why: &dyn std::fmt::Display| Answer::problem(400, &why.to_string());
    let asked = mode.filter(|_| !url.contains("://"));
    let (_, backends) = url::backends(&[url.to_owned()], asked).map_err(|why| bad(&why))?;
    backends
        .into_iter()
        .next()
        .ok_or_else(|| bad(&"url names no backend"))
}

fn edit(request: &Request) -> Result<Edit, Answer> {
    let object = object(request, &["state", "weight", "max_conns"])?;
    let state = word(&object, "state")?;
    let wanted = state.map(|word| {
        Wanted::named(word).ok_or_else(|| {
            let detail = format!("state is {word:?}; write drain, enable or disable");
            Answer::problem(400, &detail)
        })
    });
    let edit = Edit {
        state: wanted.transpose()?,
        weight: weight(&object)?,
        max_conns: number(&object, "max_conns", u32::MAX)?,
    };
    if edit == Edit::default() {
        let detail = "nothing is to change; write state, weight or max_conns";
        return Err(Answer::problem(400, detail));
    }
    Ok(edit)
}

fn log_level(request: &Request) -> Result<Change, Answer> {
    let object = object(request, &["level"])?;
    let word = word(&object, "level")?.unwrap_or_default();
    let level = LogLevel::ALL.into_iter().find(|level| level.name() == word);
    level.map(Change::LogLevel).ok_or_else(|| {
        let detail = format!("level is {word:?}; write error, warn, info, debug or trace");
        Answer::problem(400, &detail)
    })
}

/// Nobody waits longer for an answer.
const WAIT_MAX: Span = Span::seconds(3_600);

const WEIGHT_MAX: u32 = 256;

#[cfg(test)]
mod tests;
