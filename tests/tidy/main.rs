//! The house rules, as a test over the text of `src/` (and a few of them over `tests/` and
//! `benches/`).
//!
//! A rule that is only written down is kept until the first busy week. These are kept because
//! breaking one fails `cargo test` with a line that says where, what, and what to do instead. A
//! rule that cannot be met is changed here, for everybody; no file is ever excepted from one.
//!
//! The rules read text, not types: a small lexer takes comments and literals out of the way
//! (`source.rs`), and the rest is words (`words.rs`), sizes (`shape.rs`) and paths (`imports.rs`).
//! `snippets.rs` shows for every rule the smallest text that breaks it.

mod imports;
mod shape;
mod snippets;
mod source;
mod words;

use std::fmt;
use std::path::Path;

use source::Source;

/// A room of the house: a module right under `src/`.
struct Room {
    /// Rooms of one layer are siblings.
    layer: u8,
    name: &'static str,
    /// What its files may import beside each other. A name with `::` opens that file only.
    imports: &'static [&'static str],
}

/// Who may import whom. Calls go down; what goes up is a return value.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    Room { layer: 0, name: "limits",  imports: &[] },
    Room { layer: 0, name: "base",    imports: &["limits"] },
    Room { layer: 0, name: "tally",   imports: &["limits", "base"] },

    Room { layer: 1, name: "config",  imports: &["limits", "base", "tally"] },
    Room { layer: 1, name: "http",    imports: &["limits", "base", "tally"] },
    Room { layer: 1, name: "peers",   imports: &["limits", "base", "tally"] },
    Room { layer: 1, name: "tls",     imports: &["limits", "base", "tally"] },

    Room { layer: 2, name: "session", imports: &["limits", "base", "tally", "config", "http"] },

    Room { layer: 2, name: "admin",   imports: &["limits", "base", "tally", "config", "http"] },

    Room { layer: 3, name: "engine",  imports: &["limits", "base", "tally", "config", "http",
                                                 "peers", "tls", "session", "admin"] },

    Room { layer: 4, name: "os",      imports: &["limits", "base", "tally", "engine::kernel"] },

    Room { layer: 5, name: "app",     imports: &["*"] },
    Room { layer: 5, name: "lib",     imports: &["*"] },
    Room { layer: 5, name: "main",    imports: &["*"] },
];

/// Crates that only some rooms may name, so that a new version of one is felt in one place.
const CRATES: &[(&str, &[&str])] = &[
    ("mio", &["os"]),
    ("socket2", &["os"]),
    ("signal_hook", &["os"]),
    ("rustix", &["os"]),
    ("rustls", &["tls"]),
    ("webpki_roots", &["tls"]),
    ("webpki", &["tls"]),
    ("httparse", &["http"]),
    ("toml", &["config"]),
    ("serde_json", &["admin", "app"]),
    ("log", &["engine", "app", "main"]),
];

/// Words that only some rooms may say outside tests, and what the others do instead.
const WORDS: &[(&str, &[&str], &str)] = &[
    ("Instant", &["os"], "take `now: Moment` as an argument"),
    ("SystemTime", &["os"], "take the time as an argument"),
    ("TcpStream", &["os", "app"], "name sockets by number"),
    ("TcpListener", &["os", "app"], "name sockets by number"),
    ("UdpSocket", &["os", "app"], "name sockets by number"),
    (
        "HashMap",
        &[],
        "use BTreeMap or an arena: its order replays",
    ),
    ("HashSet", &[], "use BTreeSet: its order replays"),
    ("thread_local", &[], "pass what a function uses to it"),
    ("unsafe", &[], "find the safe call, or a crate that has it"),
    (
        "unwrap",
        &[],
        "return the error, or `expect` with the proof",
    ),
    ("todo", &[], "write it, or leave it out"),
    ("unimplemented", &[], "write it, or leave it out"),
    ("dbg", &[], "take it out"),
    ("println", &["app", "main"], "return it, or log it"),
    ("eprintln", &["app", "main"], "return it, or log it"),
    ("print", &["app", "main"], "return it, or log it"),
    ("eprint", &["app", "main"], "return it, or log it"),
];

/// Lines that bear code, tests not counted.
const FILE_LINES_MAX: usize = 400;
/// Lines from `fn` to the closing brace.
const FUNCTION_LINES_MAX: usize = 70;
/// Characters in a line, comments and literals included.
const COLUMNS_MAX: usize = 100;

/// One line of bad news.
#[derive(Debug)]
struct Violation {
    path: String,
    line: usize,
    /// Short and stable: `snippets.rs` looks for it.
    rule: &'static str,
    /// What exactly, and what to do instead.
    instead: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line) = (&self.path, self.line);
        write!(f, "{path}:{line}: {}, {}", self.rule, self.instead)
    }
}

/// Everything wrong with these files, sorted by place.
fn violations(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        shape::check(source, &mut found);
        words::check(source, &mut found);
    }
    shape::check_tree(sources, &mut found);
    imports::check(sources, &mut found);
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    found
}

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches"] {
        source::collect(root, folder, &mut sources);
    }
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"));
    let found = violations(&sources);
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} house rules broken:\n{}",
        lines.len(),
        lines.join("\n")
    );
}
