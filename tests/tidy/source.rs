//! A file as the rules see it: raw lines, comments apart, and code as tokens that know their line
//! and whether they are test code. Used by every rule.

use std::fs;
use std::path::Path;

/// One word or sign of code. Literals come out as `"`, one per line that they touch or more.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Under `#[cfg(test)]`, or in a file that is nothing but tests.
    pub(crate) test: bool,
}

impl Token {
    /// True for names, keywords and numbers.
    pub(crate) fn is_word(&self) -> bool {
        let first = self.text.bytes().next().unwrap_or(b' ');
        is_word_byte(first)
    }
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the package's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) tokens: Vec<Token>,
    /// The text with everything but comments blanked out.
    pub(crate) comments: String,
}

impl Source {
    /// Reads `text` as if it stood in `path`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = separate(text);
        let mut tokens = tokenize(&code);
        let all = path.ends_with("/tests.rs")
            || path.ends_with("_tests.rs")
            || path.starts_with("tests/");
        mark_tests(&mut tokens, all);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            comments,
        }
    }

    /// True for the files that make up the program.
    pub(crate) fn is_src(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// The module that this file is, from the crate's root: `["base", "arena"]`; empty for
    /// `lib.rs` and `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
        if names.last().is_some_and(|name| name == "mod")
            || (names.len() == 1 && (names[0] == "lib" || names[0] == "main"))
        {
            names.pop();
        }
        names
    }

    /// The room that it stands in; `lib` and `main` are rooms of their own.
    pub(crate) fn room(&self) -> String {
        let path = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = path.split('/').next().unwrap_or(path);
        first.strip_suffix(".rs").unwrap_or(first).to_owned()
    }

    /// Token texts from `at` on equal `wanted`.
    pub(crate) fn matches(&self, at: usize, wanted: &[&str]) -> bool {
        wanted.iter().enumerate().all(|(offset, text)| {
            self.tokens
                .get(at + offset)
                .is_some_and(|token| token.text == *text)
        })
    }
}

/// Reads every `.rs` file under `root/folder`, in order of names.
pub(crate) fn collect(root: &Path, folder: &str, into: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        return;
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable folder").file_name())
        .map(|name| name.into_string().expect("a name in UTF-8"))
        .collect();
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            collect(root, &path, into);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path)).expect("a readable file");
            into.push(Source::new(&path, &text));
        }
    }
}

/// The index of the token that closes what `tokens[open]` opens, or the end.
pub(crate) fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}

/// The index of the last token of the item that starts at `start`: its `;` or closing brace.
pub(crate) fn item_end(tokens: &[Token], start: usize) -> usize {
    let is_use = tokens.get(start).is_some_and(|token| token.text == "use");
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at,
            "{" if !is_use => return closing(tokens, at),
            "(" | "[" | "{" => at = closing(tokens, at),
            _ => {}
        }
        at += 1;
    }
    tokens.len().saturating_sub(1)
}

/// Code and comments of equal length; in each, the other is blank. Literals stay in the code as
/// quotation marks, so that their lines still count.
fn separate(text: &str) -> (String, String) {
    let bytes = text.as_bytes();
    let blank = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
    let mut code: Vec<u8> = bytes.iter().map(blank).collect();
    let mut comments = code.clone();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"//") || bytes[at..].starts_with(b"/*") {
            let end = comment_end(bytes, at);
            comments[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        } else if let Some(end) = literal_end(bytes, at) {
            for place in at..end {
                if bytes[place] != b'\n' {
                    code[place] = b'"';
                }
            }
            at = end;
        } else {
            let end = word_end(bytes, at).max(at + 1);
            code[at..end].copy_from_slice(&bytes[at..end]);
            at = end;
        }
    }
    let whole = "blanking whole literals and comments keeps UTF-8 whole";
    (
        String::from_utf8(code).expect(whole),
        String::from_utf8(comments).expect(whole),
    )
}

fn comment_end(bytes: &[u8], start: usize) -> usize {
    if bytes[start..].starts_with(b"//") {
        let line = bytes[start..].iter().position(|byte| *byte == b'\n');
        return line.map_or(bytes.len(), |length| start + length);
    }
    let mut depth = 0;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// Where the literal that starts at `start` ends; `None` if none starts there.
fn literal_end(bytes: &[u8], start: usize) -> Option<usize> {
    let prefix = word_end(bytes, start) - start;
    let raw = matches!(&bytes[start..start + prefix], b"r" | b"br" | b"cr");
    let quoted = matches!(&bytes[start..start + prefix], b"" | b"b" | b"c");
    let at = start + prefix;
    if raw {
        let hashes = bytes[at..].iter().take_while(|b| **b == b'#').count();
        if bytes.get(at + hashes) != Some(&b'"') {
            return None;
        }
        let mut end = b"\"".to_vec();
        end.resize(hashes + 1, b'#');
        let body = at + hashes + 1;
        let length = bytes[body..]
            .windows(end.len())
            .position(|part| part == end);
        return Some(length.map_or(bytes.len(), |length| body + length + end.len()));
    }
    match bytes.get(at) {
        Some(b'"') if quoted => Some(quote_end(bytes, at)),
        Some(b'\'') if quoted && is_char(bytes, at) => Some(quote_end(bytes, at)),
        _ => None,
    }
}

/// Where a literal with escapes ends whose opening mark is at `open`.
fn quote_end(bytes: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == bytes[open] => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_char(bytes: &[u8], open: usize) -> bool {
    let Some(first) = bytes.get(open + 1) else {
        return false;
    };
    let length = match first {
        b'\\' => return true,
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    };
    bytes.get(open + 1 + length) == Some(&b'\'')
}

fn tokenize(code: &str) -> Vec<Token> {
    let bytes = code.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let mut end = word_end(bytes, at).max(at + 1);
        if bytes[at..].starts_with(b"::") {
            end = at + 2;
        }
        let text = String::from_utf8_lossy(&bytes[at..end]).into_owned();
        if bytes[at] == b'\n' {
            line += 1;
        } else if !bytes[at].is_ascii_whitespace() {
            tokens.push(Token {
                text,
                line,
                test: false,
            });
        }
        at = end;
    }
    tokens
}

fn word_end(bytes: &[u8], start: usize) -> usize {
    let word = |byte: &&u8| is_word_byte(**byte);
    start + bytes[start..].iter().take_while(word).count()
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Marks what the compiler leaves out of the program.
fn mark_tests(tokens: &mut [Token], all: bool) {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut at = 0;
    while at < tokens.len() {
        let marked = MARK.iter().enumerate().all(|(offset, text)| {
            tokens
                .get(at + offset)
                .is_some_and(|token| token.text == *text)
        });
        if !marked && !all {
            at += 1;
            continue;
        }
        let mut start = at + if marked { MARK.len() } else { 0 };
        while tokens.get(start).is_some_and(|token| token.text == "#") {
            start = closing(tokens, start + 1) + 1;
        }
        let end = if all {
            tokens.len() - 1
        } else {
            item_end(tokens, start)
        };
        for token in &mut tokens[at..=end] {
            token.test = true;
        }
        at = end + 1;
    }
}
