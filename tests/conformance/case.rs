//! Cases are data: what is sent, what must come of it, and what taught us so.
//!
//! A case file is read line by line, by the first word of each:
//!
//! ```text
//! # a remark
//! = name of a case, which it begins
//! : section of an RFC, or the class of incident
//! > a line that the client sends, CRLF added        >| the same without CRLF
//! < a line that the backend must get                <| the same without CRLF
//! + a line that the backend answers with            +| the same without CRLF
//! - a line that the client must get                 -| the same without CRLF
//! each V W X       the case once for each value, in place of every {}
//! +end  +reset     the backend ends or resets its connection behind its answer
//! alone            bytes behind the request would be no request: not delivered before another
//! early            the backend answers as soon as it has the head
//! backend kept     its connection serves others afterwards (or: backend closed)
//! forward [close]  verdict: passed on; the client's connection is closed afterwards
//! refuse 400 code  verdict: answered so, nothing reached a backend
//! abort 400 code   verdict: answered so, at most the beginning of it reached a backend
//! unfinished       verdict: not a whole request; nobody answers, no backend gets a whole one
//! broken code      verdict: the backend's answer is refused, the client gets a 502
//! lost             verdict: the backend went away before its answer, the client gets a 502
//! cut              verdict: the client sees that the answer is not whole
//! ```

use std::fs;
use std::path::Path;

use crate::notation;

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// File, line and name.
    pub(crate) name: String,
    /// Where the rule is from.
    pub(crate) source: String,
    /// What the client sends. A plain GET where the case is about the answer.
    pub(crate) client: Vec<u8>,
    /// What the backend must get, to the byte.
    pub(crate) backend: Vec<u8>,
    /// What the backend answers; nothing means a plain 200.
    pub(crate) answer: Vec<u8>,
    /// What the client must get, to the byte, if it is told.
    pub(crate) shown: Vec<u8>,
    pub(crate) ending: Ending,
    pub(crate) early: bool,
    pub(crate) alone: bool,
    /// Whether the backend's connection is kept, if it matters.
    pub(crate) kept: Option<bool>,
    pub(crate) verdict: Verdict,
}

/// What a backend does behind its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    #[default]
    Stays,
    Ends,
    Resets,
}

/// What must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Forward { close: bool },
    Refuse { status: u16, code: String },
    Abort { status: u16, code: String },
    Unfinished,
    Broken { code: String },
    Lost,
    Cut,
}

/// All cases of all files of the folder, in order of name.
pub(crate) fn all(folder: &Path) -> Vec<Case> {
    let entries = fs::read_dir(folder).expect("the folder of cases");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("a case file is text");
        for block in blocks(&text) {
            cases.extend(block.cases(&file));
        }
    }
    cases
}

/// The lines of one case, numbered.
struct Block<'a> {
    line: usize,
    name: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("= ") {
            blocks.push(Block {
                line: index + 1,
                name,
                lines: Vec::new(),
            });
        } else if !line.is_empty() && !line.starts_with('#') {
            let block = blocks
                .last_mut()
                .unwrap_or_else(|| panic!("no case yet: {line}"));
            block.lines.push(line);
        }
    }
    blocks
}

impl Block<'_> {
    fn cases(&self, file: &str) -> Vec<Case> {
        let each = self
            .lines
            .iter()
            .filter_map(|line| line.strip_prefix("each "));
        let values: Vec<String> = each.flat_map(notation::values).collect();
        if values.is_empty() {
            return vec![self.case(file, None)];
        }
        values
            .iter()
            .map(|value| self.case(file, Some(value)))
            .collect()
    }

    fn case(&self, file: &str, value: Option<&str>) -> Case {
        let with = value.map(|value| format!(" [{value}]")).unwrap_or_default();
        let name = format!("{file}.case:{}: {}{with}", self.line, self.name);
        let mut case = Case {
            name,
            source: String::new(),
            client: Vec::new(),
            backend: Vec::new(),
            answer: Vec::new(),
            shown: Vec::new(),
            ending: Ending::Stays,
            early: false,
            alone: false,
            kept: None,
            verdict: Verdict::Unfinished,
        };
        let mut judged = 0;
        for line in &self.lines {
            let line = line.replace("{}", value.unwrap_or("{}"));
            judged += usize::from(case.take(&line));
        }
        assert_eq!(judged, 1, "{}: one verdict", case.name);
        assert!(
            !case.source.is_empty(),
            "{}: where the rule is from",
            case.name
        );
        if case.client.is_empty() {
            case.client = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        }
        case
    }
}

impl Case {
    /// Takes one line; true if it was the verdict.
    fn take(&mut self, line: &str) -> bool {
        for (mark, bytes) in [
            ('>', &mut self.client),
            ('<', &mut self.backend),
            ('+', &mut self.answer),
            ('-', &mut self.shown),
        ] {
            let Some(text) = line.strip_prefix(mark) else {
                continue;
            };
            if let Some(raw) = text.strip_prefix('|') {
                bytes.extend(notation::bytes(raw.strip_prefix(' ').unwrap_or(raw)));
                return false;
            }
            if text.is_empty() || text.starts_with(' ') {
                bytes.extend(notation::bytes(text.strip_prefix(' ').unwrap_or(text)));
                bytes.extend(b"\r\n");
                return false;
            }
        }
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [":", rest @ ..] => self.source = rest.join(" "),
            ["each", ..] => {}
            ["+end"] => self.ending = Ending::Ends,
            ["+reset"] => self.ending = Ending::Resets,
            ["early"] => self.early = true,
            ["alone"] => self.alone = true,
            ["backend", "kept"] => self.kept = Some(true),
            ["backend", "closed"] => self.kept = Some(false),
            verdict => {
                self.verdict = Verdict::of(verdict)
                    .unwrap_or_else(|| panic!("{}: what is this: {line}", self.name));
                return true;
            }
        }
        false
    }
}

impl Verdict {
    fn of(words: &[&str]) -> Option<Self> {
        let status = || words.get(1).and_then(|status| status.parse().ok());
        Some(match words {
            ["forward"] => Self::Forward { close: false },
            ["forward", "close"] => Self::Forward { close: true },
            ["refuse", _, code] => Self::Refuse {
                status: status()?,
                code: (*code).to_owned(),
            },
            ["abort", _, code] => Self::Abort {
                status: status()?,
                code: (*code).to_owned(),
            },
            ["unfinished"] => Self::Unfinished,
            ["broken", code] => Self::Broken {
                code: (*code).to_owned(),
            },
            ["lost"] => Self::Lost,
            ["cut"] => Self::Cut,
            _ => return None,
        })
    }
}
