//! The program with a configuration file: what it serves, what it says of it, how it refuses one.

use std::fs;
use std::path::PathBuf;

use crate::binary::{Binary, run};
use crate::client::{Client, get};
use crate::origin::Origin;

/// A file that is gone with the test.
#[derive(Debug)]
pub(crate) struct File(PathBuf);

impl File {
    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let name = format!("tidegate-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, content).expect("a directory for temporary files");
        Self(path)
    }

    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.0, content).expect("it was there before");
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("no odd names here")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn listeners_have_pools_of_their_own() {
    let [a, b, c] = ["a", "b", "c"].map(Origin::saying);
    let file = File::new(
        "pools",
        format!(
            r#"
[[listener]]
name = "one"
listen = "127.0.0.1:0"
pool = "one"
[[listener]]
name = "two"
listen = "127.0.0.1:0"
pool = "two"
[[listener]]
name = "raw"
listen = "[::1]:0"
pool = "raw"
mode = "tcp"
[pool.one]
backends = [{{ url = "{}", weight = 2 }}, "{}"]
[pool.two]
backends = ["{}"]
host = "shop.example"
[pool.raw]
backends = ["tcp://{}"]
"#,
            a.url(),
            b.url(),
            c.url(),
            c.address()
        ),
    );
    let binary = Binary::start_with_file(file.path());
    let [one, two, raw] = binary.addresses() else {
        panic!("three listeners: {binary:?}")
    };
    let mut client = Client::new(*one);
    let answers: Vec<String> = (0..6).map(|_| client.get("/").text().to_owned()).collect();
    assert_eq!(answers, ["a", "b", "a", "a", "b", "a"]);
    assert_eq!(get(*two, "/").text(), "c");
    assert_eq!(c.last_request().values("host"), ["shop.example"]);
    assert!(raw.is_ipv6());
    assert_eq!(get(*raw, "/").text(), "c");
    assert_eq!(
        c.last_request().values("via"),
        [""; 0],
        "bytes as they came"
    );
}

#[test]
fn a_pool_that_is_down_is_down_alone() {
    let [mut a, b] = ["a", "b"].map(Origin::saying);
    let file = File::new(
        "down",
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:0\"\npool = \"one\"\n\
             [[listener]]\nlisten = \"127.0.0.1:0\"\npool = \"two\"\n\
             [pool.one]\nbackends = [\"{}\"]\nhealth = {{ fall = 1, interval = \"100ms\" }}\n\
             [pool.two]\nbackends = [\"{}\"]\n",
            a.url(),
            b.url()
        ),
    );
    let mut binary = Binary::start_with_file(file.path());
    let [one, two] = *binary.addresses() else {
        panic!("two listeners: {binary:?}")
    };
    assert_eq!(get(one, "/").text(), "a");
    a.stop();
    binary.wait_for("no backend of pool one is up");
    assert_eq!(get(one, "/").status(), 503);
    assert_eq!(get(two, "/").text(), "b");
}

