//! Who imports whom: the layer table, fenced crates, cycles between files, globs.
//!
//! An import is any path that names another file of the crate: in a `use` at the top, in a `use`
//! inside a function, or written out in full in an expression or a type. Declaring a module is
//! not importing it. Comments do not count, so a link in the documentation may point anywhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::shape::declared;
use crate::source::{Source, Token, closing};
use crate::{CRATES, ROOMS, Violation};

/// A path as written.
#[derive(Debug)]
struct Written {
    segments: Vec<String>,
    /// The name under which a `use` makes it known.
    alias: Option<String>,
    /// The inline modules around it, outermost first.
    inside: Vec<String>,
    line: usize,
}

/// Rules about paths, outside tests.
pub(crate) fn check(sources: &[Source], found: &mut Vec<Violation>) {
    let files: Vec<&Source> = sources.iter().filter(|source| source.is_src()).collect();
    let modules: BTreeMap<Vec<String>, &str> = files
        .iter()
        .filter(|source| source.path != "src/main.rs")
        .map(|source| (source.module(), source.path.as_str()))
        .collect();
    let mut edges: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for source in files {
        let written = paths(source);
        use_style(source, &written, found);
        let mut resolver = Resolver::new(source);
        resolver.learn(&written);
        for path in &written {
            let Some(target) = resolver.resolve(path) else {
                fence(source, path, &resolver, found);
                continue;
            };
            layer(source, path.line, &target, found);
            if let Some(file) = file_of(&modules, &target)
                && file != source.path
            {
                let lines = edges.entry(&source.path).or_default();
                lines.entry(file).or_insert(path.line);
            }
        }
    }
    cycles(&edges, found);
}

/// What the names at the start of a path mean in one file.
struct Resolver<'a> {
    module: Vec<String>,
    children: Vec<&'a str>,
    aliases: BTreeMap<String, Vec<String>>,
}

impl<'a> Resolver<'a> {
    fn new(source: &'a Source) -> Self {
        Self {
            module: source.module(),
            children: declared(source),
            aliases: BTreeMap::new(),
        }
    }

    /// Notes what the `use` declarations bring in, so that `use crate::engine;` and then
    /// `engine::pump::run()` is seen as an import of the pump.
    fn learn(&mut self, written: &[Written]) {
        for path in written {
            if let (Some(alias), Some(target)) = (&path.alias, self.resolve(path)) {
                self.aliases.insert(alias.clone(), target);
            }
        }
    }

    /// The path from the crate's root, or `None` if it leads out of the crate or to a local name.
    fn resolve(&self, path: &Written) -> Option<Vec<String>> {
        let first = path.segments.first()?.as_str();
        let mut here = self.module.clone();
        here.extend(path.inside.iter().cloned());
        let mut rest = path.segments.as_slice();
        match first {
            "crate" | "tidegate" => {
                here.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    here.pop();
                    rest = &rest[1..];
                }
            }
            _ if self.children.contains(&first) => {}
            _ => {
                if path.alias.as_deref() == Some(first) {
                    return None;
                }
                here = self.aliases.get(first)?.clone();
                rest = &rest[1..];
            }
        }
        here.extend(rest.iter().cloned());
        Some(here)
    }
}

fn layer(source: &Source, line: usize, target: &[String], found: &mut Vec<Violation>) {
    let own = source.room();
    let mut report = |rule, instead| {
        found.push(Violation {
            path: source.path.clone(),
            line,
            rule,
            instead,
        });
    };
    let Some(room) = ROOMS.iter().find(|room| room.name == own) else {
        let instead = format!("give `{own}` a layer in tests/tidy/main.rs");
        return report("unknown room", instead);
    };
    let to = target.first().map_or("", String::as_str);
    if to == own || room.imports == ["*"] {
        return;
    }
    let Some(other) = ROOMS.iter().find(|room| room.name == to) else {
        let instead = format!("`crate::{to}` is in no room: import from the room that owns it");
        return report("import of the crate root", instead);
    };
    let full = target.join("::");
    let granted = room
        .imports
        .iter()
        .any(|name| full == *name || full.starts_with(&format!("{name}::")));
    if !granted {
        let instead = format!(
            "`{own}` (layer {}) may not import `{full}` (layer {}): return a value upwards, \
             or move the noun to `base`",
            room.layer, other.layer
        );
        report("import against the layers", instead);
    }
}

fn fence(source: &Source, path: &Written, resolver: &Resolver<'_>, found: &mut Vec<Violation>) {
    let first = path.segments[0].as_str();
    let room = source.room();
    for (name, rooms) in CRATES {
        if first == *name && !rooms.contains(&room.as_str()) && !resolver.children.contains(name) {
            found.push(Violation {
                path: source.path.clone(),
                line: path.line,
                rule: "fenced crate",
                instead: format!("`{name}` is for {} only: go through it", rooms.join(", ")),
            });
        }
    }
}

