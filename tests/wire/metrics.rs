//! Metrics as Prometheus reads them: by the parser of its own Python client.
//!
//! `.ci/run` installs it into `target/tools/venv`. Without it the tests say so and pass, unless
//! `TIDEGATE_PROMETHEUS_PARSER=required`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::{Admin, BACKENDS};
use crate::origin::Origin;

/// Runs the script with these arguments, if there is a parser; what it said, if it was content.
#[track_caller]
fn parsed(script: &str, arguments: &[&Path]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join("target/tools/venv/bin/python3");
    let has_parser = |python: &Path| {
        let mut probe = Command::new(python);
        let probe = probe.args(["-c", "import prometheus_client.parser"]);
        probe.output().is_ok_and(|output| output.status.success())
    };
    let found = [python.as_path(), Path::new("python3")]
        .into_iter()
        .find(|python| has_parser(python));
    let Some(python) = found else {
        let required = std::env::var("TIDEGATE_PROMETHEUS_PARSER");
        assert_ne!(
            required.as_deref(),
            Ok("required"),
            "no parser: see .ci/run"
        );
        eprintln!("SKIPPED: no Python with prometheus_client; .ci/run installs one");
        return None;
    };
    let output = Command::new(python)
        .arg(root.join("tests/wire").join(script))
        .args(arguments)
        .output()
        .expect("it ran a moment ago");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    Some(said)
}

/// A page that is gone with the test.
struct Page(PathBuf);

impl Page {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("tidegate-{}-{name}.prom", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("a directory for temporary files");
        Self(path)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn prometheus_reads_everything_and_it_grows() {
    let [a, b] = ["a", "b"].map(Origin::saying);
    let admin = Admin::start(&[a.url(), b.url()]);
    let scrape = |name: &str| Page::new(name, admin.ask("GET", "/metrics", "").text());
    let traffic = || {
        let mut client = admin.binary.client();
        for _ in 0..4 {
            assert_eq!(client.get("/").status(), 200);
        }
        assert_eq!(client.post("/", "12345").status(), 200);
        client.send("G<T / HTTP/1.1\r\n\r\n");
        assert_eq!(client.response().expect("a refusal").status(), 400);
    };
    traffic();
    let before = scrape("before");
    traffic();
    assert_eq!(
        admin
            .ask("POST", &format!("{BACKENDS}/app-2/drain"), "")
            .status(),
        200
    );
    let after = scrape("after");
    if let Some(said) = parsed("metrics.py", &[&before.0, &after.0]) {
        assert!(said.contains(" families, "), "{said}");
    }
    let text = fs::read_to_string(&after.0).expect("our own file");
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.expect("what made this").stdout;
    let version = String::from_utf8_lossy(&compiler);
    let version = version.split(' ').nth(1).expect("rustc 1.2.3 (…)");
    assert!(text.contains(&format!("rust=\"{version}\"")), "{version}");
    // A page of which nothing can be right is one that the script must not be content with.
    let empty = Page::new("empty", "# TYPE tidegate_ready gauge\ntidegate_ready 1\n");
    let content = std::panic::catch_unwind(|| parsed("metrics.py", &[&before.0, &empty.0]));
    assert!(!matches!(content, Ok(Some(_))), "{content:?}");
}
