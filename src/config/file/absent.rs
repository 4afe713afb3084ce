//! Keys that may be written and do nothing in this version: the feature that they tune is not
//! there, so that even their default is not true. What says that a feature is off is true, and not
//! here.

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// The keys of a file that do nothing: the byte where each begins, and what is true instead. A file
/// that is no TOML has none.
#[must_use]
pub fn idle_keys(text: &str) -> Vec<(usize, String)> {
    let Ok(table) = DeTable::parse(text) else {
        return Vec::new();
    };
    let pools = table.get_ref().get("pool");
    let pools = pools.and_then(|pools| pools.get_ref().as_table());
    let mut found = Vec::new();
    for (name, pool) in pools.into_iter().flatten() {
        for (keys, truth) in IDLE {
            let keys: Vec<&str> = keys.split('.').collect();
            if let Some(at) = key(pool, &keys) {
                let (name, keys) = (name.get_ref(), keys.join("."));
                found.push((at, format!("pool {name}: {keys} does nothing: {truth}")));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Where the last of these keys begins, if all are there.
fn key(value: &Spanned<DeValue<'_>>, keys: &[&str]) -> Option<usize> {
    let (first, rest) = keys.split_first()?;
    let mut all = value.get_ref().as_table()?.iter();
    let (key_, value) = all.find(|(key, _)| key.get_ref() == first)?;
    if rest.is_empty() {
        return Some(key_.span().start);
    }
    key(value, rest)
}

/// Keys of a pool, and what is true instead.
const IDLE: &[(&str, &str)] = &[
    (
        "outlier",
        "in this version only probes and connections that fail take a backend out; remove it",
    ),
    (
        "queue",
        "this version has no queue, a request that no backend can take gets 503 at once; remove it",
    ),
    (
        "retry.budget",
        "this version has no budget for retries, retry.tries is the only bound; remove it",
    ),
    (
        "health.expect",
        "in this version probes connect and ask nothing, so there is no status; remove it",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_nothing_is_said_with_its_place() {
        let text = "[pool.a]\nqueue = { size = 1000 }\nretry.budget = \"20%\"\nsticky = \"off\"\n\
                    [pool.a.outlier]\n[pool.b]\nhealth = { expect = \"2xx,3xx\" }\n";
        let found: Vec<(&str, String)> = idle_keys(text)
            .into_iter()
            .map(|(at, words)| {
                let key = text[at..].split([' ', ']', '.']).next().unwrap_or_default();
                (key, words.split(':').take(2).collect::<Vec<_>>().join(":"))
            })
            .collect();
        let said = |key, words: &str| (key, words.to_owned());
        assert_eq!(
            found,
            [
                said("queue", "pool a: queue does nothing"),
                said("budget", "pool a: retry.budget does nothing"),
                said("outlier", "pool a: outlier does nothing"),
                said("expect", "pool b: health.expect does nothing"),
            ]
        );
        assert_eq!(idle_keys("[pool"), []);
    }
}
