//! Runs the other tests with one bug live, the cheap ones first, until one of them fails.
//!
//! What a run costs is the processor time of everything it started, as the kernel adds it up for
//! children that were waited for. A run that loops is ended by a limit on its processor time, and
//! one that stands still by its using none, so no other load on the machine can pass for either;
//! such an end counts as found, and is told.

use std::fmt;
use std::fs;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;

use rustix::process::kill_process_group;

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

/// One executable, with how many seeds, and what of it is left for later.
struct Stage {
    name: &'static str,
    seeds: u32,
    skip: &'static str,
}

const fn stage(name: &'static str, seeds: u32, skip: &'static str) -> Stage {
    Stage { name, seeds, skip }
}

/// Its unit tests.
const LIBRARY: &str = "tidegate";

/// Everything that [`Hunt::run`] goes through.
pub(crate) const EVERYTHING: [&str; 6] = [
    "sim",
    "kernel_contract",
    "conformance",
    LIBRARY,
    "descriptors",
    "wire",
];

/// What is tried when: worlds first, real sockets last, and then very many worlds.
const ORDER: [Stage; 9] = [
    stage("sim", 40, ""),
    stage("sim", 400, ""),
    stage("kernel_contract", 0, ""),
    stage("conformance", 0, "socket::"),
    stage(LIBRARY, 0, ""),
    stage("descriptors", 0, ""),
    stage("wire", 0, ""),
    stage("conformance", 0, ""),
    stage("sim", SEEDS_MANY, ""),
];

/// Worlds for a bug that nothing else has found.
const SEEDS_MANY: u32 = 4_000;

/// Seconds of processor time after which a run is looping: the longest takes a tenth of it.
const LOOPING_SECONDS: u32 = 120;

/// Looks, once a second, that find a run with no processor time used since the one before, until
/// it counts as standing still: twice as long as any test waits for anything.
const STILL_MAX: u32 = 60;

static ALONE: Mutex<()> = Mutex::new(());

