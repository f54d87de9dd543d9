//! `pvm drain`: one joint plan for the guests of a host, shown, confirmed and carried out.

pub(in crate::commands) mod cordon;
mod execute;
mod facts;
mod last_look;
mod resume;
mod saved;
mod service;
mod stops;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop, migrate};
use crate::cli::drain::Drain as Args;
use crate::drain::Drain;
use crate::drain::saved::Choices;
use crate::journal::{self, DrainGuest, DrainRecord, Drains, Fate, Lock, LockError, Subject};
use crate::model::causes::sentence;
use crate::model::identity;
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::output::drain::{self as output, Came, Ended, guests, time};
use crate::output::moves::{Expected, Moves};
use crate::output::text::printable;
use execute::Execution;
use facts::{Asked, Wanted, ask};
use stops::Stops;

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Args) -> Result<Outcome, Stop> {
    let is_dry = args.dry_run || args.save_plan.is_some();
    if context.global.root != Path::new("/") && !is_dry {
        return Err(Stop::usage("drain moves guests of real hosts: without --dry-run it does not go with --root"));
    }
    let hosts = Hosts::new(context)?;
    let saved = args.plan.as_deref().map(saved::read).transpose()?;
    let wanted = match &saved {
        Some(saved) => Wanted::by(args, saved)?,
        None => Wanted::of(args, &hosts.options.settings.defaults)?,
    };
    let planned = |asked: &Asked, wanted: &Wanted| match &saved {
        Some(saved) => asked.again(&hosts, wanted, saved),
        None => Ok(asked.plan(&hosts, wanted)),
    };
    if is_dry {
        let asked = ask(context, &hosts, &wanted, cordon::drains(context).as_ref())?;
        let plan = planned(&asked, &wanted)?;
        output::print(&context.printer, &plan, &asked.unreachable).or_stop(Outcome::Unknown)?;
        if let Some(path) = &args.save_plan {
            saved::save(context, path, &plan, &wanted, &asked)?;
        }
        return Ok(plan.outcome());
    }
    let directory = journal::state_directory().or_stop(Outcome::Unknown)?;
    let drains = Drains::at(&directory);
    let going = Going {
        context,
        keep_going: args.keep_going,
        yes: args.yes,
        is_fixed: saved.is_some(),
        hosts: &hosts,
        drains: &drains,
    };
    let name = &wanted.choices.host;
    if args.uncordon || args.resume {
        // Like every other object that was named and does not exist.
        let unknown = || Stop::unknown(format!("no drain of {name} was begun on this machine"));
        let record = cordon::named(&hosts, &drains, name)?.ok_or_else(unknown)?;
        let _lock = lock(&directory, &record.host)?;
        if args.uncordon {
            return cordon::end(context, &drains, record);
        }
        if record.is_over {
            let word = quoted(&record.host.name);
            let message =
                format!("the drain of {name} of {} is over; to begin another: pvm drain {word}", record.begun);
            return Err(Stop::unknown(message));
        }
        resume::settle(context, &directory, &drains, &record)?;
        let wanted = wanted.again(&record);
        let asked = ask(context, &hosts, &wanted, Some(&drains))?;
        let plan = asked.plan(&hosts, &wanted);
        let now = taken_down(&plan, &asked);
        for line in resume::differences(&record, &now) {
            context.printer.note(&printable(&line));
        }
        let record = DrainRecord { guests: resume::merged(&record, &now), is_over: false, ..record };
        return going.carry_out(&wanted, record, plan, asked);
    }
    facts::are_live(&hosts, &wanted)?;
    let asked = ask(context, &hosts, &wanted, Some(&drains))?;
    let plan = planned(&asked, &wanted)?;
    let host = source(&hosts, &wanted, &asked)?;
    let _lock = lock(&directory, &host)?;
    let before = drains.cordon(host.uuid.as_deref().unwrap_or_default()).or_stop(Outcome::Unknown)?;
    if let Some(before) = before.filter(|record| !record.is_over) {
        let word = quoted(&before.host.name);
        let message = format!(
            "the drain of {} of {} is not finished: pvm drain {word} --resume, or --uncordon to give it up",
            printable(&before.host.name),
            before.begun
        );
        return Err(Stop::refused(message));
    }
    let text = serde_json::to_string(&plan).or_stop(Outcome::Unknown)?;
    let digest = saved.as_ref().map_or_else(|| journal::checksum(text.as_bytes()), |saved| saved.digest.clone());
    let id = journal::new_id(host.uuid.as_deref().unwrap_or_default());
    let record = DrainRecord::new(id, host, taken_down(&plan, &asked), digest);
    let Choices { host: _, to, only, except, parallel, allow, options } = wanted.choices.clone();
    let record = DrainRecord { to, only, except, parallel, options, allow, ..record };
    let wanted = wanted.with(&record);
    going.carry_out(&wanted, record, plan, asked)
}

