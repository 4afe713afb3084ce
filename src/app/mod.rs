//! The program around the engine: the command line, the log, the sub-commands, exit codes.
//!
//! Layer 5. Only `main` calls it. Whatever goes wrong here is told in one line: what, where, and
//! what to do instead.

mod arguments;
mod balance;
mod help;
mod logging;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Command;

/// Why the program ends, by exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A clean stop.
    Clean = 0,
    /// A failure at run time: an address that cannot be listened on, a name nobody knows.
    Failure = 1,
    /// The command line cannot be followed.
    Usage = 2,
    /// Clients were cut off when the program had to stop.
    Cut = 3,
}

/// An exit code and the line that explains it.
#[derive(Debug)]
pub(crate) struct Trouble {
    exit: Exit,
    line: String,
}

impl Trouble {
    /// The command line cannot be followed.
    pub(crate) fn usage(line: impl std::fmt::Display) -> Self {
        Self {
            exit: Exit::Usage,
            line: line.to_string(),
        }
    }

    /// It could be followed, but the world is not so.
    pub(crate) fn failure(line: impl std::fmt::Display) -> Self {
        Self {
            exit: Exit::Failure,
            line: line.to_string(),
        }
    }
}

/// Does what the command line says. `arguments` begins with the first one after the program's
/// name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match obey(arguments) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(Trouble { exit, line }) => {
            eprintln!("tidegate: {line}");
            ExitCode::from(exit as u8)
        }
    }
}

fn obey(arguments: impl IntoIterator<Item = OsString>) -> Result<Exit, Trouble> {
    match arguments::parse(arguments)? {
        Command::Help => print!("{}", help::text()),
        Command::Version => println!("tidegate {}", env!("CARGO_PKG_VERSION")),
        Command::Balance(config, level) => {
            logging::start(level);
            return balance::run(*config);
        }
    }
    Ok(Exit::Clean)
}
