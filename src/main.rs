//! The program: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::app::run(std::env::args_os().skip(1))
}
