//! `pvm explain`.

use std::fmt::Write as _;

use super::{Context, Stop};
use crate::cli::explain::Explain;
use crate::config::near_miss;
use crate::finding::Rule;
use crate::outcome::Outcome;
use crate::output::text::folded;
use crate::preflight;

/// Every registry of rules. A rule is added where it is applied; a registry is added here.
const REGISTRIES: &[&[&Rule]] = &[
    crate::config::rules::ALL,
    &crate::config::lint::RULES,
    crate::config::compare::ALL,
    crate::config::request_report::ALL,
    crate::host::active::RULES,
    crate::host::configure::RULES,
    crate::inventory::RULES,
    crate::inventory::mismatch::RULES,
    preflight::host::RULES,
    preflight::instance::RULES,
    preflight::device::RULES,
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
pub fn run(context: &Context, args: &Explain) -> anyhow::Result<Outcome> {
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
    context.printer.result(&text)?;
    Ok(Outcome::Fine)
}