impl Hunt {
    /// Builds the tests of these names.
    pub(crate) fn new(names: &[&str]) -> Self {
        // A hunt that failed leaves nothing behind that the next one could trip over.
        let alone = ALONE
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut command = Command::new(cargo);
        // What cargo tells a test of its package would pass for another setting: build scripts
        // that look at it would run again, and all that depends on them be built anew.
        for (name, _) in std::env::vars_os() {
            let told = [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_EXE_",
                "LD_LIBRARY_PATH",
            ];
            if told
                .iter()
                .any(|start| name.to_string_lossy().starts_with(start))
            {
                command.env_remove(name);
            }
        }
        let output = command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["test", "--locked", "--no-run", "--features", "planted"])
            .args(["--message-format", "json-render-diagnostics"])
            .args(names.iter().flat_map(|name| target(name)))
            .env_remove("TIDEGATE_PLANTED")
            .output()
            .expect("cargo runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the tests do not build:\n{errors}");
        let messages = String::from_utf8(output.stdout).expect("messages are text");
        let executables: Vec<_> = messages.lines().filter_map(executable).collect();
        for name in names {
            let built = executables.iter().any(|built| built.name == *name);
            assert!(built, "there is no test {name}");
        }
        Self {
            executables,
            _alone: alone,
        }
    }

    /// Asserts that nothing fails while no bug is live.
    pub(crate) fn assert_healthy(&self) {
        let found = self.run(None);
        let said = format!("{found}");
        assert!(found.by.is_none(), "without any bug: {said}");
    }

    /// Goes through the tests until one fails.
    pub(crate) fn find(&self, bug: &str) -> Found {
        self.run(Some(bug))
    }

    fn run(&self, bug: Option<&str>) -> Found {
        let before = children_seconds();
        let mut by = None;
        for stage in ORDER {
            // Without a bug the long search finds nothing that the others do not.
            if bug.is_none() && stage.seeds == SEEDS_MANY {
                continue;
            }
            let mut all = self.executables.iter();
            let built = all.find(|built| built.name == stage.name);
            by = built.and_then(|built| built.failure(bug, &stage));
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
    fn failure(&self, bug: Option<&str>, stage: &Stage) -> Option<(String, String)> {
        let mut arguments = Vec::new();
        if !stage.skip.is_empty() {
            arguments.extend(["--skip", stage.skip]);
        }
        let (told, how) = self.run(bug, stage.seeds, &arguments)?;
        let failed = told
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
            .map(|name| name.trim_end_matches(" - should panic"));
        let said = how.or_else(|| complaint(&told)).unwrap_or_default();
        if stage.seeds > 0 || bug.is_none() || failed.clone().next().is_none() {
            let by = failed.clone().next().unwrap_or("(no test)");
            return Some((format!("{} {by}", self.name), said));
        }
        // Real sockets on a busy machine: it may have been something else. Not twice, though.
        failed.clone().find_map(|name| {
            let (told, how) = self.run(bug, stage.seeds, &["--exact", name])?;
            let said = how.or_else(|| complaint(&told)).unwrap_or_default();
            Some((format!("{} {name}", self.name), said))
        })
    }

    /// Runs it with these arguments. If it fails: what it said, and what was done to it.
    fn run(
        &self,
        bug: Option<&str>,
        seeds: u32,
        arguments: &[&str],
    ) -> Option<(String, Option<String>)> {
        let limited = format!("ulimit -t {LOOPING_SECONDS}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["-c", &limited, &self.path])
            .args(arguments)
            .env_remove("TIDEGATE_PLANTED")
            .env_remove("TIDEGATE_SEED")
            .env("RUST_BACKTRACE", "0");
        if let Some(bug) = bug {
            command.env("TIDEGATE_PLANTED", bug);
        }
        if seeds > 0 {
            command.env("TIDEGATE_SEEDS", seeds.to_string());
            command.env("TIDEGATE_REQUESTS", "0");
        }
        let (output, still) = finished(command);
        if output.status.success() {
            return None;
        }
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let how = match output.status.signal() {
            _ if still => Some("everything stands still".to_owned()),
            Some(_) => Some("it loops for ever".to_owned()),
            None => None,
        };
        Some((told, how))
    }
}

/// Waits for the end; ends what stands still, and says so.
fn finished(mut command: Command) -> (Output, bool) {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell");
    let id = i32::try_from(child.id()).expect("a process id");
    let (tell, told) = mpsc::channel();
    let waiting = thread::spawn(move || {
        let _ = tell.send(child.wait_with_output().expect("a child"));
    });
    let (mut used, mut looks) = (None, 0);
    let result = loop {
        match told.recv_timeout(Duration::from_secs(1)) {
            Ok(output) => break (output, looks > STILL_MAX),
            Err(RecvTimeoutError::Disconnected) => panic!("nobody waits for the child"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = seconds(&format!("/proc/{id}/stat"), OWN);
        looks = if used == now { looks + 1 } else { 0 };
        used = now;
        if looks > STILL_MAX {
            // The group: what the tests have started goes with them.
            let group = rustix::process::Pid::from_raw(id).expect("a process id");
            let _ = kill_process_group(group, rustix::process::Signal::KILL);
            looks = STILL_MAX + 1;
        }
    };
    waiting.join().expect("a thread that only waits");
    result
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
fn complaint(told: &str) -> Option<String> {
    let mut lines = told
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    Some(lines.nth(1)?.chars().take(90).collect())
}

/// How cargo is told to build the tests of that name.
fn target(name: &str) -> Vec<&str> {
    match name {
        LIBRARY => vec!["--lib"],
        other => vec!["--test", other],
    }
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

/// Processor time in a line of proc(5), in user mode and in the kernel together.
fn seconds(path: &str, first: usize) -> Option<f64> {
    let stat = fs::read_to_string(path).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(first).take(2);
    let sum: u32 = ticks.map_while(|ticks| ticks.parse::<u32>().ok()).sum();
    // USER_HZ is 100 on every Linux.
    Some(f64::from(sum) / 100.0)
}

/// Of all children that have ended and were waited for.
fn children_seconds() -> f64 {
    seconds("/proc/self/stat", CHILDREN).expect("Linux tells")
}

/// Where the process's own times stand behind its name: fields 14 and 15 of all.
const OWN: usize = 11;
/// Where those of its children do: fields 16 and 17.
const CHILDREN: usize = 13;
