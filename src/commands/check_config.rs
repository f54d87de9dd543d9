//! `pvm check-config`.

use serde::Serialize;

use super::{Context, Stop};
use crate::cli::Format;
use crate::cli::check_config::CheckConfig;
use crate::config::{self, Machine, Matcher, NoHost, ParsedConfig, lint};
use crate::finding::{Finding, Severity};
use crate::host::nova_files;
use crate::outcome::Outcome;
use crate::output::diagnostics;
use crate::snapshot::ConfigDoc;
use crate::source::Diagnostic;

/// `pvm.check-config/1`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    #[serde(flatten)]
    config: ConfigDoc,
    findings: Vec<Finding>,
}

/// Runs the command.
pub fn run(context: &Context, args: &CheckConfig) -> anyhow::Result<Outcome> {
    let paths = if args.paths.is_empty() { &context.global.nova_config } else { &args.paths };
    let inputs = nova_files::read(&context.global.root, paths)?;
    if inputs.is_empty() {
        return Err(Stop::unknown("no nova.conf was found; name one: pvm check-config PATH").into());
    }
    let config = config::load(inputs, &NoHost, &Machine::default());
    let found = find(&config);
    report(context, &config, &found)?;
    Ok(outcome(&config, &found, args.strict))
}

/// Everything to say about a configuration, sorted by place.
fn find(config: &ParsedConfig) -> Vec<Diagnostic> {
    let matcher = Matcher::new(&config.device_specs);
    let mut found = config.diagnostics.clone();
    found.extend(lint::run(&lint::Subject { config, matcher: &matcher, host: None }));
    found.sort_by_key(|d| d.primary.as_ref().map(|label| label.span));
    found
}

fn report(context: &Context, config: &ParsedConfig, found: &[Diagnostic]) -> anyhow::Result<()> {
    if context.global.output == Format::Table {
        let text = diagnostics::report(found, config, context.printer.width());
        return Ok(context.printer.result(&text)?);
    }
    let document = Document {
        schema: "pvm.check-config/1",
        config: config.document(),
        findings: found.iter().map(|d| d.to_finding(&config.sources)).collect(),
    };
    context.printer.document(&document)
}

/// Errors before what is unknown before warnings.
fn outcome(config: &ParsedConfig, found: &[Diagnostic], strict: bool) -> Outcome {
    let worst = found.iter().map(|d| d.severity).max();
    match worst {
        Some(Severity::Error) => Outcome::Findings,
        _ if config.nova_accepts().is_none() => Outcome::Unknown,
        Some(Severity::Warning) if strict => Outcome::Findings,
        _ => Outcome::Fine,
    }
}
