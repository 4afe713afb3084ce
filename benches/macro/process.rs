//! Child processes: started where they belong, measured by `/proc`, and killed with all their own
//! children whatever happens.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process_group;

use crate::processors;

/// A process of ours, with a group of its own.
pub(crate) struct Process {
    child: Child,
    log: Receiver<String>,
}

impl Process {
    /// Starts it on a processor.
    pub(crate) fn start(command: &mut Command, processor: usize) -> io::Result<Self> {
        // A child inherits the processors of the thread that starts it: this one has no others
        // to start later.
        processors::bind(processor);
        let (reader, writer) = io::pipe()?;
        command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = command.spawn()?;
        // Our own ends of the pipe, so that it ends with the child.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (sender, log) = channel();
        thread::spawn(move || {
            // To its end, even if nobody listens: a full pipe would stop the program.
            for line in BufReader::new(reader).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, log })
    }

    /// The next line that it says, or nothing if it is silent for that long; an error once it has
    /// ended.
    pub(crate) fn line(&self, patience: Duration) -> Result<Option<String>, String> {
        match self.log.recv_timeout(patience) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err("it has ended".to_owned()),
        }
    }

    /// Its number and those of its children and theirs.
    pub(crate) fn tree(&self) -> Vec<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok());
        for number in numbers {
            let text = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            // The name, in brackets, may hold anything; behind it are the state and the parent.
            let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
            if let Some(Ok(parent)) = behind.split_whitespace().nth(1).map(str::parse) {
                children.entry(parent).or_default().push(number);
            }
        }
        let mut tree = vec![self.child.id()];
        let mut at = 0;
        while let Some(number) = tree.get(at) {
            tree.extend(children.remove(number).unwrap_or_default());
            at += 1;
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It fails if everybody has gone already, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Nanoseconds that these processes have run, their threads together, by the scheduler's own
/// count; where the system does not keep it, by the clock ticks of `/proc/PID/stat`.
pub(crate) fn processor_time(processes: &[u32]) -> u64 {
    processes.iter().map(|process| time_of(*process)).sum()
}

fn time_of(process: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    let tasks = tasks.into_iter().flatten().flatten();
    let run = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    let run = run.filter_map(|text| text.split(' ').next()?.parse::<u64>().ok());
    match run.sum() {
        0 => ticks_of(process).unwrap_or(0) * NANOSECONDS_PER_TICK,
        run => run,
    }
}

fn ticks_of(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, behind) = text.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Bytes of memory that these processes have: what they share counts once (PSS), or where that is
/// not told, whole for each (RSS).
pub(crate) fn memory(processes: &[u32]) -> u64 {
    let of = |process: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"));
        let status = || fs::read_to_string(format!("/proc/{process}/status"));
        let shared = rollup.ok().and_then(|text| kib(&text, "Pss:"));
        shared.or_else(|| kib(&status().ok()?, "VmRSS:"))
    };
    processes.iter().filter_map(of).sum::<u64>() * 1024
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Linux tells programs of 100 ticks a second, whatever its own are.
const NANOSECONDS_PER_TICK: u64 = 10_000_000;
