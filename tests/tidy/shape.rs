//! Sizes and places: how long a line, a function, a file may be; that a file says what it is;
//! that nothing lies around unused.

use std::collections::BTreeSet;

use crate::source::{Source, Token, closing, item_end};
use crate::{COLUMNS_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX, Violation};

/// Rules about one file.
pub(crate) fn check(source: &Source, found: &mut Vec<Violation>) {
    header(source, found);
    columns(source, found);
    if source.is_src() {
        file_length(source, found);
        function_lengths(source, found);
        tests_last(source, found);
    }
}

/// Rules about all files together.
pub(crate) fn check_tree(sources: &[Source], found: &mut Vec<Violation>) {
    reachable(sources, found);
    limits_named(sources, found);
}

fn report(source: &Source, line: usize, rule: &'static str, instead: String) -> Violation {
    Violation {
        path: source.path.clone(),
        line,
        rule,
        instead,
    }
}

fn header(source: &Source, found: &mut Vec<Violation>) {
    let first = source.text.lines().next().unwrap_or("");
    let said = first.strip_prefix("//!").unwrap_or("").trim();
    if said.is_empty() {
        let instead = "open with `//!`: what it is, why it exists, who may call it".to_owned();
        found.push(report(source, 1, "no file header", instead));
    }
}

fn columns(source: &Source, found: &mut Vec<Violation>) {
    for (index, line) in source.text.lines().enumerate() {
        let width = line.chars().count();
        // A table row in a doc comment cannot be broken.
        let row = line.trim_start().starts_with("//! |") || line.trim_start().starts_with("/// |");
        if width > COLUMNS_MAX && !row {
            let instead = format!("break it: {width} columns, {COLUMNS_MAX} are allowed");
            found.push(report(source, index + 1, "long line", instead));
        }
    }
}

fn file_length(source: &Source, found: &mut Vec<Violation>) {
    let code = source.tokens.iter().filter(|token| !token.test);
    let lines: BTreeSet<usize> = code.map(|token| token.line).collect();
    if lines.len() > FILE_LINES_MAX {
        let instead = format!(
            "split it by noun: {} lines of code, {FILE_LINES_MAX} are allowed",
            lines.len()
        );
        found.push(report(source, 1, "long file", instead));
    }
}

fn function_lengths(source: &Source, found: &mut Vec<Violation>) {
    let tokens = &source.tokens;
    for (at, token) in tokens.iter().enumerate() {
        // `fn(u8)` is a type, not a function.
        let named = tokens.get(at + 1).is_some_and(Token::is_word);
        if token.text != "fn" || token.test || !named {
            continue;
        }
        let end = tokens[item_end(tokens, at)].line;
        let length = end + 1 - token.line;
        if length > FUNCTION_LINES_MAX {
            let name = &tokens[at + 1].text;
            let instead = format!(
                "give parts of `{name}` names: {length} lines, {FUNCTION_LINES_MAX} are allowed"
            );
            found.push(report(source, token.line, "long function", instead));
        }
    }
}

fn tests_last(source: &Source, found: &mut Vec<Violation>) {
    let tokens = &source.tokens;
    for at in 0..tokens.len() {
        if !tokens[at].test || !source.matches(at, &["mod", "tests"]) {
            continue;
        }
        let after = tokens.iter().skip(item_end(tokens, at) + 1);
        if let Some(token) = after.into_iter().find(|token| !token.test) {
            let instead = "move `mod tests` to the bottom of the file".to_owned();
            found.push(report(source, token.line, "code below the tests", instead));
        }
        return;
    }
}

/// A file that no `mod` declares is not compiled: nobody notices when it rots.
fn reachable(sources: &[Source], found: &mut Vec<Violation>) {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let is_root = |source: &&Source| {
        matches!(source.path.as_str(), "src/lib.rs" | "src/main.rs")
            || source.path.starts_with("src/bin/")
    };
    let mut open: Vec<&Source> = sources.iter().filter(is_root).collect();
    if open.is_empty() {
        return;
    }
    while let Some(source) = open.pop() {
        if !seen.insert(&source.path) {
            continue;
        }
        let base = format!("src/{}", source.module().join("/"));
        let base = base.trim_end_matches('/');
        for name in declared(source) {
            let places = [format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")];
            open.extend(sources.iter().filter(|other| places.contains(&other.path)));
        }
    }
    for source in sources.iter().filter(|source| source.is_src()) {
        if !seen.contains(source.path.as_str()) {
            let instead = "declare it with `mod` where it belongs, or delete it".to_owned();
            found.push(report(source, 1, "unreachable file", instead));
        }
    }
}

/// The modules that a file declares, those for tests included.
pub(crate) fn declared(source: &Source) -> Vec<&str> {
    let tokens = &source.tokens;
    let mut names = Vec::new();
    let mut at = 0;
    while at + 2 < tokens.len() {
        if tokens[at].text == "mod" && matches!(tokens[at + 2].text.as_str(), ";" | "{") {
            names.push(tokens[at + 1].text.as_str());
        }
        // What is declared inside something is not the file's own.
        if tokens[at].text == "{" {
            at = closing(tokens, at);
        }
        at += 1;
    }
    names
}

/// A bound that nobody asks about binds nothing. A bound from which another one is computed
/// counts as asked about; an assertion does not ask.
fn limits_named(sources: &[Source], found: &mut Vec<Violation>) {
    let Some(limits) = sources.iter().find(|s| s.path == "src/limits.rs") else {
        return;
    };
    let others = sources
        .iter()
        .filter(|source| source.is_src() && source.path != limits.path);
    let mut named: BTreeSet<&str> = others
        .flat_map(|source| &source.tokens)
        .filter(|token| !token.test)
        .map(|token| token.text.as_str())
        .collect();
    let tokens = &limits.tokens;
    let mut constants = Vec::new();
    for at in 0..tokens.len().saturating_sub(1) {
        if tokens[at].text != "const" || tokens[at + 1].text == "_" || tokens[at].test {
            continue;
        }
        constants.push(&tokens[at + 1]);
        let definition = &tokens[at + 2..=item_end(tokens, at)];
        named.extend(definition.iter().map(|token| token.text.as_str()));
    }
    for constant in constants {
        if !named.contains(constant.text.as_str()) {
            let instead = format!("use `{}` where it binds, or delete it", constant.text);
            found.push(report(limits, constant.line, "idle limit", instead));
        }
    }
}
