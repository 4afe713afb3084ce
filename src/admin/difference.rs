//! What a reload has made different, as plain data: for the log, for programs and for people.
//!
//! Made by the engine when it applies a configuration that was read anew.

use std::fmt;

use serde_json::Value;
use serde_json::json;

/// One thing, and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What has become of it.
    pub kind: Kind,
    /// What it is: `pool app`, `listener web`, `backend app-3`.
    pub what: String,
    /// How it was and how it is.
    pub text: String,
}

/// What has become of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone, or goes as soon as it has ended what it has.
    Removed,
    /// It is another one from here on.
    Changed,
    /// Nothing: it was not touched.
    Unchanged,
    /// Nothing, because that cannot change while the program runs.
    Restart,
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Restart => "restart",
        }
    }

    const fn mark(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
            Self::Unchanged => '=',
            Self::Restart => '!',
        }
    }
}

impl Difference {
    /// Of this kind.
    #[must_use]
    pub const fn new(kind: Kind, what: String, text: String) -> Self {
        Self { kind, what, text }
    }
}

impl fmt::Display for Difference {
    /// `~ pool app: timeout.read 60s -> 5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mark, what, text) = (self.kind.mark(), &self.what, &self.text);
        write!(f, "{mark} {what}: {text}")
    }
}

/// The answer to whoever asked for a reload: what is different in `changes`, what is not in
/// `unchanged`.
#[must_use]
pub fn document(all: &[Difference]) -> Value {
    let one = |one: &&Difference| {
        json!({
            "kind": one.kind.name(),
            "what": one.what,
            "text": one.text,
        })
    };
    let is_same = |one: &&Difference| one.kind == Kind::Unchanged;
    let (same, changes): (Vec<_>, Vec<_>) = all.iter().partition(is_same);
    let touched = changes.iter().any(|one| one.kind != Kind::Restart);
    json!({
        "changed": touched,
        "changes": changes.iter().map(one).collect::<Value>(),
        "unchanged": same.iter().map(one).collect::<Value>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_people_read_the_same() {
        let one =
            |kind, what: &str, text: &str| Difference::new(kind, what.to_owned(), text.to_owned());
        let all = [
            one(Kind::Changed, "pool app", "retry.tries 3 -> 2"),
            one(Kind::Unchanged, "listener web", "8 connections kept"),
        ];
        assert_eq!(all[0].to_string(), "~ pool app: retry.tries 3 -> 2");
        let document = document(&all);
        assert_eq!(document["changed"], true);
        assert_eq!(document["changes"][0]["kind"], "changed");
        assert_eq!(document["changes"].as_array().map(Vec::len), Some(1));
        assert_eq!(document["unchanged"][0]["what"], "listener web");
        assert_eq!(super::document(&all[1..])["changed"], false);
    }
}
