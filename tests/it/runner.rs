//! `tests/run`, with a stub in the place of cargo: what fails does not end the run, is counted, and is the end's exit code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program;

/// Runs the fault groups, each of which is this shell text; gives the exit code and the lines after the groups' own.
fn run(home: &Path, group: &str) -> (Option<i32>, Vec<String>) {
    let cargo = home.join("cargo");
    program::executable(&cargo, &format!("#!/bin/sh\ncase $* in *--no-run*) exit ;; esac\n{group}\n"));
    let mut run = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run"));
    run.arg("faults").env("CARGO", cargo).env("HOME", home);
    let output = run.env_remove("STATE_DIRECTORY").env_remove("XDG_STATE_HOME").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, summary) = text.rsplit_once("\n\n").unwrap();
    (output.status.code(), summary.lines().map(str::to_owned).collect())
}

fn ends_as(group: &str, code: i32, first: &str, last: &str) {
    let home = tempfile::tempdir().unwrap();
    let (exit, lines) = run(home.path(), group);
    assert_eq!(exit, Some(code), "{lines:#?}");
    assert!(lines[0].starts_with(first), "{lines:#?}");
    assert!(lines[2].starts_with("two hosts: table: "), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), last, "{lines:#?}");
}

const GOOD: &str = "echo 'running 4 tests'; echo 'test result: ok. 4 passed; 0 failed; 0 ignored'";

#[test]
fn what_passes_is_counted_and_is_exit_code_0() {
    ends_as(GOOD, 0, "two hosts: faults: 4 passed, 0 failed, ", "12 passed, 0 failed");
}

#[test]
fn what_fails_is_counted_and_the_other_groups_still_run() {
    let bad = "case $* in *faults*) echo 'running 3 tests'; echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored'; \
               exit 101 ;; esac";
    let group = format!("{bad}\n{GOOD}");
    ends_as(&group, 1, "two hosts: faults: 1 passed, 2 failed, ", "9 passed, 2 failed");
}

#[test]
fn a_group_that_ends_before_its_tests_do_has_failed() {
    let crash = format!("case $* in *faults*) echo 'running 3 tests'; exit 134 ;; esac\n{GOOD}");
    ends_as(&crash, 1, "two hosts: faults: 0 passed, 1 failed, ", "8 passed, 1 failed");
    // Nor is no test at all a success.
    let empty = format!("case $* in *faults*) exit ;; esac\n{GOOD}");
    ends_as(&empty, 1, "two hosts: faults: 0 passed, 1 failed, ", "8 passed, 1 failed");
}

#[test]
fn a_test_that_touches_the_state_directory_of_the_machine_is_a_failure() {
    let touch = format!("mkdir -p \"$HOME/.local/state/pvm/locks\"\n{GOOD}");
    ends_as(&touch, 1, "two hosts: faults: 4 passed, 0 failed, ", "12 passed, 1 failed");
}

#[test]
fn every_module_of_tests_with_two_hosts_is_in_a_group() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let runner = fs::read_to_string(here.join("tests/run")).unwrap();
    let words: Vec<&str> = runner.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let files = fs::read_dir(here.join("tests/it/two_hosts")).unwrap().map(|entry| entry.unwrap().path());
    let modules: Vec<PathBuf> =
        files.filter(|path| fs::read_to_string(path).unwrap().lines().any(|line| line == "#[test]")).collect();
    assert!(modules.len() > 3, "the modules were not found: {modules:?}");
    let left: Vec<_> =
        modules.iter().filter(|path| !words.contains(&path.file_stem().unwrap().to_str().unwrap())).collect();
    assert!(left.is_empty(), "`make test` does not run {left:?}");
}
