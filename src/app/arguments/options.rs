//! Which options there are, whose they are, and which words choose another command. Asked by the
//! reader of the command line.

/// An option.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::app) struct Known {
    pub(in crate::app) short: Option<char>,
    pub(in crate::app) long: &'static str,
    /// What its value is called; empty if it takes none.
    pub(in crate::app) value: &'static str,
    pub(in crate::app) tasks: &'static [Task],
}

/// The things the program can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::app) enum Task {
    #[default]
    Balance,
    Demo,
    Origin,
    Ctl,
    Explain,
}

impl Task {
    pub(in crate::app) const fn invocation(self) -> &'static str {
        match self {
            Self::Balance => "tidegate",
            Self::Demo => "tidegate demo",
            Self::Origin => "tidegate origin",
            Self::Ctl => "tidegate ctl",
            Self::Explain => "tidegate explain",
        }
    }
}

const fn known(
    short: Option<char>,
    long: &'static str,
    value: &'static str,
    tasks: &'static [Task],
) -> Known {
    Known {
        short,
        long,
        value,
        tasks,
    }
}

const BALANCE: &[Task] = &[Task::Balance, Task::Explain];
const DEEDS: &[Task] = &[Task::Balance];
const ORIGIN: &[Task] = &[Task::Origin];
const DEMO: &[Task] = &[Task::Demo];
const CTL: &[Task] = &[Task::Ctl];
const ALL: &[Task] = &[
    Task::Balance,
    Task::Demo,
    Task::Origin,
    Task::Ctl,
    Task::Explain,
];

pub(in crate::app) const OPTIONS: &[Known] = &[
    known(
        Some('l'),
        "listen",
        "ADDR",
        &[Task::Balance, Task::Explain, Task::Origin],
    ),
    known(Some('m'), "mode", "http|tcp", BALANCE),
    known(
        Some('a'),
        "admin",
        "ADDR",
        &[Task::Balance, Task::Demo, Task::Explain, Task::Ctl],
    ),
    known(None, "from", "IP", &[Task::Explain, Task::Ctl]),
    known(None, "token-file", "FILE", CTL),
    known(None, "wait", "DUR", CTL),
    known(Some('c'), "config", "FILE", BALANCE),
    known(None, "check", "", DEEDS),
    known(None, "print-config", "", DEEDS),
    known(None, "probe", "tcp|off", BALANCE),
    known(None, "interval", "DUR", BALANCE),
    known(None, "rise", "N", BALANCE),
    known(Some('w'), "workers", "N|auto", BALANCE),
    known(None, "fall", "N", BALANCE),
    known(None, "timeout-connect", "DUR", BALANCE),
    known(None, "timeout-response", "DUR", BALANCE),
    known(None, "tls-cert", "FILE", BALANCE),
    known(None, "tls-key", "FILE", BALANCE),
    known(None, "upstream-ca", "FILE", BALANCE),
    known(None, "insecure-upstream", "", BALANCE),
    known(None, "access-log", "FORMAT[:FILE]", BALANCE),
    known(None, "for", "DUR", DEMO),
    known(None, "headless", "", DEMO),
    known(None, "name", "NAME", ORIGIN),
    known(None, "size", "SIZE", ORIGIN),
    known(None, "delay", "DUR", ORIGIN),
    known(None, "status", "CODE", ORIGIN),
    known(Some('v'), "verbose", "", ALL),
    known(Some('q'), "quiet", "", ALL),
    known(None, "log-level", "LEVEL", ALL),
    known(Some('V'), "version", "", ALL),
    known(Some('h'), "help", "", ALL),
];

/// Words in the place of a backend that choose another task.
pub(in crate::app) const WORDS: &[(&str, Task)] = &[
    ("demo", Task::Demo),
    ("origin", Task::Origin),
    ("ctl", Task::Ctl),
    ("explain", Task::Explain),
];

pub(in crate::app) fn find(test: impl Fn(&Known) -> bool) -> Option<&'static Known> {
    OPTIONS.iter().find(|known| test(known))
}

/// The options of a task.
pub(in crate::app) fn of(task: Task) -> impl Iterator<Item = &'static Known> {
    OPTIONS
        .iter()
        .filter(move |known| known.tasks.contains(&task))
}

/// The names of the options of a task, in words.
pub(in crate::app) fn names(task: Task) -> String {
    let names: Vec<String> = of(task).map(|known| format!("--{}", known.long)).collect();
    names.join(", ")
}
