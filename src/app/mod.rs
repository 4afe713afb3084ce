//! What stands behind the command line: the balancer itself, a test server, and a demo of both.
//!
//! Layer 5, the top: builds what the other rooms offer and lets it run. `main` calls [`run`];
//! nobody below may import anything from here.

mod arguments;
mod balance;
mod check;
mod circle;
mod configuration;
mod ctl;
pub mod demo;
mod exit;
mod explain;
mod help;
mod identity;
mod lint;
mod load;
mod logging;
mod number;
pub mod origin;
mod places;
mod process;
mod reload;
mod settings;
mod workers;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::config::print;
use crate::engine::kernel::Kernel;
use crate::engine::kernel::News;
use arguments::Command;
use arguments::Deed;
use arguments::Line;
use arguments::Order;
use exit::Exit;
use exit::Failure;
use lint::Machine;
use log::LevelFilter;
use process::descriptors;
use process::kernel_with_signals;

/// Does what the arguments, the program's name left out, say. Every error is one line on stderr.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let ended = arguments::parse(arguments)
        .map_err(|complaint| Failure::usage(&complaint))
        .and_then(obey);
    let exit = ended.unwrap_or_else(|failure| {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(std::io::stderr(), "{}", failure.line);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

fn obey(line: Line) -> Result<Exit, Failure> {
    let Line { command, level } = line;
    if let Command::Balance(order) = &command {
        return balance(order, level);
    }
    let _log = logging::start(level.unwrap_or(LevelFilter::Info));
    match command {
        Command::Balance(_) => Ok(Exit::Clean),
        Command::Demo(options) => demo::run(&options),
        Command::Origin(options) => serve(options),
        Command::Ctl(options) => ctl::run(&options),
        Command::Explain(order, question) => explain::run(&question, &configuration::load(&order)?),
        Command::Help(text) => Ok(say(&text)),
        Command::Version => Ok(say(concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n"))),
    }
}

/// Balances, or says what that would be.
fn balance(order: &Order, level: Option<LevelFilter>) -> Result<Exit, Failure> {
    let mut loaded = configuration::load(order)?;
    match order.deed {
        Deed::Run => {
            let config = &mut loaded.config;
            config.log_level = level.map_or(config.log_level, logging::word);
            let _log = logging::start(level.unwrap_or_else(|| logging::level(config.log_level)));
            for line in lint::grave(&loaded) {
                log::warn!("{line}");
            }
            let config = &loaded.config;
            let read = reload::reader(order.clone(), level, config);
            match config.workers {
                0 | 1 => balance::run(loaded, read),
                _ => workers::run(loaded, read),
            }
        }
        Deed::Check => {
            let warnings = balance::prepare(&loaded)?;
            Ok(say(&check::words(&loaded, Machine::here(), &warnings)))
        }
        Deed::Print => Ok(say(&format!("{}{MORE}", print::print(&loaded.config)))),
    }
}

/// The end of a printed configuration: it has no keys that are unset and have no default.
const MORE: &str = "\n# every key, also those without a default: docs/configuration.md\n";

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
