//! How a test starts pvm: never with the state directory of the machine that the test runs on.

#![allow(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    reason = "shared by several tests, which use parts of it and run programs"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The binary under test.
pub const PVM: &str = env!("CARGO_BIN_EXE_pvm");

/// Pvm with `place` as its working directory, with its state in a directory below it, and without the caller's settings.
pub fn pvm(place: &Path) -> Command {
    let mut command = Command::new(PVM);
    command.current_dir(place).env("STATE_DIRECTORY", place.join("state"));
    command.env_remove("XDG_STATE_HOME").env_remove("LIBVIRT_DEFAULT_URI");
    command
}

/// A shell that runs this script with the arguments that follow, where the descriptors of pvm are not those of a pipe; with the
/// same state as [`pvm`].
pub fn shell(place: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).current_dir(place).env("STATE_DIRECTORY", place.join("state"));
    command.env_remove("XDG_STATE_HOME").env_remove("LIBVIRT_DEFAULT_URI");
    command
}

/// Writes a program for a test. Another process does the writing: a file that this one has open for it may be inherited by
/// a child of another thread for a moment, and then it cannot be executed (`Text file busy`).
#[track_caller]
pub fn executable(path: &Path, text: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
    let mut shell = shell.spawn().expect("a shell starts");
    // Dropped at the end of the statement, which is the end of the text.
    shell.stdin.take().expect("it was piped").write_all(text.as_bytes()).expect("the shell reads");
    assert!(shell.wait().expect("it is a child").success(), "{} was not written", path.display());
}
