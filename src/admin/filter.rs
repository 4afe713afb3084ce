//! What is to be listed: of requests and connections, those that a person looks for.

use std::net::IpAddr;
use std::net::SocketAddr;

use super::answer::Answer;
use crate::config::Network;
use crate::config::text;
use crate::tally::End;

/// What is to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// So many at most.
    pub limit: usize,
    pool: Option<String>,
    backend: Option<String>,
    status: Option<Statuses>,
    end: Option<Ends>,
    client: Option<Clients>,
}

/// What a filter looks at. Of a connection status and end are not known.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The name of the pool.
    pub pool: &'a str,
    /// The number of the server in its pool; 0 for none.
    pub backend: u32,
    /// What the client was told; 0 for nothing.
    pub status: u16,
    /// How it ended, in the words of the metrics.
    pub end: End,
    /// The same in HAProxy's two letters.
    pub letters: [u8; 2],
    /// Where the client is.
    pub client: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Statuses {
    One(u16),
    Class(u16),
}

/// Ends, or all but these.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ends {
    negated: bool,
    what: Which,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Letters([u8; 2]),
    Word(End),
    /// Whatever is not `--`.
    Error,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    At(SocketAddr),
    In(Network),
}

impl Filter {
    /// From the parameters of a request.
    ///
    /// # Errors
    /// The answer that says which one is wrong.
    pub(super) fn read<'v>(value: &dyn Fn(&str) -> Option<&'v str>) -> Result<Self, Answer> {
        Ok(Self {
            limit: limit(value("limit"))?,
            pool: value("pool").map(str::to_owned),
            backend: value("backend").map(str::to_owned),
            status: value("status").map(statuses).transpose()?,
            end: value("end").map(ends).transpose()?,
            client: value("client").map(clients).transpose()?,
        })
    }

    /// Sees to it that the pool, and that of the backend, is one of these.
    ///
    /// # Errors
    /// The answer that says which there are.
    pub fn check(&self, pools: &[&str]) -> Result<(), Answer> {
        if let Some(pool) = self.pool.as_deref().filter(|pool| !pools.contains(pool)) {
            let known = pools.join(", ");
            let detail = format!("pool={pool:?}: there is none of that name; known here: {known}");
            return Err(Answer::problem(400, &detail));
        }
        let named = |id: &str| {
            let split = id.rsplit_once('-');
            split.is_some_and(|(pool, number)| {
                pools.contains(&pool) && number.parse::<u32>().is_ok()
            })
        };
        match self.backend.as_deref().filter(|id| !named(id)) {
            None => Ok(()),
            Some(id) => {
                let like: Vec<String> = pools.iter().map(|pool| format!("{pool}-1")).collect();
                let like = like.join(", ");
                let detail = format!("backend={id:?}: write the id of one, like {like}");
                Err(Answer::problem(400, &detail))
            }
        }
    }

    /// Whether that is to be listed.
    #[must_use]
    pub fn admits(&self, sight: &Sight<'_>) -> bool {
        let pool = self.pool.as_ref().is_none_or(|pool| pool == sight.pool);
        let backend = self.backend.as_ref().is_none_or(|backend| {
            let number = backend.strip_prefix(sight.pool);
            let number = number.and_then(|rest| rest.strip_prefix('-')?.parse().ok());
            sight.backend > 0 && number == Some(sight.backend)
        });
        let status = match self.status {
            None => true,
            Some(Statuses::One(status)) => status == sight.status,
            Some(Statuses::Class(class)) => class == sight.status / 100,
        };
        let end = self.end.as_ref().is_none_or(|ends| {
            let found = match ends.what {
                Which::Letters(letters) => letters == sight.letters,
                Which::Word(end) => end == sight.end,
                Which::Error => sight.letters != *b"--",
            };
            found != ends.negated
        });
        let client = match self.client {
            None => true,
            Some(Clients::At(address)) => {
                let plain = |address: SocketAddr| (address.ip().to_canonical(), address.port());
                plain(address) == plain(sight.client)
            }
            Some(Clients::In(network)) => network.contains(sight.client.ip()),
        };
        pool && backend && status && end && client
    }
}

fn limit(text: Option<&str>) -> Result<usize, Answer> {
    let Some(text) = text else {
        return Ok(LIMIT_USUAL);
    };
    let limit: Option<usize> = text.parse().ok();
    limit
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| {
            let detail = format!("limit={text:?}: write a number from 1 to {LIMIT_MAX}");
            Answer::problem(400, &detail)
        })
}

