//! The program: hands its arguments over and ends with the code that comes back.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::app::run(std::env::args_os().skip(1))
}
