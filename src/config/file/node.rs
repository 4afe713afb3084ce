//! Values and tables of a file, each with its place, and what can be asked of them.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use super::super::text;
use super::super::text::Complaint;
use super::super::words::closest;
use super::flaw;
use super::flaw::Flaw;
use super::schema::Only;
use super::schema::Table;
use crate::base::time::Span;

/// Where the values of `${NAME}` come from.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A value and its place.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    value: &'a Spanned<DeValue<'a>>,
    variables: Variables<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn at(self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn flaw(self, message: impl Into<String>) -> Flaw {
        Flaw::new(self.at().start, message)
    }

    fn wrong_type(self, wanted: &str) -> Flaw {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.flaw(format!("this is {found}, write {wanted}"))
    }

    /// Text with its variables replaced.
    pub(super) fn text(self, example: &str) -> Result<String, Flaw> {
        let text = self.value.get_ref().as_str();
        let text = text.ok_or_else(|| self.wrong_type(&format!("text, like \"{example}\"")))?;
        expand(text, self.variables).map_err(|why| self.flaw(why))
    }

    /// Text as a value.
    pub(super) fn parsed<T>(
        self,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, Complaint>,
    ) -> Result<T, Flaw> {
        let text = self.text(example)?;
        parse(&text).map_err(|complaint| flaw::complaint(&self.at(), &complaint))
    }

    /// A duration that is not zero.
    pub(super) fn duration(self) -> Result<Span, Flaw> {
        if let DeValue::Integer(number) = self.value.get_ref() {
            let number = number.as_str();
            let message =
                format!("a duration without a unit, write \"{number}s\" or \"{number}ms\"");
            return Err(self.flaw(message));
        }
        self.parsed("2s", text::positive_duration)
    }

    /// A whole number within these bounds.
    pub(super) fn number(self, least: u64, most: u64) -> Result<u64, Flaw> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(self.wrong_type("a whole number"));
        };
        let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| {
                let until = if most == u64::MAX {
                    String::new()
                } else {
                    format!(" to {most}")
                };
                self.flaw(format!("write a whole number from {least}{until}"))
            })
    }

    pub(super) fn boolean(self) -> Result<bool, Flaw> {
        let truth = self.value.get_ref().as_bool();
        truth.ok_or_else(|| self.wrong_type("true or false"))
    }

    /// One of the words of a choice.
    pub(super) fn choice<T: Copy>(
        self,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, Flaw> {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        let word = self.text(names.first().copied().unwrap_or_default())?;
        let found = all.iter().copied().find(|one| name(*one) == word);
        found.ok_or_else(|| {
            let instead = match closest(&word, names.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("write {}", names.join(", ")),
            };
            self.flaw(format!(
                "\"{}\" is not known; {instead}",
                word.escape_debug()
            ))
        })
    }

    pub(super) fn list(self) -> Result<Vec<Self>, Flaw> {
        let list = self.value.get_ref().as_array();
        let list = list.ok_or_else(|| {
            self.wrong_type(match self.is_table() {
                true => "a list: [{ … }], or a heading in two brackets, like [[listener]]",
                false => "a list, in brackets",
            })
        })?;
        let variables = self.variables;
        let nodes = list.iter().map(|value| Self { value, variables });
        Ok(nodes.collect())
    }

    pub(super) fn is_text(self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_table(self) -> bool {
        self.value.get_ref().is_table()
    }

    /// A table that has only the keys of that one.
    pub(super) fn section(self, known: &'static Table) -> Result<Section<'a>, Flaw> {
        let table = self.value.get_ref().as_table();
        let table = table.ok_or_else(|| self.wrong_type("a table"))?;
        Section::new(table, known, self.variables)
    }

    /// A table whose keys are names, in the order of the file.
    pub(super) fn names(self) -> Result<Vec<(&'a str, usize, Self)>, Flaw> {
        let table = self.value.get_ref().as_table();
        let table = table.ok_or_else(|| self.wrong_type("a table, like [pool.app]"))?;
        let variables = self.variables;
        let section = Section { table, variables };
        Ok(section.entries())
    }

    /// For what is not available in this version: only what it is without may be written.
    pub(super) fn only(self, name: &str, default: &Only) -> Result<(), Flaw> {
        let value = self.value.get_ref();
        let leave_out = || "leave it out".to_owned();
        let (fits, write) = match default {
            Only::Text(word) => (
                value.as_str() == Some(word),
                format!("the one value so far is \"{word}\""),
            ),
            Only::Words(words) => {
                let list = value.as_array();
                let mut list = list.into_iter().flatten();
                (
                    list.by_ref()
                        .map(|one| one.get_ref().as_str())
                        .eq(words.iter().copied().map(Some)),
                    format!("the one value so far is {words:?}"),
                )
            }
            Only::Number(number) => (
                value
                    .as_integer()
                    .is_some_and(|found| found.as_str() == *number),
                format!("the one value so far is {number}"),
            ),
            Only::False => (
                value.as_bool() == Some(false),
                "the one value so far is false".to_owned(),
            ),
            Only::EmptyList => (
                value.as_array().is_some_and(|list| list.is_empty()),
                leave_out(),
            ),
            Only::Table(table) => {
                let says = |found: &DeTable<'_>| !found.is_empty();
                let fits = value.as_table().is_some_and(says);
                if fits {
                    self.section(table)?;
                }
                (fits, leave_out())
            }
            Only::Nothing => (false, leave_out()),
        };
        if fits {
            return Ok(());
        }
        Err(self.flaw(format!("{name} is not available in this version; {write}")))
    }
}

/// A table whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    table: &'a DeTable<'a>,
    variables: Variables<'a>,
}

impl<'a> Section<'a> {
    /// # Errors
    /// For the first key, in the order of the file, that is not among those of `known`; for one
    /// that is not available in this version and says that it is.
    pub(super) fn new(
        table: &'a DeTable<'a>,
        known: &'static Table,
        variables: Variables<'a>,
    ) -> Result<Self, Flaw> {
        let section = Self { table, variables };
        for (key, at, _) in section.entries() {
            let mut absent = known.absent.iter();
            if !known.keys.contains(&key) && !absent.any(|(name, _)| *name == key) {
                return Err(unknown(key, at, known));
            }
        }
        for (key, default) in known.absent {
            if let Some(node) = section.get(key) {
                node.only(&format!("{}.{key}", known.name), default)?;
            }
        }
        Ok(section)
    }

    /// Keys with their places and values, in the order of the file.
    pub(super) fn entries(self) -> Vec<(&'a str, usize, Node<'a>)> {
        let variables = self.variables;
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'a, str> = key.get_ref();
            (&**name, key.span().start, Node { value, variables })
        };
        let mut entries: Vec<_> = self.table.iter().map(entry).collect();
        entries.sort_by_key(|(_, at, _)| *at);
        entries
    }

    pub(super) fn get(self, key: &str) -> Option<Node<'a>> {
        let value = self.table.get(key)?;
        let variables = self.variables;
        Some(Node { value, variables })
    }

    /// Puts what is written under `key`, if anything is, into its place.
    pub(super) fn set<T>(
        self,
        key: &str,
        place: &mut T,
        read: impl FnOnce(Node<'a>) -> Result<T, Flaw>,
    ) -> Result<(), Flaw> {
        if let Some(node) = self.get(key) {
            *place = read(node)?;
        }
        Ok(())
    }
}

