//! `pvm drain`: one joint plan for the guests of a host, shown, confirmed and carried out.

mod begin;
mod carry_out;
pub(in crate::commands) mod cordon;
mod ended;
mod execute;
mod facts;
mod last_look;
mod resume;
mod saved;
mod service;
mod stops;

use std::path::Path;

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop};
use crate::cli::drain::Drain as Args;
use crate::drain::Drain;
use crate::drain::saved::Saved;
use crate::journal::{self, Drains};
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::output::drain as output;
use carry_out::Going;
use facts::{Asked, Wanted, ask};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Args) -> Result<Outcome, Stop> {
    let is_dry = args.dry_run || args.save_plan.is_some();
    if context.global.root != Path::new("/") && !is_dry {
        return Err(Stop::usage("drain moves guests of real hosts: without --dry-run it does not go with --root"));
    }
    if context.global.output == Format::Html && !is_dry {
        return Err(Stop::usage("-o html is of the plan: it goes with --dry-run or --save-plan only"));
    }
    let hosts = Hosts::new(context)?;
    let saved = args.plan.as_deref().map(saved::read).transpose()?;
    let wanted = match &saved {
        Some(saved) => Wanted::by(args, saved)?,
        None => Wanted::of(args, &hosts.options.settings.defaults)?,
    };
    if is_dry {
        return show(context, args, &hosts, &wanted, saved.as_ref());
    }
    let directory = journal::state_directory().or_stop(Outcome::Unknown)?;
    let drains = Drains::at(&directory);
    let going = Going {
        context,
        directory: &directory,
        keep_going: args.keep_going,
        yes: args.yes,
        saved: saved.as_ref(),
        hosts: &hosts,
        drains: &drains,
    };
    match (args.uncordon, args.resume) {
        (true, _) => going.uncordon(&wanted.choices.host),
        (false, true) => going.resume(wanted),
        (false, false) => going.begin(wanted),
    }
}

/// Shows the plan, and saves it where that was asked for; nothing is changed.
fn show(
    context: &Context,
    args: &Args,
    hosts: &Hosts,
    wanted: &Wanted,
    saved: Option<&Saved>,
) -> Result<Outcome, Stop> {
    let asked = ask(context, hosts, wanted, cordon::drains(context).as_ref())?;
    let plan = planned(hosts, &asked, wanted, saved)?;
    output::print(&context.printer, &plan, &asked.unreachable).or_stop(Outcome::Unknown)?;
    if let Some(path) = &args.save_plan {
        saved::save(context, path, &plan, wanted, &asked, facts::are_live(hosts, wanted).is_ok())?;
    }
    Ok(plan.outcome())
}

/// The plan by what the hosts answered, or the saved one as far as it still holds.
fn planned(hosts: &Hosts, asked: &Asked, wanted: &Wanted, saved: Option<&Saved>) -> Result<Drain, Stop> {
    match saved {
        Some(saved) => asked.again(hosts, wanted, saved),
        None => Ok(asked.plan(hosts, wanted)),
    }
}
