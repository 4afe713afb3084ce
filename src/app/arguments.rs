//! From the command line to a [`Command`]: which options there are, whose they are, and what was
//! probably meant by those there are not.

pub(super) mod options;

use std::ffi::OsString;
use std::path::PathBuf;

use log::LevelFilter;

use super::ctl;
use super::demo;
use super::explain;
use super::help;
use super::origin;
use super::settings::Settings;
use crate::admin::explain::Question;
use crate::base::time::Span;
use crate::config::Config;
use crate::config::text;
use crate::config::text::Complaint;
use crate::config::words::closest;

use options::Known;
use options::Task;
use options::WORDS;
use options::find;
use options::names;
use options::of;

/// What the program shall do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Balance, or say what that would be.
    Balance(Order),
    /// Show what balancing is like.
    Demo(demo::Options),
    /// Serve as a test server.
    Origin(origin::Options),
    /// Talk to a running one.
    Ctl(ctl::Options),
    /// Explain what would become of a request.
    Explain(Order, Box<Question>),
    /// Explain the command line, in these words.
    Help(String),
    /// Say which version this is.
    Version,
}

/// What shall be done with which configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// What shall be done.
    pub(super) deed: Deed,
    /// The file, if there is one.
    pub(super) file: Option<PathBuf>,
    /// What comes on top of it.
    pub(super) settings: Settings,
}

/// What shall be done with a configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Deed {
    /// Balance.
    #[default]
    Run,
    /// Say what it would do.
    Check,
    /// Print it.
    Print,
}

/// A whole command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What shall be done.
    pub(super) command: Command,
    /// How much is logged, if the line says so.
    pub(super) level: Option<LevelFilter>,
}

/// Reads the arguments, the program's name left out.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Line, Complaint> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut draft = Draft::default();
    while let Some(argument) = parser.next().map_err(misfit)? {
        let known = match argument {
            lexopt::Arg::Value(word) => {
                draft.word(unicode(word)?)?;
                continue;
            }
            lexopt::Arg::Long(name) => find(|known| known.long == name)
                .ok_or_else(|| unknown(&format!("--{name}"), draft.task))?,
            lexopt::Arg::Short(letter) => find(|known| known.short == Some(letter))
                .ok_or_else(|| unknown(&format!("-{letter}"), draft.task))?,
        };
        match known.long {
            "help" => return Ok(draft.closed(Command::Help(draft.help()))),
            "version" => return Ok(draft.closed(Command::Version)),
            _ => {}
        }
        let option = format!("--{}", known.long);
        if known.value.is_empty() {
            draft.flag(known.long)?;
        } else {
            let value = parser.value().map_err(|_| missing(known))?;
            let value = unicode(value)?;
            draft
                .option(known.long, &value)
                .map_err(|complaint| complaint.under(&option))?;
        }
        draft.seen.push(known);
    }
    draft.finish()
}

