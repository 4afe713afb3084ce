//! The program around the engine: the command line, the log, the sub-commands, exit codes.
//!
//! Layer 5. Only `main` calls it. Whatever goes wrong here is told in one line: what, where, and
//! what to do instead.

mod arguments;
mod balance;
mod exit;
mod help;
mod logging;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::Command;
use exit::Exit;
use exit::Trouble;

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
