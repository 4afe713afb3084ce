//! What stands behind the command line: the balancer itself, a test server, and a demo of both.
//!
//! Layer 5, the top: builds what the other rooms offer and lets it run. `main` calls [`run`];
//! nobody below may import anything from here.

mod arguments;
mod balance;
pub mod demo;
mod help;
mod load;
mod logging;
pub mod origin;

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use crate::engine::kernel::Kernel;
use crate::engine::kernel::News;
use crate::os::MioKernel;
use arguments::Command;
use arguments::Line;

/// Does what the arguments, the program's name left out, say. Every error is one line on stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended = arguments::parse(arguments)
        .map_err(|complaint| Failure::usage(&complaint))
        .and_then(obey);
    let exit = ended.unwrap_or_else(|failure| {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(std::io::stderr(), "tidegate: {}", failure.line);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Clean = 0,
    /// It could not, for a reason outside of its arguments.
    Failed = 1,
    /// The arguments, or a file they name, are wrong.
    Usage = 2,
    /// It was asked to end, and connections were cut when the time to end was over.
    Cut = 3,
}

/// Why the program could not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    line: String,
}

impl Failure {
    /// The arguments are wrong.
    fn usage(what: &impl fmt::Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Something outside is wrong.
    fn run_time(what: &impl fmt::Display) -> Self {
        Self::new(Exit::Failed, what)
    }

    /// One line, whatever the words of the system and of libraries contain.
    fn new(exit: Exit, what: &impl fmt::Display) -> Self {
        let what = what.to_string();
        let words: Vec<&str> = what.lines().collect();
        Self {
            exit,
            line: words.join(" "),
        }
    }
}

fn obey(line: Line) -> Result<Exit, Failure> {
    let Line { command, level } = line;
    logging::start(level);
    match command {
        Command::Balance(config) => balance::run(config),
        Command::Demo(options) => demo::run(&options),
        Command::Origin(options) => serve(options),
        Command::Help => Ok(say(help::TEXT)),
        Command::Version => Ok(say(concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n"))),
    }
}

fn say(text: &str) -> Exit {
    // A reader that has seen enough is no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Exit::Clean
}

/// Runs an origin until somebody asks it to end.
fn serve(options: origin::Options) -> Result<Exit, Failure> {
    let mut kernel = kernel_with_signals()?;
    descriptors();
    let name = options.name.clone();
    let at = options.listen;
    let mut origin = origin::Origin::new(options, &mut kernel).map_err(|error| {
        Failure::run_time(&format!(
            "cannot listen on {at}: {error}; choose another --listen"
        ))
    })?;
    log::info!("origin {name} listening on {}", origin.address());
    loop {
        origin.turn(&mut kernel, None);
        while let Some(news) = kernel.news() {
            if matches!(news, News::Stop | News::Quit) {
                return Ok(Exit::Clean);
            }
        }
    }
}

fn kernel() -> Result<MioKernel, Failure> {
    MioKernel::new().map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n)";
        Failure::run_time(&format!("cannot wait for events: {error}; {advice}"))
    })
}

fn kernel_with_signals() -> Result<MioKernel, Failure> {
    let mut kernel = kernel()?;
    kernel.watch_signals().map_err(|error| {
        let advice = "raise the limit on open files (ulimit -n)";
        Failure::run_time(&format!("cannot catch signals: {error}; {advice}"))
    })?;
    Ok(kernel)
}

/// Raises the limit on descriptors as far as it goes; answers how many there may be.
fn descriptors() -> u64 {
    crate::os::raise_descriptor_limit().unwrap_or_else(|error| {
        log::warn!("the limit on open files stays what it is: {error}");
        u64::MAX
    })
}
