//! The `pvm` binary: parse, run, turn the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    pvm::main(std::env::args_os()).into()
}