fn use_style(source: &Source, written: &[Written], found: &mut Vec<Violation>) {
    for path in written {
        if path.segments.last().is_some_and(|name| name == "*") {
            found.push(Violation {
                path: source.path.clone(),
                line: path.line,
                rule: "glob import",
                instead: "name what is used".to_owned(),
            });
        }
    }
}

fn file_of<'a>(modules: &BTreeMap<Vec<String>, &'a str>, target: &[String]) -> Option<&'a str> {
    (0..=target.len())
        .rev()
        .find_map(|length| modules.get(&target[..length]).copied())
}

fn cycles(edges: &BTreeMap<&str, BTreeMap<&str, usize>>, found: &mut Vec<Violation>) {
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        walk(edges, &mut vec![start], &mut done, found);
    }
}

/// Depth first; `trail` is the way here, `done` leads to no cycle that was not reported.
fn walk<'a>(
    edges: &BTreeMap<&'a str, BTreeMap<&'a str, usize>>,
    trail: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<Violation>,
) {
    let here = *trail.last().expect("a trail starts with its first file");
    if done.contains(here) {
        return;
    }
    for (next, line) in edges.get(here).into_iter().flatten() {
        if let Some(back) = trail.iter().position(|file| file == next) {
            found.push(Violation {
                path: here.to_owned(),
                line: *line,
                rule: "import cycle",
                instead: format!(
                    "move the shared noun below both: {} -> {next}",
                    trail[back..].join(" -> ")
                ),
            });
        } else {
            trail.push(next);
            walk(edges, trail, done, found);
            trail.pop();
        }
    }
    done.insert(here);
}

/// Every path in the program's part of a file, `use` trees spread out.
fn paths(source: &Source) -> Vec<Written> {
    let tokens = &source.tokens;
    let mut written = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        inside.retain(|(_, end)| *end > at);
        let names: Vec<String> = inside.iter().map(|(name, _)| name.clone()).collect();
        let text = tokens[at].text.as_str();
        if tokens[at].test {
            at += 1;
        } else if text == "mod" && tokens.get(at + 2).is_some_and(|token| token.text == "{") {
            inside.push((tokens[at + 1].text.clone(), closing(tokens, at + 2)));
            at += 3;
        } else if text == "use" && !source.matches(at + 1, &["<"]) {
            at = tree(tokens, at + 1, &[], &names, &mut written);
        } else if source.matches(at, &["pub", "(", "in"]) {
            at = closing(tokens, at + 1) + 1;
        } else if tokens[at].is_word() && source.matches(at + 1, &["::"]) {
            at = full_path(tokens, at, names, &mut written);
        } else {
            at += 1;
        }
    }
    written
}

/// Reads `a::b::c` from its first word; returns where to go on.
fn full_path(
    tokens: &[Token],
    start: usize,
    inside: Vec<String>,
    written: &mut Vec<Written>,
) -> usize {
    let mut segments = vec![tokens[start].text.clone()];
    let mut at = start + 1;
    while at + 1 < tokens.len() && tokens[at].text == "::" && tokens[at + 1].is_word() {
        segments.push(tokens[at + 1].text.clone());
        at += 2;
    }
    written.push(Written {
        segments,
        alias: None,
        inside,
        line: tokens[start].line,
    });
    at.max(start + 2)
}

/// Reads one branch of a `use` tree; returns the index of the `,`, `}` or `;` behind it.
fn tree(
    tokens: &[Token],
    start: usize,
    prefix: &[String],
    inside: &[String],
    written: &mut Vec<Written>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut alias = None;
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "::" => {}
            "," | "}" | ";" => break,
            "as" => {
                alias = tokens.get(at + 1).map(|token| token.text.clone());
                at += 1;
            }
            "{" => {
                let end = closing(tokens, at);
                let mut branch = at + 1;
                while branch < end {
                    branch = tree(tokens, branch, &segments, inside, written) + 1;
                }
                return end + 1;
            }
            // `a::{self}` is `a`, but `self::a` starts with itself.
            "self" if !segments.is_empty() => {}
            name => segments.push(name.to_owned()),
        }
        at += 1;
    }
    if !segments.is_empty() && segments != prefix || at > start {
        written.push(Written {
            alias: alias.or_else(|| segments.last().cloned()),
            segments,
            inside: inside.to_vec(),
            line: tokens[start.min(tokens.len() - 1)].line,
        });
    }
    at
}
