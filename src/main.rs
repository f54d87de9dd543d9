//! The `pvm` binary: parse, run, turn the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    pvm::commands::main(std::env::args_os()).into()
}
