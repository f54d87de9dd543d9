//! `pvm explain`.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Context, OrStop as _, Stop, migrate};
use crate::cli::explain::Explain;
use crate::model::finding::{Rule, Severity};
use crate::model::format::Format;
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

/// A code as it was copied from elsewhere: `unknown[hooks]` of a report, or in capitals.
fn code_of(word: &str) -> String {
    let inner = word.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(word, |(code, _)| code);
    inner.trim().to_lowercase()
}

/// `pvm.explain/1`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    rules: Vec<Page>,
}

/// The page of a rule.
#[derive(Debug, Serialize)]
struct Page {
    code: &'static str,
    severity: Severity,
    summary: String,
    /// The text below the summary, as Markdown.
    page: String,
}

impl Page {
    fn of(rule: &Rule) -> Self {
        let page = rule.page().collect::<Vec<_>>().join("\n");
        Self { code: rule.code, severity: rule.severity, summary: rule.summary(), page }
    }
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Explain) -> Result<Outcome, Stop> {
    let rules = rules();
    let word = args.code.as_deref().map(code_of);
    let named = word.as_ref().and_then(|word| rules.iter().copied().find(|rule| rule.code == *word));
    let listed = match (&word, named) {
        (_, Some(rule)) => vec![rule],
        (Some(word), None) => with_word(word, &rules),
        (None, None) => rules.clone(),
    };
    if let Some(word) = word.filter(|_| listed.is_empty()) {
        let message = format!("no finding has the code '{word}', and no page has that word");
        return Err(Stop::unknown(message).remedy(hint(&word, &rules)));
    }
    if context.printer.format != Format::Table {
        let rules = listed.into_iter().map(Page::of).collect();
        context.printer.document(&Document { schema: "pvm.explain/1", rules }).or_stop(Outcome::Unknown)?;
        return Ok(Outcome::Fine);
    }
    let mut text = String::new();
    let listed = match named {
        Some(rule) => {
            let _ = writeln!(text, "{}: {}\n\n{}", rule.code, rule.severity, folded("", &rule.summary(), ""));
            page(rule, &mut text);
            Vec::new()
        }
        None => listed,
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
