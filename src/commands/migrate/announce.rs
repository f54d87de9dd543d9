//! What is said of a plan: as the result of `--dry-run`, and before it is executed.

use super::plan::Planned;
use super::{judge, parameters};
use crate::cli::migrate::Migrate;
use crate::commands::{Context, OrStop as _, Stop, way};
use crate::model::device_move::Action;
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::output::diff::diff;
use crate::output::preflight as output;
use crate::output::text::printable;

/// Prints the plan as the result.
pub(super) fn show(context: &Context, args: &Migrate, planned: &Planned, by_nova: bool) -> Result<Outcome, Stop> {
    if context.global.output == Format::Table {
        output::print(&context.printer, std::slice::from_ref(&planned.report)).or_stop(Outcome::Unknown)?;
        if let Some(plan) = planned.plan.as_ref().filter(|_| !by_nova) {
            let mut text = format!("Flags: {}.\n", plan.flags.join(", "));
            for line in parameters::lines(plan) {
                text = format!("{text}{}\n", printable(&line));
            }
            if let Some(line) = peer_to_peer(planned) {
                text = format!("{text}{}.\n", printable(&line));
            }
            if let (true, Some(after)) = (args.diff, &plan.destination_xml) {
                let lines = diff(planned.facts.xml(), after);
                text.push_str(if lines.is_empty() { "The XML stays as it is.\n" } else { &lines });
            }
            context.printer.result(&text).or_stop(Outcome::Unknown)?;
        }
    } else if let Some(plan) = &planned.plan {
        context.printer.document(plan).or_stop(Outcome::Unknown)?;
    } else {
        // Without a map there is no plan; the report says why.
        output::print(&context.printer, std::slice::from_ref(&planned.report)).or_stop(Outcome::Unknown)?;
    }
    Ok(judge::verdict(args, planned).outcome(args.strict))
}

/// What is known of the way, when the daemons are to talk to each other.
fn peer_to_peer(planned: &Planned) -> Option<String> {
    let migration = planned.migration.as_ref().filter(|migration| !migration.parameters.direct)?;
    if planned.facts.destination.host.reach.as_ref().is_some_and(|reach| reach.libvirt.is_some()) {
        return None; // it was tried
    }
    let to = &migration.destination;
    let is_local = migration.source.uri.contains(":///");
    Some(way::peer_to_peer(is_local, &migration.source.name, &to.name, &to.uri).words(&migration.source_label, &to.uri))
}

/// Prints on stderr what Nova is going to be told.
pub(super) fn announce_nova(context: &Context, args: &Migrate, planned: &Planned, [from, to]: [&str; 2]) {
    let what = if args.dry_run {
        "Without --dry-run Nova is told to migrate"
    } else if args.yes {
        "Telling Nova to migrate"
    } else {
        "Nova is to be told to migrate"
    };
    let mut text = format!("{what} {}: {from} -> {to}", planned.facts.domain().name);
    for moved in planned.migration.iter().flat_map(|migration| &migration.map) {
        text = format!("{text}\n  {} -> {}, if Nova chooses as predicted", moved.source, moved.destination);
    }
    if let Some(limit) = args.timeout {
        text = format!("{text}\n  Timeout: {} s, then Nova is told to abort", limit.as_secs_f64());
    }
    context.printer.note(&printable_lines(&text));
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

/// Prints on stderr what is going to be done.
pub(super) fn announce(context: &Context, args: &Migrate, planned: &Planned) {
    if args.diff
        && !context.printer.quiet
        && let Some(after) = planned.plan.as_ref().and_then(|plan| plan.destination_xml.as_ref())
    {
        context.printer.verbatim(diff(planned.facts.xml(), after).trim_end());
    }
    let Some(migration) = &planned.migration else { return };
    // Without --yes the confirmation is still to come.
    let what = if args.yes { "Migrating" } else { "Plan for" };
    let head =
        format!("{what} {}: {} -> {}", migration.instance.name, migration.source_label, migration.destination.name);
    let mut text = printable(&head).into_owned();
    for moved in &migration.map {
        let how = match moved.action {
            Action::Migrate => "with its state",
            Action::Reattach => "port: unplugged before and plugged in afterwards, no network in between",
        };
        text = format!("{text}\n  {} -> {}  {how}", moved.source, moved.destination);
    }
    for line in planned.plan.iter().flat_map(parameters::lines) {
        text = format!("{text}\n  {}", printable(&line));
    }
    context.printer.note(&text);
}