/// The host to be emptied, for the record.
fn source(hosts: &Hosts, wanted: &Wanted, asked: &Asked) -> Result<journal::Host, Stop> {
    let host = hosts.parse(&wanted.choices.host)?;
    let local = hosts.options.connect.as_deref().unwrap_or("qemu:///system");
    let uri = host.libvirt_uri(local).expect("only a snapshot has no libvirt, and none comes here");
    let uuid = asked.source.host.uuid.clone().filter(|uuid| identity::identifies(uuid));
    let uuid = uuid.ok_or_else(|| {
        Stop::unknown(format!(
            "the UUID of {} is not known: without it no other pvm keeps guests off it",
            wanted.choices.host
        ))
    })?;
    Ok(journal::Host { name: wanted.choices.host.clone(), uri, uuid: Some(uuid) })
}

fn lock(directory: &Path, host: &journal::Host) -> Result<Lock, Stop> {
    let subject = Subject::Host(host.uuid.clone().unwrap_or_default());
    Lock::take(directory, &subject, &format!("drain of {}", host.name)).map_err(|error| match error {
        LockError::Held { .. } => Stop::refused(format!("{}: {error}", host.name)),
        other => Stop::unknown(sentence(&other)),
    })
}

/// The guests of a plan, for the record.
fn taken_down(plan: &Drain, asked: &Asked) -> Vec<DrainGuest> {
    let leaving = plan.moves.iter().map(|leaving| DrainGuest {
        name: leaving.guest.clone(),
        uuid: leaving.uuid.clone(),
        destination: Some(asked.word(leaving.at).to_owned()),
        fate: Fate::Waiting,
    });
    let staying = plan.stays.iter().map(|stay| DrainGuest {
        name: stay.guest.clone(),
        uuid: stay.uuid.clone(),
        destination: None,
        fate: Fate::Stays { why: stay.why.clone() },
    });
    leaving.chain(staying).collect()
}

/// What a drain goes on with, whichever way it came to its plan.
struct Going<'a> {
    context: &'a Context,
    keep_going: bool,
    yes: bool,
    is_fixed: bool,
    hosts: &'a Hosts,
    drains: &'a Drains,
}

impl Going<'_> {
    fn carry_out(&self, wanted: &Wanted, mut record: DrainRecord, plan: Drain, asked: Asked) -> Result<Outcome, Stop> {
        let Self { context, hosts, drains, .. } = *self;
        output::announce(&context.printer, &plan, &asked.unreachable, journal::now());
        if plan.moves.is_empty() && !plan.stays.is_empty() {
            // Nothing can be done, and a host that keeps its guests is not cordoned for that.
            let outcome = plan.outcome();
            return Err(Stop::new(outcome, format!("{} cannot be emptied: no guest can leave", plan.host)));
        }
        let service = service::Disabling::of(context, hosts, &asked.source, &mut record)?;
        if !self.yes && !migrate::confirmed(context)? {
            return Err(Stop::refused("not confirmed"));
        }
        drains.begin(&mut record).or_stop(Outcome::Unknown)?;
        if let Some(service) = service {
            service.disable(drains, &mut record)?;
        }
        let begun = journal::now();
        let moves = Arc::new(Moves::new(&context.printer, expected(&plan), begun));
        let stops = Stops::default();
        stops.hear(&context.printer, &moves).or_stop(Outcome::Unknown)?;
        let mut execution = Execution {
            context,
            keep_going: self.keep_going,
            is_fixed: self.is_fixed,
            wanted,
            hosts,
            drains,
            record: Mutex::new(record),
            stops,
            moves,
            came: BTreeMap::new(),
        };
        let (first, unreachable) = (plan.clone(), asked.unreachable.clone());
        execution.run(plan, asked);
        execution.moves.finish();
        let is_interrupted = !execution.stops.may_begin();
        let mut record = execution.record().clone();
        let is_whole = wanted.choices.only.is_empty() && wanted.choices.except.is_empty();
        let running = last_look::running(&record.host);
        if let Ok(running) = &running {
            last_look::correct(&mut record, &mut execution.came, running, is_whole);
        }
        let outcomes = outcomes(&record, &execution.came);
        let outcome = outcome(&outcomes, is_interrupted, running.is_ok());
        execution.stops.ended(outcome);
        let is_settled = |guest: &DrainGuest| matches!(guest.fate, Fate::Left | Fate::Gone | Fate::Stays { .. });
        record.is_over = record.guests.iter().all(is_settled) && !is_interrupted;
        if let Err(error) = drains.write(&mut record) {
            context.printer.complain(&format!("pvm: {}", printable(&sentence(&error))));
        }
        let word = quoted(&record.host.name);
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let took = time(journal::now().since(begun) as f64 / 1000.0);
        let left = record.guests.iter().filter(|guest| guest.fate == Fate::Left).count();
        let summary = summary(&first.host, &outcomes, running.err().as_deref(), is_whole, left, &took);
        let ended =
            Ended { id: &record.id, exit_code: outcome.code(), summary: &printable(&summary), outcomes: &outcomes };
        if let Err(error) = output::result(&context.printer, &first, &unreachable, &ended) {
            context.printer.complain(&format!("pvm: {}: {}", printable(&summary), sentence(&error)));
        }
        if !record.is_over {
            context.printer.note(&format!("To go on: pvm drain {word} --resume"));
        }
        context.printer.note(&format!("No pvm of this machine moves guests there until: pvm drain {word} --uncordon"));
        Ok(outcome)
    }
}

