//! The table of fault × phase × outcome, out of the rows that the fault tests of this run have reported: `make faults` and
//! `make test` start it after them. It is printed; `FAULT_TABLE=FILE` has it written as well.

use std::io::Write as _;

use super::outcome;

/// The modules whose tests inject faults.
const MODULES: [&str; 2] = [include_str!("faults.rs"), include_str!("recover.rs")];

/// Tests among them that inject none.
const WITHOUT: [&str; 1] = ["what_each_host_wrote_about_a_guest_is_read_where_it_is"];

/// The names of a module's tests.
fn tests(module: &str) -> impl Iterator<Item = &str> {
    let functions = module.split("#[test]\n").skip(1);
    functions.filter_map(|text| text.strip_prefix("fn ")?.split_once('(')).map(|(name, _)| name)
}

#[test]
#[ignore = "the last of `make faults`: it is about the tests before it"]
fn every_fault_test_of_this_run_is_in_the_table() {
    let rows = outcome::rows();
    let table = outcome::markdown(&rows);
    // Not by print!, which a passing test does not show.
    write!(std::io::stdout(), "\n{table}\n").unwrap();
    if let Some(file) = std::env::var_os("FAULT_TABLE") {
        std::fs::write(file, &table).unwrap();
    }
    let all: Vec<_> = MODULES.into_iter().flat_map(tests).filter(|name| !WITHOUT.contains(name)).collect();
    assert!(all.len() > 10, "the fault tests were not found: {all:?}");
    let silent: Vec<_> = all.into_iter().filter(|name| rows.iter().all(|row| row.test != **name)).collect();
    assert_eq!(silent, Vec::<&str>::new(), "failed, left out, or without a row; all of them: make faults");
}
