//! Where in a file something is said that was found odd only when the whole was known.

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

/// A step on the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// To the value of that key.
    Named(&'a str),
    /// To the element at that position, from 0 on.
    At(usize),
}

/// The byte at which the last key begins that these steps lead to; if the file ends on the way,
/// that is what comes closest. `None` if not even the first step leads anywhere.
#[must_use]
pub fn place(text: &str, path: &[Key<'_>]) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let (mut at, mut value) = named(table.get_ref(), *first)?;
    for key in rest {
        let found = match value.get_ref() {
            DeValue::Table(table) => named(table, *key),
            DeValue::Array(list) => match key {
                Key::At(place) => list.get(*place).map(|value| (value.span().start, value)),
                Key::Named(_) => None,
            },
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => None,
        };
        let Some(next) = found else {
            break;
        };
        (at, value) = next;
    }
    Some(at)
}

fn named<'t, 'a>(
    table: &'t DeTable<'a>,
    key: Key<'_>,
) -> Option<(usize, &'t Spanned<DeValue<'a>>)> {
    let Key::Named(wanted) = key else {
        return None;
    };
    let mut all = table.iter();
    let (key, value) = all.find(|(key, _)| key.get_ref().as_ref() == wanted)?;
    Some((key.span().start, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_key_that_is_there_is_the_place() {
        let text = "workers = 2\n[[listener]]\n[[listener]]\nname = \"b\"\n[pool.app]\n\
                    reuse = { idle = 3 }\nbackends = [\"a:1\"]\n";
        let place = |path: &[Key<'_>]| {
            let at = place(text, path)?;
            text.get(at..)?.split_whitespace().next()
        };
        let named = Key::Named;
        assert_eq!(place(&[named("workers")]), Some("workers"));
        assert_eq!(
            place(&[named("listener"), Key::At(1), named("name")]),
            Some("name")
        );
        let pool = [named("pool"), named("app")];
        let reuse = |key| [pool[0], pool[1], named("reuse"), named(key)];
        assert_eq!(place(&reuse("idle")), Some("idle"));
        assert_eq!(place(&reuse("mode")), Some("reuse"));
        assert_eq!(place(&[pool[0], pool[1], named("tls")]), Some("app]"));
        assert_eq!(place(&[named("drain_timeout")]), None);
        assert_eq!(place(&[named("workers"), named("x")]), Some("workers"));
    }
}
