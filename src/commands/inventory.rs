//! `pvm inventory`.

use serde::Serialize;

use super::hosts::{Hosts, stop, stop_text};
use super::{Context, Stop};
use crate::cli::Format;
use crate::cli::inventory::{Inventory, Probing};
use crate::finding::Severity;
use crate::host::{self, HostError, HostRef};
use crate::inventory::Probe;
use crate::outcome::Outcome;
use crate::output::inventory::{self as table, View};
use crate::snapshot::Snapshot;

/// Runs the command.
pub fn run(context: &Context, args: &Inventory) -> anyhow::Result<Outcome> {
    let mut hosts = Hosts::new(context)?;
    hosts.options.probe = match args.probe {
        Probing::None => Probe::None,
        Probing::Passive => Probe::Passive,
        Probing::Active => Probe::Active,
    };
    hosts.options.only = args.pf;
    if args.probe == Probing::Active && context.global.root != std::path::Path::new("/") {
        return Err(Stop::usage("--probe active opens devices of this machine, not of a tree below --root").into());
    }
    let asked = args.hosts.iter().map(|text| hosts.parse(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let view = View { all: args.all, pf: args.pf, width: context.printer.width() };
    if let [only] = asked.as_slice() {
        let snapshot = host::gather(only, &hosts.options).map_err(stop)?;
        if let Some(pf) = args.pf
            && snapshot.device(pf).is_none()
        {
            return Err(Stop::unknown(format!("{} has no device {pf}", only.label())).into());
        }
        print_one(context, &snapshot, view)?;
        return Ok(outcome(std::iter::once(&snapshot), args.strict));
    }
    let answers = host::gather_all(&asked, &hosts.options);
    print_all(context, &asked, &answers, view)?;
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        let kind = error.kind();
        return Ok(match kind {
            host::ErrorKind::Unknown => Outcome::Unknown,
            host::ErrorKind::Refused => Outcome::Findings,
        });
    }
    Ok(outcome(answers.iter().flatten(), args.strict))
}

/// The tree could be read: only findings decide, and only with `--strict` do warnings.
fn outcome<'a>(snapshots: impl Iterator<Item = &'a Snapshot>, strict: bool) -> Outcome {
    let worst = snapshots.flat_map(|s| &s.findings).map(|f| f.severity).max();
    match worst {
        Some(Severity::Error) => Outcome::Findings,
        Some(Severity::Warning) if strict => Outcome::Findings,
        _ => Outcome::Fine,
    }
}

fn print_one(context: &Context, snapshot: &Snapshot, view: View) -> anyhow::Result<()> {
    match context.printer.format {
        Format::Table => {
            context.printer.result(&table::render(snapshot, view))?;
            complain(context, snapshot);
        }
        Format::Json | Format::Yaml | Format::Ndjson => context.printer.document(snapshot)?,
    }
    Ok(())
}

#[derive(Serialize)]
struct Inventories<'a> {
    schema: &'static str,
    hosts: Vec<Answer<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Snapshot(&'a Snapshot),
    Error { name: String, error: String },
}

fn print_all(
    context: &Context,
    asked: &[HostRef],
    answers: &[Result<Snapshot, HostError>],
    view: View,
) -> anyhow::Result<()> {
    if context.printer.format != Format::Table {
        let hosts = asked
            .iter()
            .zip(answers)
            .map(|(host, answer)| match answer {
                Ok(snapshot) => Answer::Snapshot(snapshot),
                Err(error) => Answer::Error { name: host.label(), error: stop_text(error) },
            })
            .collect();
        return context.printer.document(&Inventories { schema: "pvm.inventories/1", hosts });
    }
    for (host, answer) in asked.iter().zip(answers) {
        match answer {
            Ok(snapshot) => {
                context.printer.result(&format!("{}\n", table::heading(&host.label())))?;
                print_one(context, snapshot, view)?;
                context.printer.result("\n")?;
            }
            Err(error) => context.printer.complain(&table::heading(&stop_text(error))),
        }
    }
    Ok(())
}

/// Findings go to stderr: the table is the result.
fn complain(context: &Context, snapshot: &Snapshot) {
    for line in table::findings(snapshot) {
        context.printer.note(&line);
    }
}
