//! docs/configuration.md against the tables: every key that there is, no other, its default, and an
//! example with all of them. And advice that never names a key that would be refused.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::*;
use crate::config::Config;
use crate::config::file;
use crate::config::print;

/// Every table, behind its heading in the document.
const DOCUMENTED: &[(&str, &Table)] = &[
    ("process level", FILE),
    ("[admin]", ADMIN),
    ("[access_log]", ACCESS_LOG),
    ("[[listener]]", LISTENER),
    ("[[listener.tls]]", CERTIFICATE),
    ("[listener.limits]", LIMITS),
    ("[listener.timeout]", CLIENT_TIMEOUTS),
    ("[pool.NAME]", POOL),
    ("[[pool.NAME.backends]]", BACKEND),
    ("[pool.NAME.health]", HEALTH),
    ("[pool.NAME.reuse]", REUSE),
    ("[pool.NAME.retry]", RETRY),
    ("[pool.NAME.timeout]", SERVER_TIMEOUTS),
    ("[pool.NAME.tls]", UPSTREAM_TLS),
];

const DOCUMENT: &str = include_str!("../../../../docs/configuration.md");

/// The rows below a heading: the key, and the cell of its default.
fn rows(document: &'static str, heading: &str) -> Vec<(&'static str, &'static str)> {
    let all = document.split("\n## ").find_map(|part| {
        let (first, rest) = part.split_once('\n')?;
        (first == heading).then_some(rest)
    });
    let lines = all.unwrap_or_default().lines();
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let key = cells.next()?.strip_suffix('`')?;
        Some((key, cells.nth(1)?))
    };
    lines.filter_map(row).collect()
}

/// What the document has too little of, and too much.
fn differences(document: &'static str) -> Vec<String> {
    let mut found = Vec::new();
    for (heading, table) in DOCUMENTED {
        let said: BTreeSet<&str> = rows(document, heading)
            .iter()
            .map(|(key, _)| *key)
            .collect();
        let known = BTreeSet::from_iter(table.keys.iter().copied());
        let missing = known.difference(&said);
        found.extend(missing.map(|key| format!("{heading}: {key} is missing")));
        let strange = said.difference(&known);
        found.extend(strange.map(|key| format!("{heading}: there is no {key}")));
    }
    found
}

/// The table of a text that a heading leads to, the first of several.
fn table_of<'a>(root: &'a DeTable<'a>, heading: &str) -> Option<&'a DeTable<'a>> {
    let mut at = root;
    let keys = heading.trim_matches(['[', ']']).split('.');
    for key in keys.filter(|_| heading.starts_with('[')) {
        let value = match key {
            "NAME" => at.values().next()?.get_ref(),
            key => at.get(key)?.get_ref(),
        };
        let elements = value.as_array().into_iter().flatten();
        let mut tables = elements.filter_map(|one| one.get_ref().as_table());
        at = value.as_table().or_else(|| tables.next())?;
    }
    Some(at)
}

#[test]
fn every_key_that_there_is_is_documented_and_no_other() {
    assert_eq!(differences(DOCUMENT), [""; 0]);
    let tables = include_str!("../schema.rs").matches("pub(super) const ");
    assert_eq!(tables.count(), DOCUMENTED.len(), "a table is not looked at");
}

#[test]
fn a_key_that_is_missing_or_too_much_is_found() {
    let without = DOCUMENT.replace("| `client_ca` |", "| client_ca |");
    let more = without.replace("| `tries` |", "| `budget` | x | y | z |\n| `tries` |");
    assert_eq!(
        differences(more.leak()),
        [
            "[[listener]]: client_ca is missing",
            "[pool.NAME.retry]: there is no budget"
        ]
    );
}

#[test]
fn every_default_that_is_documented_is_true() {
    let printed = print::print(&Config::default());
    let root = DeTable::parse(&printed).unwrap();
    let mut compared = 0;
    for (heading, _) in DOCUMENTED {
        let Some(table) = table_of(root.get_ref(), heading) else {
            continue;
        };
        for (key, default) in rows(DOCUMENT, heading) {
            let Some(value) = table.get(key).filter(|value| !value.get_ref().is_table()) else {
                continue;
            };
            let value: String = printed[value.span()].split_whitespace().collect();
            // Which pool and which listeners there are depends on the file.
            if !["pool", "listener"].contains(&key) {
                assert_eq!(default, format!("`{value}`"), "{heading} {key}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn the_example_reads_and_has_every_key() {
    let (_, after) = DOCUMENT.split_once("```toml\n").unwrap();
    let (example, _) = after.split_once("```").unwrap();
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let whole: Vec<String> = example.lines().map(on).collect();
    let whole = whole.join("\n");
    for text in [example, &whole] {
        file::read(text, &|_| None).unwrap_or_else(|flaw| panic!("{}", flaw.show("it", text)));
        assert_eq!(file::idle_keys(text), []);
    }
    let root = DeTable::parse(&whole).unwrap();
    for (heading, table) in DOCUMENTED {
        let shown = match heading.contains("NAME") {
            // The one that has all of them.
            true => heading.replace("NAME", "shop"),
            false => (*heading).to_owned(),
        };
        let written = table_of(root.get_ref(), &shown).unwrap_or_else(|| panic!("no {heading}"));
        for key in table.keys {
            assert!(written.contains_key(*key), "{heading} {key}");
        }
    }
}

#[test]
fn what_would_be_refused_is_no_advice() {
    let pool = "[pool.app]\nbackends = [\"a:1\"]\n";
    for (text, advice) in [
        ("[[listener]]\nrout = []", "listener takes "),
        ("[[listener]]\naccept_prxy = true", "listener takes "),
        ("[pool.app]\nstiky = \"on\"", "pool takes "),
        ("[pool.app]\nsend_proxi = \"v1\"", "pool takes "),
        ("[pool.app]\nqueu = {}", "pool takes "),
        (
            "[pool.app]\nbackends = [{ url = \"a:1\", bakcup = true }]",
            "backend takes url, weight, max_conns",
        ),
        (
            "[pool.app]\nhealth = { expct = \"2xx\" }",
            "health takes probe, interval, timeout, rise, fall",
        ),
        (
            "[pool.app]\nretry = { bugdet = \"20%\" }",
            "retry takes tries",
        ),
        (
            "[pool.app]\ntimeout = { totl = \"1s\" }",
            "timeout takes connect, response, read",
        ),
        (
            "[pool.app]\noutlier = { eject_time = \"1s\" }",
            "outlier is not available in this version",
        ),
    ] {
        let said = file::read(text, &|_| None).unwrap_err().show("f", text);
        let first = said.lines().next().unwrap();
        assert!(
            first.contains("unknown key") && first.contains(advice),
            "{first}"
        );
        // What is behind the key itself.
        let (_, offered) = first.split_once(';').unwrap();
        let offered: Vec<&str> = offered.split([' ', ',']).collect();
        let refused = [LISTENER, POOL, BACKEND, HEALTH, RETRY, SERVER_TIMEOUTS];
        for (absent, _) in refused.iter().flat_map(|table| table.absent) {
            let is_it = *absent == "outlier" && advice.starts_with("outlier");
            assert!(is_it || !offered.contains(absent), "{absent}: {first}");
        }
    }
    for text in [
        "outlier = {}",
        "queue = {}",
        "outlier = 5",
        "tls = { cert = [] }",
    ] {
        let text = format!("{pool}{text}");
        let said = file::read(&text, &|_| None).unwrap_err().show("f", &text);
        assert!(
            said.contains(" is not available in this version; leave it out"),
            "{said}"
        );
    }
}
