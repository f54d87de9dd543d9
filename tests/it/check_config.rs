//! Transcripts of `pvm check-config`: every finding shown once, and the corrected file passing. The files of
//! `tests/cmd/check-config` are read as [`cases`] says; the first command of a case that is named like a finding must show
//! it, the last must not and must end well.

use crate::cases::{self, Case};

fn codes() -> Vec<&'static str> {
    let lints = pvm::nova::lints::LINTS.iter().map(|lint| lint.rule.code);
    pvm::nova::RULES.iter().flat_map(|list| list.iter()).map(|rule| rule.code).chain(lints).collect()
}

#[test]
fn transcripts_are_as_written() {
    cases::print_what_is_written("check-config", |case, outputs| {
        if codes().contains(&case.name.as_str()) {
            let shown = format!("[{}]", case.name);
            let (first, last) = (&outputs[0], outputs.last().unwrap());
            assert!(case.runs.len() > 1, "{}: no corrected file", case.name);
            assert!(first.contains(&shown), "{} is not shown:\n{first}", case.name);
            assert!(!last.contains(&shown) && last.starts_with("exit 0\n"), "{} is still there:\n{last}", case.name);
        }
    });
}

#[test]
fn every_finding_has_a_transcript() {
    let named: Vec<String> = Case::all("check-config").into_iter().map(|case| case.name).collect();
    let missing: Vec<_> = codes().into_iter().filter(|code| !named.iter().any(|name| name == code)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
