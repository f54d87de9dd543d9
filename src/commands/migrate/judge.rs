//! Whether preflight's report lets a migration go on.

use super::plan::Planned;
use super::usable;
use crate::cli::migrate::Migrate;
use crate::commands::{Context, Stop};
use crate::domain::owners::Owner;
use crate::drain;
use crate::journal;
use crate::model::device_move::Action;
use crate::model::finding::Severity;
use crate::model::outcome::Outcome;
use crate::output::text::printable;
use crate::preflight::by_nova::{CHECKED_BY_NOVA, NOT_NOVAS};
use crate::preflight::{self, CheckResult, Compatibility, Row};

/// What a row means for a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nothing.
    Nothing,
    /// It is shown.
    Shown,
    /// It stops the run, which ends like this.
    Stops(Outcome),
}

/// Refuses an `--allow` that names no check.
pub(in crate::commands) fn allows_checks(allow: &[String]) -> Result<(), Stop> {
    let of_drain = |code: &str| drain::policies::RULES.iter().any(|rule| rule.code == code);
    let is_known =
        |code: &str| code == "all" || usable::CODES.contains(&code) || preflight::is_check(code) || of_drain(code);
    match allow.iter().find(|code| !is_known(code)) {
        Some(code) => Err(Stop::usage(format!("--allow: unknown check '{code}'; pvm explain lists them"))),
        None => Ok(()),
    }
}

/// The verdict on the plan without what `--allow` names.
pub(super) fn verdict(args: &Migrate, planned: &Planned) -> Compatibility {
    // Without a map there is nothing to allow.
    if args.allow.is_empty() || planned.plan.is_none() {
        return planned.instance().verdict;
    }
    let rows = planned.report.checks.iter().chain(&planned.instance().checks);
    preflight::worst(rows.filter(|row| !preflight::lets(&args.allow, row)))
}

/// The migration, if nothing stands against it. What does is said on stderr. The guest's owner comes last: its operator gets the
/// whole report first. `by_nova`: Nova moves it, which is the owner.
pub(super) fn judge<'a>(
    context: &Context,
    args: &Migrate,
    planned: &'a Planned,
    by_nova: bool,
) -> Result<&'a journal::Plan, Stop> {
    let rows = planned.report.checks.iter().chain(&planned.instance().checks);
    let (mut stops, mut against) = (None, Vec::new());
    for row in rows.filter(|row| !(by_nova && NOT_NOVAS.contains(&&*row.finding.code))) {
        let weight = match weigh(row, args) {
            Weight::Stops(Outcome::Unknown) if by_nova && CHECKED_BY_NOVA.contains(&&*row.finding.code) => {
                Weight::Shown
            }
            weight => weight,
        };
        match weight {
            Weight::Stops(outcome) => {
                // A failed check comes before one that could not be made.
                stops = if stops == Some(Outcome::Findings) { stops } else { Some(outcome) };
                against.push(row.clone());
                context.printer.complain(&sentence(row));
                if row.result == CheckResult::Error && names(args, row) {
                    context
                        .printer
                        .complain(&format!("  check '{}' cannot be allowed when it fails", row.finding.code));
                }
            }
            Weight::Shown if row.result != CheckResult::Info || context.printer.verbose > 0 => {
                context.printer.note(&sentence(row));
            }
            Weight::Shown | Weight::Nothing => {}
        }
    }
    // Before the findings: whoever owns the guest is told to move it, which pvm's findings need not prevent.
    if let Some(owner) = planned.facts.domain().owner.as_ref().filter(|_| !by_nova) {
        refuse_owned(owner, planned, args)?;
    }
    if let Some(outcome) = stops {
        let why = if outcome == Outcome::Unknown { "what is unknown above" } else { "the findings above" };
        let message = format!("{} was not migrated because of {why}", planned.facts.domain().name);
        return Err(Stop::new(outcome, message).by(against));
    }
    let Some(migration) = &planned.migration else {
        return Err(Stop::refused(format!("{} has no device map", planned.facts.domain().name)));
    };
    // Whatever was allowed: what is forbidden is not done.
    if args.no_replug
        && let Some(port) = migration.map.iter().find(|moved| moved.action == Action::Reattach)
    {
        let message = format!("port {} would have to be unplugged, which --no-replug forbids", port.source);
        return Err(Stop::refused(message));
    }
    Ok(migration)
}

/// Whether the operator allows this check by its code.
fn names(args: &Migrate, row: &Row) -> bool {
    args.allow.iter().any(|code| *code == row.finding.code)
}

fn weigh(row: &Row, args: &Migrate) -> Weight {
    let named = names(args, row);
    let may_fail = named && preflight::may_fail(&row.finding.code);
    // What libvirt or QEMU check again before the guest is paused does no harm: --yes covers it.
    let harmless =
        row.finding.severity < Severity::Error || row.rechecked || named || args.allow.iter().any(|code| code == "all");
    match row.result {
        CheckResult::Ok => Weight::Nothing,
        CheckResult::Warning if args.strict && !may_fail => Weight::Stops(Outcome::Findings),
        CheckResult::Error if !may_fail => Weight::Stops(Outcome::Findings),
        CheckResult::Unknown if !harmless => Weight::Stops(Outcome::Unknown),
        CheckResult::Info | CheckResult::Warning | CheckResult::Error | CheckResult::Unknown => Weight::Shown,
    }
}

fn sentence(row: &Row) -> String {
    let place = [row.finding.instance.as_deref(), row.finding.device.as_deref()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let colon = if place.is_empty() { "" } else { ": " };
    let remedy = row.finding.remedy.as_deref().map(|remedy| format!("\n  {}", printable(remedy))).unwrap_or_default();
    format!(
        "{}[{}] {}{colon}{}{remedy}",
        row.result.as_str(),
        row.finding.code,
        printable(&place),
        printable(&row.finding.message)
    )
}

/// A guest that somebody else runs is theirs to move.
fn refuse_owned(owner: &str, planned: &Planned, args: &Migrate) -> Result<(), Stop> {
    let (name, uuid) = (&planned.facts.domain().name, &planned.facts.domain().uuid);
    let (who, command) = match Owner::of_word(owner) {
        Some(known) => (known.name, known.command(name, uuid, &planned.facts.destination.host.name)),
        None => (owner, "its own tools".to_owned()),
    };
    match &args.bypass_owner {
        Some(given) if given.eq_ignore_ascii_case(uuid) => Ok(()),
        Some(_) => Err(Stop::refused(format!("--bypass-owner: the UUID of {name} is {uuid}"))),
        None => {
            let message = format!(
                "{name} is run by {who}: move it with `{command}`{}; with --bypass-owner={uuid} pvm migrates it nevertheless, \
                 but {who} does not learn of it and may start the guest a second time on the source",
                nova_name(owner)
            );
            Err(Stop::refused(message))
        }
    }
}

/// What --host of Nova's command takes, which libvirt's name of the host need not be.
fn nova_name(owner: &str) -> &'static str {
    if owner == "nova" {
        " (--host takes the name of Nova's compute service, which is not known without a cloud and may differ: openstack compute \
         service list --service nova-compute)"
    } else {
        ""
    }
}
