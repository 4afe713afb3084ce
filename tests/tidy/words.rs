//! Words that a file may not say: clocks, panics, hash maps, prints, markers, attributes that
//! silence the compiler.

use crate::source::{Source, Token, closing};
use crate::{Violation, WORDS};

/// Rules about the words of one file.
pub(crate) fn check(source: &Source, found: &mut Vec<Violation>) {
    attributes(source, found);
    sleeps(source, found);
    if source.is_src() {
        words(source, found);
        names(source, found);
        markers(source, found);
    }
}

fn report(source: &Source, line: usize, rule: &'static str, instead: &str) -> Violation {
    Violation {
        path: source.path.clone(),
        line,
        rule,
        instead: instead.to_owned(),
    }
}

fn words(source: &Source, found: &mut Vec<Violation>) {
    let room = source.room();
    let tokens = &source.tokens;
    for (at, token) in tokens.iter().enumerate() {
        for (word, rooms, instead) in WORDS {
            if token.text != *word || rooms.contains(&room.as_str()) {
                continue;
            }
            if token.test && *word != "unsafe" {
                continue;
            }
            // `print` may be anybody's method, `print!` is the macro.
            let macro_only = ["print", "eprint", "todo", "dbg"].contains(word);
            if macro_only && !source.matches(at + 1, &["!"]) {
                continue;
            }
            let instead = format!("not `{word}` here: {instead}");
            found.push(report(source, token.line, "forbidden word", &instead));
        }
        if token.text == "static" && !token.test && source.matches(at + 1, &["mut"]) {
            let instead = "pass what a function uses to it";
            found.push(report(source, token.line, "static mut", instead));
        }
    }
}

fn names(source: &Source, found: &mut Vec<Violation>) {
    for pair in source.tokens.windows(2) {
        let [keyword, name] = pair else { continue };
        let getter = name.text.starts_with("get_") && name.text != "get_mut";
        if keyword.text == "fn" && getter && !keyword.test {
            let instead = format!("call `{}` by its noun, without `get_`", name.text);
            found.push(report(source, name.line, "getter name", &instead));
        }
    }
}

/// Unfinished business belongs into an issue, where somebody looks for it.
fn markers(source: &Source, found: &mut Vec<Violation>) {
    let last = source.tokens.iter().rev().find(|token| !token.test);
    let first_test = source.tokens.iter().position(|token| token.test);
    let code_end = match (last, first_test) {
        (Some(last), Some(_)) => last.line,
        (None, Some(_)) => 0,
        (_, None) => usize::MAX,
    };
    for (index, line) in source.comments.lines().enumerate() {
        let marked = line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| ["TODO", "FIXME", "XXX"].contains(&word));
        if marked && index < code_end {
            let instead = "do it, or say why not without the marker";
            found.push(report(source, index + 1, "leftover marker", instead));
        }
    }
}

fn attributes(source: &Source, found: &mut Vec<Violation>) {
    let tokens = &source.tokens;
    for at in 0..tokens.len() {
        let open = if source.matches(at, &["#", "["]) {
            at + 1
        } else if source.matches(at, &["#", "!", "["]) {
            at + 2
        } else {
            continue;
        };
        let inside = &tokens[open..=closing(tokens, open)];
        attribute(source, inside, found);
    }
}

fn attribute(source: &Source, inside: &[Token], found: &mut Vec<Violation>) {
    let line = inside[0].line;
    let says = |word: &str| inside.iter().any(|token| token.text == word);
    let called = |word: &str| {
        inside
            .windows(2)
            .any(|pair| pair[0].text == word && pair[1].text == "(")
    };
    // A file that several test binaries pull in is used by each of them in part only.
    let shared = !source.is_src() && says("dead_code") && says("reason");
    if called("allow") && !shared {
        let instead = "use `expect(…, reason = \"…\")`, which complains once it is idle";
        found.push(report(source, line, "allow attribute", instead));
    }
    if called("expect") && !says("reason") {
        let instead = "add `reason = \"…\"`";
        found.push(report(source, line, "expect without reason", instead));
    }
    if inside.get(1).is_some_and(|token| token.text == "ignore") {
        let instead = "mend the test or delete it";
        found.push(report(source, line, "ignored test", instead));
    }
    if source.is_src() && inside.get(1).is_some_and(|token| token.text == "path") {
        let instead = "put the file where its module's name says";
        found.push(report(source, line, "path attribute", instead));
    }
}

/// A sleep in a test hides a race or wastes time, mostly both.
fn sleeps(source: &Source, found: &mut Vec<Violation>) {
    for at in 0..source.tokens.len() {
        let called = source.matches(at, &["thread", "::", "sleep"])
            || source.matches(at, &["park_timeout"])
            || source.matches(at, &["use", "std", "::", "thread", "::", "{"])
                && names_sleep(&source.tokens[at + 5..]);
        if called {
            let line = source.tokens[at].line;
            let instead = "wait for what must happen: a channel, a read, a log line";
            found.push(report(source, line, "sleep", instead));
        }
    }
}

fn names_sleep(tokens: &[Token]) -> bool {
    let inside = &tokens[..=closing(tokens, 0)];
    inside.iter().any(|token| token.text == "sleep")
}