/// A demo has no token, so nobody else may reach its dashboard.
fn demo_is_local(options: &demo::Options) -> Result<(), Complaint> {
    match &options.admin {
        Some(address) if !address.is_local() => {
            let what = "a demo that others could reach";
            let instead = "write an address of loopback";
            Err(Complaint::new(what, &address.to_string(), instead).under("--admin"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Shorter demos have no time to show anything.
const DEMO_MIN: Span = Span::seconds(1);

/// What the arguments read so far come to.
#[derive(Debug, Default)]
struct Draft {
    task: Task,
    seen: Vec<&'static Known>,
    settings: Settings,
    file: Option<PathBuf>,
    /// What it means depends on the task.
    admin: Option<String>,
    deed: Deed,
    demo: demo::Options,
    origin: origin::Options,
    ctl: ctl::Options,
    explain: explain::Words,
    level: Option<LevelFilter>,
    /// How often -v, less how often -q.
    louder: i32,
}

impl Draft {
    fn help(&self) -> String {
        match self.task {
            Task::Ctl => ctl::help::text(&self.ctl.words),
            Task::Balance | Task::Demo | Task::Origin | Task::Explain => help::TEXT.to_owned(),
        }
    }

    fn word(&mut self, word: String) -> Result<(), Complaint> {
        if self.task == Task::Ctl {
            self.ctl.words.push(word);
            return Ok(());
        }
        if self.task == Task::Explain && self.explain.words.len() < 2 {
            self.explain.words.push(word);
            return Ok(());
        }
        if !matches!(self.task, Task::Balance | Task::Explain) {
            let instead = format!("{} takes options only", self.task.invocation());
            return Err(Complaint::new("a word too many", &word, instead));
        }
        match WORDS.iter().find(|(name, _)| *name == word) {
            Some((_, task)) if self.task == Task::Balance && self.settings.backends.is_empty() => {
                self.task = *task;
            }
            _ => self.settings.backends.push(word),
        }
        Ok(())
    }

    fn flag(&mut self, name: &'static str) -> Result<(), Complaint> {
        match name {
            "insecure-upstream" => self.settings.option(name, "")?,
            "check" => self.deed = Deed::Check,
            "print-config" => self.deed = Deed::Print,
            "headless" => self.demo.headless = true,
            "verbose" => self.louder = self.louder.saturating_add(1),
            "quiet" => self.louder = self.louder.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    fn option(&mut self, name: &'static str, value: &str) -> Result<(), Complaint> {
        match name {
            "config" => self.file = Some(PathBuf::from(value)),
            "for" => self.demo.length = length(value)?,
            "name" => self.origin.name_it(value)?,
            "size" => self.origin.size = Some(text::size(value)?),
            "delay" => self.origin.delay = text::duration(value)?,
            "status" => self.origin.status = status(value)?,
            "token-file" => self.ctl.token_file = Some(PathBuf::from(value)),
            "wait" => self.ctl.wait = Some(text::duration(value)?),
            "from" => self.explain.from = Some(text::address(value)?),
            "log-level" => self.level = Some(level(value)?),
            "admin" => self.admin = Some(value.to_owned()),
            _ => self.settings.option(name, value)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Line, Complaint> {
        let foreign = |known: &&&Known| !known.tasks.contains(&self.task);
        if let Some(known) = self.seen.iter().find(foreign) {
            let place = format!("--{}", known.long);
            let instead = format!("{} takes {}", self.task.invocation(), names(self.task));
            return Err(Complaint::new(
                "an option of another command",
                &place,
                instead,
            ));
        }
        if let Some(value) = self.admin.take() {
            let read = if self.task == Task::Ctl {
                ctl::Target::read(&value).map(|target| self.ctl.admin = Some(target))
            } else {
                self.settings.option("admin", &value)
            };
            read.map_err(|complaint| complaint.under("--admin"))?;
        }
        let command = match self.task {
            Task::Balance => Command::Balance(self.balance()?),
            Task::Demo => {
                self.demo.admin = self.settings.admin().cloned();
                demo_is_local(&self.demo)?;
                Command::Demo(self.demo.clone())
            }
            Task::Ctl => {
                self.ctl.from = self.explain.from;
                self.ctl.check()?;
                Command::Ctl(self.ctl.clone())
            }
            Task::Explain => {
                let question = Box::new(self.explain.question()?);
                Command::Explain(self.balance()?, question)
            }
            Task::Origin => {
                self.origin.listen_at(self.settings.listeners())?;
                Command::Origin(self.origin.clone())
            }
        };
        Ok(self.closed(command))
    }

    fn balance(&mut self) -> Result<Order, Complaint> {
        for word in &self.settings.backends {
            if let Some(instead) = command(word) {
                return Err(Complaint::new("not a backend", word, instead));
            }
        }
        if self.file.is_none() {
            // Complaints about what is said here come before everything else.
            self.settings.over(Config::default())?;
        }
        Ok(Order {
            deed: self.deed,
            file: self.file.take(),
            settings: std::mem::take(&mut self.settings),
        })
    }

    /// The level: what was asked for, else the task's own, louder or quieter by so many steps.
    fn closed(&self, command: Command) -> Line {
        let usual: Option<i32> = match self.task {
            Task::Balance if self.louder == 0 => None,
            Task::Balance | Task::Origin | Task::Ctl | Task::Explain => Some(3),
            // The demo tells its story itself.
            Task::Demo => Some(1),
        };
        let steps = |usual: i32| match usual.saturating_add(self.louder) {
            ..=1 => LevelFilter::Error,
            2 => LevelFilter::Warn,
            3 => LevelFilter::Info,
            4 => LevelFilter::Debug,
            5.. => LevelFilter::Trace,
        };
        let level = self.level.or_else(|| usual.map(steps));
        Line { command, level }
    }
}

fn level(value: &str) -> Result<LevelFilter, Complaint> {
    match value {
        "error" => Ok(LevelFilter::Error),
        "warn" => Ok(LevelFilter::Warn),
        "info" => Ok(LevelFilter::Info),
        "debug" => Ok(LevelFilter::Debug),
        "trace" => Ok(LevelFilter::Trace),
        _ => {
            let instead = "write error, warn, info, debug or trace";
            Err(Complaint::new("not a log level", value, instead))
        }
    }
}

fn length(value: &str) -> Result<Span, Complaint> {
    let length = text::duration(value)?;
    if length < DEMO_MIN {
        let instead = format!("write {DEMO_MIN} or more");
        return Err(Complaint::new("too short for a demo", value, instead));
    }
    Ok(length)
}

fn status(value: &str) -> Result<u16, Complaint> {
    let status = value.parse().ok();
    status
        .filter(|status| (200..=599).contains(status) && value.len() == 3)
        .ok_or_else(|| Complaint::new("not a status", value, "write a number from 200 to 599"))
}

fn unicode(word: OsString) -> Result<String, Complaint> {
    word.into_string().map_err(|word| {
        let shown = word.to_string_lossy();
        Complaint::new("not Unicode", &shown, "write it in UTF-8")
    })
}

fn missing(known: &Known) -> Complaint {
    let place = format!("--{}", known.long);
    let instead = format!("write {place} {}", known.value);
    Complaint::new("a missing value", &place, instead)
}

/// What lexopt itself finds wrong.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other errors come from parts of lexopt that are not used here"
)]
fn misfit(error: lexopt::Error) -> Complaint {
    match error {
        lexopt::Error::UnexpectedValue { option, value } => {
            let value = value.to_string_lossy();
            let instead = format!("write {option} alone");
            Complaint::new("a value too many", &format!("{option}={value}"), instead)
        }
        other => Complaint::new("bad arguments", &other.to_string(), "see tidegate --help"),
    }
}

fn unknown(option: &str, task: Task) -> Complaint {
    let meant = option
        .strip_prefix("--")
        .and_then(|name| closest(name, of(task).map(|known| known.long)));
    let help = match task {
        Task::Ctl => "tidegate ctl --help",
        Task::Balance | Task::Demo | Task::Origin | Task::Explain => "tidegate --help",
    };
    let instead = meant.map_or_else(
        || format!("{help} lists all there are"),
        |meant| format!("did you mean --{meant}?"),
    );
    Complaint::new("unknown option", option, instead)
}

/// What was meant by a word in the place of a backend: a command, or one of ctl's.
fn command(word: &str) -> Option<String> {
    if word.contains([':', '.']) {
        return None;
    }
    if let Some(meant) = closest(word, WORDS.iter().map(|(name, _)| *name)) {
        return Some(if meant == word {
            "put it first, without backends".to_owned()
        } else {
            format!("did you mean tidegate {meant}?")
        });
    }
    let meant = closest(word, ctl::verbs())?;
    Some(format!("did you mean tidegate ctl {meant}?"))
}

#[cfg(test)]
mod tests;
