//! The table of fault × phase × outcome, out of the rows that the fault tests of this run have reported: `make faults` and
//! `make test` start it after them. It is printed; `FAULT_TABLE=FILE` has it written as well.

#![cfg(debug_assertions)]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads files and stops at the first surprise"
)]

#[path = "two-hosts/faults.rs"]
mod faults;
#[path = "two-hosts/harness.rs"]
mod harness;
mod program;

use std::io::Write as _;

/// The programs whose tests inject faults.
const PROGRAMS: [&str; 2] = [include_str!("two_hosts_faults.rs"), include_str!("two_hosts_recover.rs")];

/// Tests among them that inject none.
const WITHOUT: [&str; 1] = ["what_each_host_wrote_about_a_guest_is_read_where_it_is"];

/// The names of a program's tests.
fn tests(program: &str) -> impl Iterator<Item = &str> {
    let functions = program.split("#[test]\n").skip(1);
    functions.filter_map(|text| text.strip_prefix("fn ")?.split_once('(')).map(|(name, _)| name)
}

#[test]
#[ignore = "the last of `make faults`: it is about the tests before it"]
fn every_fault_test_of_this_run_is_in_the_table() {
    let rows = faults::rows();
    let table = faults::markdown(&rows);
    // Not by print!, which a passing test does not show.
    write!(std::io::stdout(), "\n{table}\n").unwrap();
    if let Some(file) = std::env::var_os("FAULT_TABLE") {
        std::fs::write(file, &table).unwrap();
    }
    let all: Vec<_> = PROGRAMS.into_iter().flat_map(tests).filter(|name| !WITHOUT.contains(name)).collect();
    assert!(all.len() > 10, "the fault tests were not found: {all:?}");
    let silent: Vec<_> = all.into_iter().filter(|name| rows.iter().all(|row| row.test != **name)).collect();
    assert_eq!(silent, Vec::<&str>::new(), "failed, left out, or without a row; all of them: make faults");
}
