//! `pvm explain`.

use std::fmt::Write as _;

use super::{Context, OrStop as _, Stop};
use crate::cli::explain::Explain;
use crate::model::finding::Rule;
use crate::model::outcome::Outcome;
use crate::nova::config::near_miss;
use crate::output::text::folded;
use crate::preflight;

/// Every registry of rules. A rule is added where it is applied; a registry is added here.
const REGISTRIES: &[&[&Rule]] = &[
    crate::nova::config::rules::ALL,
    &crate::nova::lints::RULES,
    crate::nova::config::compare::ALL,
    crate::nova::config::request_report::ALL,
    crate::facts::active::RULES,
    crate::facts::configure::RULES,
    crate::facts::kernel::RULES,
    crate::facts::kernel::mismatch::RULES,
    preflight::checks::host::RULES,
    preflight::checks::guest::RULES,
    preflight::checks::device::RULES,
];

/// Every rule pvm knows, by code.
pub fn rules() -> Vec<&'static Rule> {
    let mut all: Vec<_> = REGISTRIES.iter().flat_map(|registry| registry.iter().copied()).collect();
    all.sort_by_key(|rule| rule.code);
    all
}

fn unknown_code(code: &str, rules: &[&Rule]) -> Stop {
    let codes: Vec<_> = rules.iter().map(|rule| rule.code).collect();
    let hint = match near_miss(code, &codes) {
        Some(near) => format!("did you mean {near}?"),
        None => "pvm explain lists all".to_owned(),
    };
    Stop::unknown(format!("no finding has the code '{code}'; {hint}"))
}

/// Runs the command.
pub fn run(context: &Context, args: &Explain) -> Result<Outcome, Stop> {
    let rules = rules();
    let mut text = String::new();
    match &args.code {
        Some(code) => {
            let rule = rules.iter().find(|rule| rule.code == code).ok_or_else(|| unknown_code(code, &rules))?;
            let _ = writeln!(text, "{} ({:?})\n\n{}\n", rule.code, rule.severity, folded("", rule.summary, ""));
            for line in rule.page.trim().lines() {
                // What is indented is to be pasted.
                let line = if line.starts_with("    ") { line.to_owned() } else { folded("", line, "") };
                let _ = writeln!(text, "{line}");
            }
        }
        None => {
            for rule in rules {
                let _ = writeln!(text, "{}", folded(&format!("{:<30} ", rule.code), rule.summary, &" ".repeat(31)));
            }
        }
    }
    context.printer.result(&text).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}
