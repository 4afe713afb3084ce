//! What differs between two configurations, in the words of the file: key, before, after. Every key
//! that is printed is compared, so a new one cannot be forgotten. Called by the engine when the
//! configuration is read anew.

use std::collections::BTreeMap;
use std::fmt;

use super::Config;
use super::Listener;
use super::Pool;
use super::print;

/// A key whose value differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// With its section: `timeout.read`.
    pub key: String,
    /// Empty if it was not there.
    pub before: String,
    /// Empty if it is not there any more.
    pub after: String,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: &str| match value {
            "" => "nothing".to_owned(),
            value => value.replace('"', ""),
        };
        let (before, after) = (word(&self.before), word(&self.after));
        write!(f, "{} {before} -> {after}", self.key)
    }
}

/// What differs of everything but listeners and pools.
#[must_use]
pub fn process(before: &Config, after: &Config) -> Vec<Turn> {
    turns(&print::process(before), &print::process(after), "")
}

/// What differs between two listeners, with the names of their pools.
#[must_use]
pub fn listener(before: (&Listener, &str), after: (&Listener, &str)) -> Vec<Turn> {
    let text = |(listener, pool)| print::one_listener(listener, pool);
    turns(&text(before), &text(after), "listener")
}

/// What differs between two pools, but for their names and backends.
#[must_use]
pub fn pool(before: &Pool, after: &Pool) -> Vec<Turn> {
    let text = |pool: &Pool| {
        print::one_pool(&Pool {
            name: "a".to_owned(),
            backends: Vec::new(),
            ..pool.clone()
        })
    };
    turns(&text(before), &text(after), "pool.\"a\"")
}

fn turns(before: &str, after: &str, base: &str) -> Vec<Turn> {
    let (before, after) = (keys(before, base), keys(after, base));
    let mut all: Vec<&String> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    let turn = |key: &String| {
        let value = |from: &BTreeMap<String, String>| from.get(key).cloned().unwrap_or_default();
        let (before, after) = (value(&before), value(&after));
        let key = key.clone();
        (before != after).then_some(Turn { key, before, after })
    };
    all.into_iter().filter_map(turn).collect()
}

/// The values in a printed text, by key and section, `base` left out. A section that comes several
/// times has all its values in one.
fn keys(text: &str, base: &str) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut keys = BTreeMap::<String, String>::new();
    for line in text.lines() {
        if line.starts_with('[') {
            let name = line.trim_matches(['[', ']']);
            let name = name.strip_prefix(base).unwrap_or(name);
            section = match name.trim_start_matches('.') {
                "" => String::new(),
                name => format!("{name}."),
            };
        } else if let Some((key, value)) = line.split_once(" = ") {
            let all = keys.entry(format!("{section}{key}")).or_default();
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(value);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Span;

    fn words(turns: &[Turn]) -> Vec<String> {
        turns.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_the_same_does_not_differ() {
        let config = Config::default();
        assert_eq!(process(&config, &config), []);
        let (listener_, pool_) = (&config.listeners[0], &config.pools[0]);
        assert_eq!(listener((listener_, "a"), (listener_, "a")), []);
        assert_eq!(pool(pool_, pool_), []);
    }

    #[test]
    fn differences_have_the_names_of_the_file() {
        let before = Config::default();
        let mut after = before.clone();
        after.workers = 2;
        after.admin = Some(crate::config::Admin {
            listen: crate::config::Admin::usual_address(),
            token_file: None,
        });
        assert_eq!(
            words(&process(&before, &after)),
            ["admin.listen nothing -> 127.0.0.1:9900", "workers 1 -> 2"]
        );
        let (one, mut other) = (&before.listeners[0], before.listeners[0].clone());
        other.timeouts.read = Span::seconds(5);
        other.limits.headers = 7;
        assert_eq!(
            words(&listener((one, "a"), (&other, "b"))),
            [
                "limits.headers 100 -> 7",
                "pool a -> b",
                "timeout.read 30s -> 5s"
            ]
        );
        let (one, mut other) = (&before.pools[0], before.pools[0].clone());
        other.name = "quite.another".to_owned();
        other.retry.tries = 9;
        other.tls.sni = Some("x.example".to_owned());
        assert_eq!(
            words(&pool(one, &other)),
            ["retry.tries 3 -> 9", "tls.sni nothing -> x.example"]
        );
    }
}