/// The last word. `unknown`: why nobody could say what runs there now.
fn summary(host: &str, outcomes: &[Came], unknown: Option<&str>, is_whole: bool, left: usize, took: &str) -> String {
    let named = |has_left: Option<bool>| -> Vec<&str> {
        outcomes.iter().filter(|came| came.has_left == has_left).map(|came| came.guest.as_str()).collect()
    };
    let (staying, unclear) = (named(Some(false)), named(None));
    let mut summary = match unknown {
        Some(why) => format!("whether {host} is empty is not known: {why}; {} left in {took}", guests(left)),
        // Whether others are there was not the question.
        None if staying.is_empty() && unclear.is_empty() && !is_whole => {
            format!("{host} is without the chosen guests: {} left in {took}", guests(left))
        }
        None if staying.is_empty() && unclear.is_empty() => {
            format!("{host} is empty: {} left in {took}", guests(left))
        }
        None if staying.is_empty() => {
            format!("whether {host} is empty is not known: {left} of {} left in {took}", guests(outcomes.len()))
        }
        None => format!("{host} is not empty: {left} of {} left in {took}", guests(outcomes.len())),
    };
    for (what, names) in [("staying", staying), ("not known", unclear)] {
        if !names.is_empty() {
            for part in ["; ", what, ": ", &names.join(", ")] {
                summary += part;
            }
        }
    }
    summary
}

/// How long the plan expects each move to take.
fn expected(plan: &Drain) -> Expected {
    let each = plan.moves.iter().map(|leaving| (leaving.guest.clone(), leaving.seconds));
    Expected::new(plan.seconds, each)
}

/// What became of every guest of the record.
fn outcomes(record: &DrainRecord, came: &BTreeMap<String, Came>) -> Vec<Came> {
    let of = |guest: &DrainGuest| {
        came.get(&guest.uuid).cloned().unwrap_or_else(|| {
            let (has_left, outcome, why) = match &guest.fate {
                Fate::Left => (Some(true), Outcome::Fine, "has left".to_owned()),
                Fate::Gone => (Some(true), Outcome::Fine, "is not there any more, and was not moved".to_owned()),
                Fate::Waiting => (Some(false), Outcome::Findings, "stays: its turn did not come".to_owned()),
                Fate::Stays { why } => (Some(false), Outcome::Findings, format!("stays: {why}")),
                Fate::Moving { migration } => {
                    (None, Outcome::Undecided, format!("its migration is not finished: pvm recover {migration}"))
                }
            };
            Came {
                guest: guest.name.clone(),
                uuid: guest.uuid.clone(),
                destination: guest.destination.clone(),
                migration: None,
                has_left,
                exit_code: outcome.code(),
                summary: format!("{} {why}", guest.name),
            }
        })
    };
    record.guests.iter().map(of).collect()
}

/// The worst of the moves; else whether the host is empty, as far as that is known.
fn outcome(outcomes: &[Came], is_interrupted: bool, is_known: bool) -> Outcome {
    let has = |outcome: Outcome| outcomes.iter().any(|came| came.exit_code == outcome.code());
    let stays = outcomes.iter().any(|came| came.has_left != Some(true));
    let is_changed = outcomes.iter().any(|came| came.migration.is_some());
    let worst = [Outcome::Undecided, Outcome::Incomplete, Outcome::Undone].into_iter().find(|outcome| has(*outcome));
    match worst {
        Some(worst) => worst,
        None if is_interrupted && stays => Outcome::Interrupted,
        None if !is_known && is_changed => Outcome::Undecided,
        None if !is_known => Outcome::Unknown,
        // Something was changed, and who was not moved runs where it did.
        None if has(Outcome::Unknown) && is_changed => Outcome::Undone,
        None if has(Outcome::Unknown) => Outcome::Unknown,
        None if stays => Outcome::Findings,
        None => Outcome::Fine,
    }
}
