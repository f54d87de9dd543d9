//! `pvm migrate`: find the guest, plan, ask, move.

mod announce;
mod attempt;
pub(in crate::commands) mod carried;
mod facts;
mod follow;
pub(in crate::commands) mod judge;
mod nova;
pub(in crate::commands) mod parameters;
mod plan;
mod rehearse;
mod saved;
pub(in crate::commands) mod show;
mod sides;
pub(in crate::commands) mod signals;
mod unchanged;
mod usable;
mod wanted;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop};
use crate::cli::migrate::Migrate;
use crate::cli::preflight::Preflight;
use crate::commands::recover::RealWorld;
use crate::journal;
use crate::migration::forward::Line;
use crate::model::outcome::Outcome;
use crate::output::events::Events;
use crate::output::progress::Reporter;
use crate::plan::document::Plan;
use attempt::{Attempts, Go, Moving, Ready, perform};
use plan::Planned;
use sides::Sides;
use signals::Signals;
use wanted::Wanted;

pub(crate) use rehearse::RULES as REHEARSAL_RULES;
pub(crate) use usable::RULES;

/// How often a plan is made again because somebody else took a device of it.
const MOST_PLANS: usize = 3;

/// After so long a wait for the operator's answer the facts are read again.
const LONG_ANSWER_MS: i64 = 60_000;

/// Rehearses the migration that these arguments of preflight ask about.
pub(crate) fn rehearse(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    run(context, &rehearse::arguments(args)?)
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Migrate) -> Result<Outcome, Stop> {
    if context.global.root != Path::new("/") {
        return Err(Stop::usage("migrate moves guests of real hosts: it does not go with --root"));
    }
    let hosts = Hosts::new(context)?;
    judge::allows_checks(&args.allow)?;
    let wanted = Wanted::of(args, &hosts.options.settings.defaults)?;
    let sides = sides::open(&hosts, &wanted)?;
    let attempts = Attempts::new(context, args, &hosts, &sides, &wanted)?;
    let mut excluded = BTreeSet::new();
    if args.dry_run || args.save_plan.is_some() {
        return dry_run(context, args, &hosts, &sides, &attempts.plan(&excluded)?);
    }
    let ends = attempts.live()?;
    let mut tried = false;
    let signals = Signals::hear(&context.printer).or_stop(Outcome::Unknown)?;
    let mut agreed = None;
    for _ in 0..MOST_PLANS {
        let planned = attempts.plan(&excluded)?;
        if let Some(access) = nova::access(&hosts, args, &planned)? {
            let run = nova::Run { context, args, hosts: &hosts, sides: ends };
            let outcome = run.migrate(&attempts.directory, &signals, access, &planned)?;
            sides.close();
            return Ok(outcome);
        }
        let Go { planned, migration, locks } = match attempts.ready(ends, planned)? {
            Ready::Go(go) => *go,
            Ready::Taken(device) => {
                excluded.insert(device);
                continue;
            }
        };
        let is_agreed = |plan: &Plan| planned.plan.as_ref().is_some_and(|now| plan.other_fields(now).is_empty());
        if !args.yes && !agreed.as_ref().is_some_and(is_agreed) {
            let asked = journal::now();
            if !confirmed(context)? {
                return Err(Stop::refused("not confirmed"));
            }
            if journal::now().since(asked) > LONG_ANSWER_MS {
                context.printer.note("The answer took long: both hosts are asked again.");
                agreed = planned.plan;
                continue;
            }
        }
        let mut journal = attempts.store.create(migration.clone()).or_stop(Outcome::Unknown)?;
        let events = Events::show(Reporter::new(&context.printer));
        let world = RealWorld::new(context, &hosts, migration.clone());
        let mut world = Moving { world, tell: &|event| events.send(event) };
        let line = Line::new();
        let answer = Box::new(events.wish_to_stop(&migration.id, journal::now));
        signals.begin(&migration.id, migration.parameters.direct, line.sender(), answer);
        let ending = perform(&mut world, ends, &migration, &mut journal, &line);
        drop(locks);
        if let Some(device) = ending.taken
            && signals.may_try_again()
        {
            // The result comes with the last attempt.
            let _ = events.finish();
            context
                .printer
                .note(&format!("{device} was taken by another guest: all is undone, planning again without it"));
            tried = true;
            excluded.insert(device);
            continue;
        }
        // From here on the outcome is fixed, whatever becomes of the printing.
        signals.ended(ending.outcome);
        let said = if rehearse::stayed(&migration, &ending) {
            let _ = events.finish();
            rehearse::result(context, args, planned.report, &migration, &ending)
        } else {
            show::result(context, events, &migration, &ending);
            Ok(ending.outcome)
        };
        sides.close();
        return said;
    }
    let message = format!("the devices {} would get are taken again and again by others", wanted.instance);
    Err(if tried { Stop::new(Outcome::Undone, format!("{message}; all was undone")) } else { Stop::unknown(message) })
}

/// Shows the plan, and saves it where that is wanted.
fn dry_run(
    context: &Context,
    args: &Migrate,
    hosts: &Hosts,
    sides: &Sides,
    planned: &Planned,
) -> Result<Outcome, Stop> {
    let access = nova::access(hosts, args, planned)?;
    let outcome = announce::show(context, args, planned, access.is_some())?;
    if let (Some(access), Sides::Live { source, destination, .. }) = (access, sides) {
        nova::Run { context, args, hosts, sides: [source, destination] }.show(access, planned)?;
    }
    if let Some(path) = &args.save_plan {
        let name = &planned.facts.domain().name;
        let unplanned = || Stop::refused(format!("{name} has no device map: there is no plan to save"));
        let is_live = matches!(sides, Sides::Live { .. });
        saved::save(context, path, planned.plan.as_ref().ok_or_else(unplanned)?, is_live)?;
    }
    Ok(outcome)
}

/// Whether the operator confirms; without a terminal nobody can.
pub(in crate::commands) fn confirmed(context: &Context) -> Result<bool, Stop> {
    if !io::stdin().is_terminal() {
        return Err(Stop::usage("confirmation required, but stdin is not a terminal; use --yes"));
    }
    if context.printer.quiet {
        return Err(Stop::usage("confirmation required, but -q hides what is to be confirmed")
            .remedy("use --yes, or leave -q out"));
    }
    context.printer.ask("Go on? [y/N] ");
    let mut answer = String::new();
    if io::stdin().lock().read_line(&mut answer).or_stop(Outcome::Unknown)? == 0 {
        // Nobody ended the line of the question.
        context.printer.ask("\n");
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes" | "YES"))
}