/// A key that does nothing is no advice, though it may be written.
fn unknown(key: &str, at: usize, known: &Table) -> Flaw {
    let Table { name, keys, .. } = known;
    let instead = match closest(key, keys.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if keys.is_empty() => format!("{name} is not available in this version"),
        None => format!("{name} takes {}", keys.join(", ")),
    };
    let key = key.escape_debug();
    Flaw::new(at, format!("unknown key \"{key}\"; {instead}"))
}

/// Replaces `${NAME}` and `${NAME:-default}`; `$${` is a literal `${`. As in a shell, a variable
/// that is empty gives way to the default.
fn expand(text: &str, variables: Variables<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let Some((inner, after)) = from[2..].split_once('}') else {
            return Err("\"${\" without \"}\"; write ${NAME}, or $${ for the signs".to_owned());
        };
        let (name, default) = match inner.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inner, None),
        };
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(fine) {
            let name = name.escape_debug();
            return Err(format!(
                "\"{name}\" is no name of a variable; write ${{NAME}}"
            ));
        }
        let value = variables(name);
        let value = match default {
            Some(default) => value
                .filter(|value| !value.is_empty())
                .unwrap_or_else(|| default.to_owned()),
            None => value.ok_or_else(|| {
                format!("the variable {name} is not set; set it, or write ${{{name}:-default}}")
            })?,
        };
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        let known = |name: &str| match name {
            "HOST" => Some("a.example".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let expand = |text| expand(text, &known);
        let table = [
            ("plain $5 {x}", "plain $5 {x}"),
            ("http://${HOST}:80", "http://a.example:80"),
            ("${HOST}${HOST}", "a.examplea.example"),
            ("${NONE:-b:1}", "b:1"),
            ("${NONE:-}", ""),
            ("${EMPTY:-b}", "b"),
            ("[${EMPTY}]", "[]"),
            ("$${HOST}", "${HOST}"),
        ];
        for (text, expected) in table {
            assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["${", "${HOST", "${}", "${a b}", "${NONE}", "${:-x}"] {
            assert!(expand(text).is_err(), "{text}");
        }
    }
}