#[test]
fn a_trusted_proxy_is_believed_and_gone_on_with() {
    let origin = Origin::saying("seen");
    let listener = |more: &str| format!("[[listener]]\nlisten = \"127.0.0.1:0\"\n{more}\n");
    let file = File::new(
        "trusted",
        format!(
            "{}{}[pool.app]\nbackends = [\"{}\"]\n",
            listener("trusted_proxies = [\"10.0.0.0/8\", \"127.0.0.0/8\"]\nforwarded = \"both\""),
            listener("trusted_proxies = [\"10.0.0.0/8\"]"),
            origin.url()
        ),
    );
    let binary = Binary::start_with_file(file.path());
    let seen = |at| {
        let mut client = Client::new(at);
        client.send(
            "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 192.0.2.9\r\n\
             X-Forwarded-Proto: https\r\nX-Forwarded-Host: outer\r\nForwarded: for=x\r\n\r\n",
        );
        assert_eq!(client.response().expect("a response").text(), "seen");
        origin.last_request()
    };
    let believed = seen(binary.addresses()[0]);
    assert_eq!(believed.values("x-forwarded-for"), ["192.0.2.9, 127.0.0.1"]);
    assert_eq!(believed.values("x-forwarded-proto"), ["https"]);
    assert_eq!(believed.values("x-forwarded-host"), ["outer"]);
    let own = "for=127.0.0.1;proto=http;host=\"inner\"";
    assert_eq!(believed.values("forwarded"), ["for=x", own]);
    let replaced = seen(binary.addresses()[1]);
    assert_eq!(replaced.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(replaced.values("x-forwarded-proto"), ["http"]);
    assert_eq!(replaced.values("x-forwarded-host"), ["inner"]);
    assert_eq!(replaced.values("forwarded"), [""; 0]);
}

#[test]
fn check_says_what_would_happen() {
    let file = File::new("check", "[pool.app]\nbackends = [\"http://127.0.0.1:1\"]\n");
    let outcome = run(&["--config", file.path(), "--check"]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, "");
    for said in [
        "listener web: http on 127.0.0.1:8000 for pool app",
        "http://127.0.0.1:1",
        "warning: ",
        ".toml:2:1: pool app: one backend only",
        "the configuration is valid, with 1 warning",
    ] {
        assert!(outcome.stdout.contains(said), "{said} in {outcome:?}");
    }
}

#[test]
fn what_does_nothing_or_goes_in_circles_is_said_by_check_and_at_the_start() {
    let text = |port: u16| {
        format!(
            "[[listener]]\nlisten = \"127.0.0.1:{port}\"\n[pool.app]\n\
             backends = [\"http://127.0.0.1:8000\", \"http://127.0.0.1:2\"]\n\
             queue = {{ size = 1000 }}\n"
        )
    };
    let file = File::new("idle", text(8000));
    let outcome = run(&["--config", file.path(), "--check"]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    for said in [
        ".toml:4:13: pool app: backend http://127.0.0.1:8000 is listener web",
        ".toml:5:1: pool app: queue does nothing: ",
    ] {
        assert!(outcome.stdout.contains(said), "{said} in {outcome:?}");
    }
    file.write(text(0));
    let mut binary = Binary::start_with_file(file.path());
    assert!(binary.has_said(":5:1: pool app: queue does nothing"));
    binary.signal("HUP");
    binary.wait_for(":5:1: pool app: queue does nothing");
}

#[test]
fn what_is_printed_is_a_file_of_the_same_meaning() {
    let arguments = [
        "-l",
        ":1",
        "--fall",
        "7",
        "https://a.example,weight=3",
        "b:2",
    ];
    let printed = run(&[&arguments[..], &["--print-config"]].concat());
    assert_eq!(printed.status.code(), Some(0), "{printed:?}");
    let last = printed.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with('#') && last.ends_with(" docs/configuration.md"),
        "{last}"
    );
    let file = File::new("print", &printed.stdout);
    let again = run(&["-c", file.path(), "--print-config"]);
    assert_eq!(again.stdout, printed.stdout);
    assert!(again.stdout.contains("fall = 7"), "{again:?}");
    let checked = run(&[&arguments[..], &["--check"]].concat());
    let from_file = run(&["-c", file.path(), "--check"]);
    // Warnings say where in a file they come from, and nothing if there is none.
    let place = format!("warning: {}:", file.path());
    let bare = |line: &str| match line.strip_prefix(&place) {
        Some(rest) => format!(
            "warning: {}",
            rest.splitn(2, ": ").last().unwrap_or_default()
        ),
        None => line.to_owned(),
    };
    let bare: Vec<String> = from_file.stdout.lines().map(bare).collect();
    assert_eq!(bare, checked.stdout.lines().collect::<Vec<_>>());
}

#[test]
fn a_flaw_is_shown_in_its_line() {
    let file = File::new("flaw", "[pool.app]\n  backend = []\n");
    for flags in [&["--check"][..], &["--print-config"], &[]] {
        let outcome = run(&[&["-c", file.path()], flags].concat());
        assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
        assert_eq!(outcome.stdout, "");
        let expected = format!(
            "{}:2:3: unknown key \"backend\"; did you mean \"backends\"?\n    \
             backend = []\n    ^\n",
            file.path()
        );
        assert_eq!(outcome.stderr, expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let latin = File::new("latin", b"# caf\xe9\n[pool.app]\n");
    let place = format!("{}:1:6: this is not UTF-8", latin.path());
    let directory = std::env::temp_dir();
    let directory = directory.to_str().expect("no odd names here");
    for (path, said) in [
        (latin.path(), &*place),
        (directory, "name a file in it"),
        ("/nowhere/at.all", "/nowhere/at.all"),
    ] {
        let outcome = run(&["-c", path, "--check"]);
        assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

#[test]
fn files_that_a_file_names_are_checked_too() {
    let file = File::new(
        "ca",
        "[pool.app]\nbackends = [\"https://a\"]\ntls = { ca = \"/nowhere/ca.pem\" }\n",
    );
    let outcome = run(&["-c", file.path(), "--check"]);
    assert_eq!(outcome.status.code(), Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("/nowhere/ca.pem"), "{outcome:?}");
}

#[test]
fn the_examples_of_the_documents_are_valid() {
    for (name, document) in [
        ("readme", include_str!("../../README.md")),
        ("reference", include_str!("../../docs/configuration.md")),
    ] {
        let (_, after) = document.split_once("```toml\n").expect("an example");
        let (example, _) = after.split_once("```").expect("its end");
        let file = File::new(name, example);
        let outcome = run(&["-c", file.path(), "--check"]);
        assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
        assert!(!outcome.stdout.contains("warning"), "{outcome:?}");
    }
}
