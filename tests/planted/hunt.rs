//! Runs the other tests with one bug live, the cheap ones first, until one of them fails.
//!
//! What a run costs is the processor time of everything it started, as the kernel adds it up for
//! children that were waited for. A run that loops for ever is ended by a limit on its processor
//! time, which no other load on the machine can make it miss; such an end counts, and is told.

use std::fmt;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::MutexGuard;

/// The other tests, built with all bugs in them. One hunt at a time: costs would mix.
pub(crate) struct Hunt {
    executables: Vec<Executable>,
    _alone: MutexGuard<'static, ()>,
}

struct Executable {
    name: String,
    path: String,
}

/// What came of the hunt for one bug.
pub(crate) struct Found {
    /// Executable and test, and what it said.
    pub(crate) by: Option<(String, String)>,
    /// Processor time of all runs together.
    pub(crate) seconds: f64,
}

/// Which executable is tried when, with how many seeds.
const ORDER: [(&str, u32); 8] = [
    ("sim", 40),
    ("sim", 400),
    ("kernel_contract", 0),
    ("conformance", 0),
    ("tidegate", 0),
    ("descriptors", 0),
    ("wire", 0),
    ("sim", 4_000),
];

/// Seconds of processor time after which a run is looping: the longest takes a tenth of it.
const LOOPING_SECONDS: u32 = 120;

static ALONE: Mutex<()> = Mutex::new(());

impl Hunt {
    /// Builds the tests that `targets`, arguments for cargo, name: all, if none are.
    pub(crate) fn new(targets: &[&str]) -> Self {
        // A hunt that failed leaves nothing behind that the next one could trip over.
        let alone = ALONE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let output = Command::new(cargo)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["test", "--locked", "--no-run", "--features", "planted"])
            .args(["--message-format", "json"])
            .args(targets)
            .env_remove("TIDEGATE_PLANTED")
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the tests do not build:\n{errors}");
        let messages = String::from_utf8(output.stdout).expect("messages are text");
        let executables: Vec<_> = messages.lines().filter_map(executable).collect();
        for (name, _) in ORDER {
            let built = executables.iter().any(|built| built.name == name);
            assert!(built || !targets.is_empty(), "there is no test {name}");
        }
        Self {
            executables,
            _alone: alone,
        }
    }

    /// Asserts that nothing fails while no bug is live.
    pub(crate) fn assert_healthy(&self) {
        let found = self.run_all(None);
        let said = format!("{found}");
        assert!(found.by.is_none(), "without any bug: {said}");
    }

    /// Goes through the tests until one fails.
    pub(crate) fn find(&self, bug: &str) -> Found {
        self.run_all(Some(bug))
    }

    fn run_all(&self, bug: Option<&str>) -> Found {
        let before = children_seconds();
        let mut by = None;
        // Without a bug the long search finds nothing that the others do not.
        let order = ORDER
            .into_iter()
            .filter(|(_, seeds)| bug.is_some() || *seeds <= 400);
        for (name, seeds) in order {
            let built = self.executables.iter().find(|built| built.name == name);
            by = built.and_then(|built| built.failure(bug, seeds));
            if by.is_some() {
                break;
            }
        }
        Found {
            by,
            seconds: children_seconds() - before,
        }
    }
}

impl Executable {
    /// Runs it; which test failed, and how it put it.
    fn failure(&self, bug: Option<&str>, seeds: u32) -> Option<(String, String)> {
        let limited = format!("ulimit -t {LOOPING_SECONDS}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["-c", &limited, &self.path])
            .env_remove("TIDEGATE_PLANTED")
            .env_remove("TIDEGATE_SEED")
            .env("RUST_BACKTRACE", "0");
        if let Some(bug) = bug {
            command.env("TIDEGATE_PLANTED", bug);
        }
        if seeds > 0 {
            command.env("TIDEGATE_SEEDS", seeds.to_string());
        }
        let output = command.output().expect("a shell");
        if output.status.success() {
            return None;
        }
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = told
            .lines()
            .find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(|name| name.trim_end_matches(" - should panic").to_owned());
        let by = failed.unwrap_or_else(|| "(the process limit on a loop)".to_owned());
        let said = complaint(&told);
        Some((format!("{} {by}", self.name), said))
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6.1} s  ", self.seconds)?;
        match &self.by {
            None => f.write_str("SURVIVES"),
            Some((by, said)) => write!(f, "{by}: {said}"),
        }
    }
}

/// The first line of what the first panic said.
fn complaint(told: &str) -> String {
    let mut lines = told
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    let said = lines.nth(1).unwrap_or("no panic was told");
    said.chars().take(90).collect()
}

/// What one message of cargo's says of a test that was built.
fn executable(message: &str) -> Option<Executable> {
    let field = |from: &str, name: &str| {
        let (_, rest) = from.split_once(&format!("\"{name}\":\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let (_, target) = message.split_once("\"target\":{")?;
    // The program's own unit tests are none, and bear the library's name.
    if !message.contains("\"test\":true},") || target.starts_with("\"kind\":[\"bin\"]") {
        return None;
    }
    Some(Executable {
        name: field(target, "name")?,
        path: field(message, "executable")?,
    })
}

/// Processor time of all children that have ended, in user mode and in the kernel (proc(5)).
fn children_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    // The state is the third field of all; children's times are the 16th and 17th.
    let ticks = fields.split(' ').skip(13).take(2);
    let sum: u32 = ticks
        .map(|ticks| ticks.parse::<u32>().expect("a number"))
        .sum();
    // USER_HZ is 100 on every Linux.
    f64::from(sum) / 100.0
}
