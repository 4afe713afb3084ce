//! The program: everything is in the library, so that tests can reach it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::app::run(std::env::args_os().skip(1))
}
