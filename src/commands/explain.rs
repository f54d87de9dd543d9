//! `pvm explain`.

use std::fmt::Write as _;

use super::{Context, OrStop as _, Stop, migrate};
use crate::cli::explain::Explain;
use crate::model::finding::Rule;
use crate::model::near_miss::near_miss;
use crate::model::outcome::Outcome;
use crate::output::text::folded;
use crate::{drain, facts, nova, preflight};

/// Every rule pvm knows, by code: those of the rooms, of `migrate`, of the lints and of the checks.
pub fn rules() -> Vec<&'static Rule> {
    let of_drain = drain::policies::RULES;
    let declared = [nova::RULES, facts::RULES, &[migrate::RULES, migrate::REHEARSAL_RULES, of_drain]].concat().concat();
    let lints = nova::lints::LINTS.iter().map(|lint| lint.rule);
    let checks = preflight::checks().map(|check| &check.rule);
    let mut all: Vec<_> = declared.into_iter().chain(lints).chain(checks).collect();
    all.sort_by_key(|rule| rule.code);
    all
}

/// What is wrong with a code that no finding has.
pub(crate) fn unknown_code(code: &str, rules: &[&Rule]) -> String {
    format!("no finding has the code '{code}'; {}", hint(code, rules))
}

fn hint(code: &str, rules: &[&Rule]) -> String {
    let codes: Vec<_> = rules.iter().map(|rule| rule.code).collect();
    match near_miss(code, &codes) {
        Some(near) => format!("did you mean {near}?"),
        None => "pvm explain lists all".to_owned(),
    }
}

/// The rules in whose code or page a word occurs, those whose code has it first.
fn with_word<'a>(word: &str, rules: &[&'a Rule]) -> Vec<&'a Rule> {
    let word = word.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&word);
    let (named, others): (Vec<&Rule>, Vec<&Rule>) = rules.iter().copied().partition(|rule| has(rule.code));
    let in_page = others.into_iter().filter(|rule| has(&rule.summary()) || rule.page().any(has));
    named.into_iter().chain(in_page).collect()
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Explain) -> Result<Outcome, Stop> {
    let rules = rules();
    let mut text = String::new();
    let listed = match &args.code {
        Some(code) => match rules.iter().find(|rule| rule.code == code) {
            Some(rule) => {
                let _ = writeln!(text, "{}: {}\n\n{}", rule.code, rule.severity, folded("", &rule.summary(), ""));
                page(rule, &mut text);
                Vec::new()
            }
            None => match with_word(code, &rules) {
                none if none.is_empty() => {
                    return Err(Stop::unknown(format!(
                        "no finding has the code '{code}', and no page has that word; {}",
                        hint(code, &rules)
                    )));
                }
                found => found,
            },
        },
        None => rules,
    };
    for rule in listed {
        let _ = writeln!(text, "{}", folded(&format!("{:<30} ", rule.code), &rule.summary(), &" ".repeat(31)));
    }
    context.printer.result(&text).or_stop(Outcome::Unknown)?;
    Ok(Outcome::Fine)
}

/// Writes the sections of a page: what stands between fences as it is, all other text folded.
fn page(rule: &Rule, text: &mut String) {
    const INDENT: &str = "  ";
    let mut paragraph = String::new();
    let mut fenced = false;
    let end = |paragraph: &mut String, text: &mut String| {
        if !paragraph.is_empty() {
            let _ = writeln!(text, "{}", folded(INDENT, paragraph, INDENT));
            paragraph.clear();
        }
    };
    for line in rule.page() {
        if line.starts_with("```") {
            end(&mut paragraph, text);
            fenced = !fenced;
        } else if fenced {
            let _ = writeln!(text, "{INDENT}{INDENT}{line}");
        } else if let Some(heading) = line.strip_prefix("# ") {
            end(&mut paragraph, text);
            let _ = writeln!(text, "\n{heading}:");
        } else {
            paragraph.push_str(if paragraph.is_empty() { "" } else { " " });
            paragraph.push_str(line);
        }
    }
    end(&mut paragraph, text);
}