fn statuses(text: &str) -> Result<Statuses, Answer> {
    let class = text.strip_suffix("xx").and_then(|class| class.parse().ok());
    let one = text.parse().ok().filter(|_| text.len() == 3);
    let read = match (class, one) {
        (Some(class @ 1..=5), _) => Some(Statuses::Class(class)),
        (None, Some(status @ 100..=599)) => Some(Statuses::One(status)),
        _ => None,
    };
    read.ok_or_else(|| {
        let detail = format!("status={text:?}: write a status, like 502, or a class, like 5xx");
        Answer::problem(400, &detail)
    })
}

fn ends(text: &str) -> Result<Ends, Answer> {
    let (negated, word) = match text.strip_prefix('!') {
        Some(word) => (true, word),
        None => (false, text),
    };
    let known = End::ALL.into_iter().find(|end| end.name() == word);
    let what = match (word, known, word.as_bytes()) {
        ("error", ..) => Some(Which::Error),
        (_, Some(end), _) => Some(Which::Word(end)),
        (_, None, b"--") => Some(Which::Letters(*b"--")),
        (_, None, [who, phase]) if WHO.contains(who) && PHASES.contains(phase) => {
            Some(Which::Letters([*who, *phase]))
        }
        _ => None,
    };
    what.map(|what| Ends { negated, what }).ok_or_else(|| {
        let words = End::ALL.map(End::name).join(", ");
        let detail = format!(
            "end={text:?}: write two letters, like SC, or error, or one of {words}; ! in front \
             of it means all others"
        );
        Answer::problem(400, &detail)
    })
}

/// Who ended it, and what was going on, in the letters that requests end with.
const WHO: &[u8] = b"CcSsPRK";
const PHASES: &[u8] = b"RQCHD";

fn clients(text: &str) -> Result<Clients, Answer> {
    if let Ok(address) = text.parse() {
        return Ok(Clients::At(address));
    }
    let bare = text
        .parse::<IpAddr>()
        .map(|address| address.to_canonical().to_string());
    let network = text::network(bare.as_deref().unwrap_or(text));
    network.map(Clients::In).map_err(|_| {
        let detail = format!(
            "client={text:?}: write an address, with its port or without, or a network, like \
             10.0.0.0/8"
        );
        Answer::problem(400, &detail)
    })
}

/// What a list has at most, if nothing is said.
const LIMIT_USUAL: usize = 100;

const LIMIT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(parameters: &[(&'static str, &'static str)]) -> Result<Filter, Answer> {
        Filter::read(&|name| {
            let found = parameters.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| *value)
        })
    }

    fn sight() -> Sight<'static> {
        Sight {
            pool: "app",
            backend: 2,
            status: 502,
            end: End::ConnectRefused,
            letters: *b"SC",
            client: SocketAddr::from(([10, 0, 0, 7], 51_312)),
        }
    }

    #[test]
    fn each_parameter_chooses() {
        let table = [
            ("pool", "app", true),
            ("pool", "ap", false),
            ("backend", "app-2", true),
            ("backend", "app-1", false),
            ("backend", "2", false),
            ("status", "502", true),
            ("status", "5xx", true),
            ("status", "4xx", false),
            ("status", "503", false),
            ("end", "SC", true),
            ("end", "!SC", false),
            ("end", "sC", false),
            ("end", "--", false),
            ("end", "!--", true),
            ("end", "ok", false),
            ("end", "!ok", true),
            ("end", "connect_refused", true),
            ("end", "error", true),
            ("end", "!error", false),
            ("client", "10.0.0.7", true),
            ("client", "10.0.0.7:51312", true),
            ("client", "10.0.0.7:1", false),
            ("client", "10.0.0.0/8", true),
            ("client", "::ffff:10.0.0.7", true),
            ("client", "10.0.0.8", false),
        ];
        for (name, value, expected) in table {
            let filter = filter(&[(name, value)]).unwrap();
            assert_eq!(filter.admits(&sight()), expected, "{name}={value}");
        }
        assert!(filter(&[]).unwrap().admits(&sight()));
        let both = filter(&[("pool", "app"), ("status", "200")]).unwrap();
        assert!(!both.admits(&sight()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "10001"),
            ("limit", "x"),
            ("status", "6xx"),
            ("status", "99"),
            ("status", "0502"),
            ("status", "x"),
            ("end", ""),
            ("end", "!"),
            ("end", "fine"),
            ("client", "me"),
            ("client", "10.0.0.1/8"),
        ] {
            let refusal = filter(&[(name, value)]).unwrap_err();
            assert_eq!(refusal.status, 400, "{name}={value}");
        }
        assert_eq!(filter(&[]).unwrap().limit, LIMIT_USUAL);
        assert_eq!(filter(&[("limit", "7")]).unwrap().limit, 7);
    }
}
