//! The program as a child process: its log line by line, its signals, its exit code.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use crate::PATIENCE;
use crate::client::Client;
use crate::process::Process;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidegate");

/// A running balancer. It is killed when this goes.
#[derive(Debug)]
pub(crate) struct Binary {
    child: Child,
    log: Receiver<String>,
    /// What was logged so far, for messages about failures.
    seen: Vec<String>,
    /// Up to here [`Binary::wait_for`] has looked.
    looked: usize,
    addresses: Vec<SocketAddr>,
}

impl Binary {
    /// Starts it with a listener on a free port of 127.0.0.1, and waits until it listens.
    #[track_caller]
    pub(crate) fn start<S: AsRef<str>>(arguments: &[S]) -> Self {
        Self::started(Command::new(PROGRAM), arguments)
    }

    /// Starts it with a configuration file, and waits until every listener listens.
    #[track_caller]
    pub(crate) fn start_with_file(path: &str) -> Self {
        let listeners = std::fs::read_to_string(path).expect("a file");
        let count = listeners.matches("[[listener]]").count();
        let files = listeners.matches("listen = \"unix:").count();
        let mut binary = Self::spawned(Command::new(PROGRAM), &["--config", path]);
        for _ in 0..count - files {
            binary.note_address("listening on ");
        }
        for _ in 0..files {
            binary.wait_for("listening on unix:");
        }
        binary
    }

    /// The same for a program that may have no more than so many descriptors open.
    #[track_caller]
    pub(crate) fn start_with_descriptors<S: AsRef<str>>(count: u32, arguments: &[S]) -> Self {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
        command.args(["-c", &script, PROGRAM]);
        Self::started(command, arguments)
    }

    #[track_caller]
    fn started<S: AsRef<str>>(mut command: Command, arguments: &[S]) -> Self {
        command.args(["--listen", "127.0.0.1:0"]);
        let mut binary = Self::spawned(command, arguments);
        binary.note_address("listening on 127.0.0.1:");
        binary
    }

    /// Takes the address out of the next line that names one.
    #[track_caller]
    fn note_address(&mut self, text: &str) {
        let line = self.wait_for(text);
        let (_, after) = line.split_once("listening on ").expect("just found");
        let address = after.split(' ').next().unwrap_or_default();
        self.addresses
            .push(address.parse().expect("an address in the log"));
    }

    /// The same with its standard output as a pipe that nobody reads yet.
    #[track_caller]
    pub(crate) fn start_with_stdout<S: AsRef<str>>(arguments: &[S]) -> (Self, ChildStdout) {
        let mut command = Command::new(PROGRAM);
        command.args(["--listen", "127.0.0.1:0"]);
        let mut binary = Self::spawned_to(command, arguments, Stdio::piped());
        binary.note_address("listening on 127.0.0.1:");
        let stdout = binary.child.stdout.take().expect("it was asked for");
        (binary, stdout)
    }

    #[track_caller]
    fn spawned<S: AsRef<str>>(command: Command, arguments: &[S]) -> Self {
        Self::spawned_to(command, arguments, Stdio::null())
    }

    #[track_caller]
    fn spawned_to<S: AsRef<str>>(mut command: Command, arguments: &[S], stdout: Stdio) -> Self {
        let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
        let mut child = command
            .args(&arguments)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = child.stderr.take().expect("it was asked for");
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            log,
            seen: Vec::new(),
            looked: 0,
            addresses: Vec::new(),
        }
    }

    /// Where it listens first.
    #[track_caller]
    pub(crate) fn address(&self) -> SocketAddr {
        *self.addresses.first().expect("it listens")
    }

    /// Where it listens, in the order of the configuration.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What the system tells about it.
    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// A new connection to it.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address())
    }

    /// The next line with `text` in it; lines before it are not looked at again.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        loop {
            while self.looked < self.seen.len() {
                self.looked += 1;
                if self.seen[self.looked - 1].contains(text) {
                    return self.seen[self.looked - 1].clone();
                }
            }
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(why) => panic!("no {text:?} in the log ({why}):\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Whether that is in a line that was looked at, like those before it listened.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.seen.iter().any(|line| line.contains(text))
    }

    /// All lines with `text` in them that were read so far.
    pub(crate) fn lines(&self, text: &str) -> Vec<&str> {
        let lines = self.seen.iter().map(String::as_str);
        lines.filter(|line| line.contains(text)).collect()
    }

    /// Sends a signal by name: `"TERM"`.
    #[track_caller]
    pub(crate) fn signal(&self, name: &str) {
        kill(self.child.id(), name);
    }

    /// Waits for it to end; its exit code, or `None` if a signal killed it.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        // The log ends with the process.
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("still running:\n{}", self.seen.join("\n"))
                }
            }
        }
        self.child.wait().expect("our own child").code()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            self.seen.extend(self.log.iter());
            eprintln!("the program's log:\n{}", self.seen.join("\n"));
        }
    }
}

/// How a run ended that was expected to end by itself.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program to its end.
#[track_caller]
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    let child = Command::new(PROGRAM)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let number = child.id();
    let (sender, ended) = channel();
    let waiter = thread::spawn(move || {
        let output = child.wait_with_output();
        // Nobody listens any more after the time limit.
        let _ = sender.send(());
        output
    });
    let timely = ended.recv_timeout(PATIENCE).is_ok();
    if !timely {
        kill(number, "KILL");
    }
    let output = waiter.join().expect("the waiter only waits");
    let output = output.expect("our own child");
    let outcome = Outcome {
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert!(timely, "{arguments:?} did not end: {outcome:?}");
    outcome
}

pub(crate) fn kill(process: u32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), process.to_string()])
        .status();
    assert!(status.expect("kill(1)").success(), "no process {process}");
}
