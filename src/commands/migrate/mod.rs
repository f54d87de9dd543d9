//! `pvm migrate`: find the guest, plan, ask, move.

mod announce;
mod facts;
mod judge;
mod nova;
mod parameters;
mod plan;
mod rehearse;
mod saved;
pub(in crate::commands) mod show;
mod sides;
mod signals;
mod unchanged;
mod usable;
mod wanted;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop};
use crate::cli::migrate::Migrate;
use crate::cli::preflight::Preflight;
use crate::commands::recover::RealWorld;
use crate::journal::{self, Instance, Journal, Listed, Lock, LockError, Side, State, Store, Subject};
use crate::libvirt::Hypervisor;
use crate::migration::ending::Ending;
use crate::migration::event::{Event, Phase, What};
use crate::migration::forward::{self, Line};
use crate::migration::ground::{Ground, World};
use crate::migration::mark::{self, Found};
use crate::model::causes::sentence;
use crate::model::device_move::DeviceMove;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::time::Timestamp;
use crate::output::events::Events;
use crate::output::progress::Reporter;
use crate::plan::document::Plan;
use crate::proof::Received;
use plan::Planned;
use sides::Sides;
use signals::Signals;
use wanted::Wanted;

pub use rehearse::RULES as REHEARSAL_RULES;
pub use usable::RULES;

/// How often a plan is made again because somebody else took a device of it.
const MOST_PLANS: usize = 3;

/// After so long a wait for the operator's answer the facts are read again.
const LONG_ANSWER_MS: i64 = 60_000;

/// Rehearses the migration that these arguments of preflight ask about.
pub fn rehearse(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    run(context, &rehearse::arguments(args)?)
}

/// Runs the command.
pub fn run(context: &Context, args: &Migrate) -> Result<Outcome, Stop> {
    if context.global.root != Path::new("/") {
        return Err(Stop::usage("migrate moves guests of real hosts: it does not go with --root"));
    }
    let hosts = Hosts::new(context)?;
    judge::allows_checks(args)?;
    let wanted = Wanted::of(args, &hosts.options.settings.defaults)?;
    let sides = sides::open(&hosts, &wanted)?;
    let directory = journal::state_directory().or_stop(Outcome::Unknown)?;
    let store = Store::at(&directory);
    let journals = store.list().or_stop(Outcome::Unknown)?;
    let claims = facts::claims(&journals);
    let mut excluded = BTreeSet::new();
    if args.dry_run || args.save_plan.is_some() {
        return dry_run(context, args, &hosts, &sides, &plan::make(&hosts, &sides, &wanted, &claims, &excluded)?);
    }
    let Sides::Live { source, destination, guest, mark } = &sides else {
        return Err(Stop::usage("a snapshot is not a live host: it serves for preflight and --dry-run only"));
    };
    // A migration that has ended stays so: its journal need not be read again. One without records has yet to begin.
    let closed = journals.iter().filter(|listed| listed.is_closed() && listed.state().is_some());
    let closed: BTreeSet<String> = closed.map(|listed| listed.id.clone()).collect();
    // Whether one of these has ended is asked once nobody else can be at work on the guest.
    if let Some(why) = mark.obstacle(|id| store.knows(id)) {
        return Err(Stop::refused(format!("{} {why}", guest.name)));
    }
    let mut tried = false;
    let signals = Signals::hear(&context.printer).or_stop(Outcome::Unknown)?;
    let mut agreed = None;
    for _ in 0..MOST_PLANS {
        let planned = plan::make(&hosts, &sides, &wanted, &claims, &excluded)?;
        usable::are_usable([&planned.facts.source, &planned.facts.destination], &sides, args)?;
        if let Some(access) = nova::access(&hosts, args, &planned)? {
            let run = nova::Run { context, args, hosts: &hosts, sides: [source, destination] };
            let outcome = run.migrate(&directory, &signals, access, &planned)?;
            sides.close();
            return Ok(outcome);
        }
        let migration = approved(context, args, &planned)?;
        let locks = match lock(&directory, &migration)? {
            Locked::All(locks) => locks,
            Locked::Taken(device) => {
                context.printer.note(&format!("{device} is claimed by another pvm: planning again without it"));
                excluded.insert(device);
                continue;
            }
        };
        let since = store.list_if(|id| !closed.contains(id)).or_stop(Outcome::Unknown)?;
        refuse_unfinished(&since, source.hypervisor.as_ref(), &migration)?;
        if let Some(device) = claimed_since(&since, &destination.uuid, &migration.map) {
            context.printer.note(&format!("{device} is claimed by another migration: planning again without it"));
            excluded.insert(device);
            continue;
        }
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
        let mut journal = store.create(migration.clone()).or_stop(Outcome::Unknown)?;
        let events = Events::show(Reporter::new(&context.printer));
        let mut world = Moving { world: RealWorld::new(context, &hosts, migration.clone()), events: &events };
        let ending = perform(&mut world, &signals, [source, destination], &migration, &mut journal);
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
    let message = format!("the devices {} would get are taken again and again by others", guest.name);
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
    usable::are_usable([&planned.facts.source, &planned.facts.destination], sides, args)?;
    let access = nova::access(hosts, args, planned)?;
    let outcome = announce::show(context, args, planned, access.is_some())?;
    if let (Some(access), Sides::Live { source, destination, .. }) = (access, sides) {
        nova::Run { context, args, hosts, sides: [source, destination] }.show(access, planned)?;
    }
    if let Some(path) = &args.save_plan {
        let name = &planned.facts.domain().name;
        let unplanned = || Stop::refused(format!("{name} has no device map: there is no plan to save"));
        saved::save(context, path, planned.plan.as_ref().ok_or_else(unplanned)?)?;
    }
    Ok(outcome)
}

/// The migration, once it is known that it may be carried out, and told.
fn approved(context: &Context, args: &Migrate, planned: &Planned) -> Result<journal::Plan, Stop> {
    if args.rehearse {
        return rehearse::migration(context, args, planned);
    }
    announce::announce(context, args, planned);
    judge::judge(context, args, planned, false).cloned()
}

enum Locked {
    All(Vec<Lock>),
    Taken(PciAddress),
}

/// Whether the guest is to get this device of the destination.
fn gets(map: &[DeviceMove], device: PciAddress) -> bool {
    map.iter().any(|moved| moved.destination == device)
}

/// A device that the guest is to get, and that a migration keeps whose pvm died while this one planned: its locks went with
/// it, its claims did not.
fn claimed_since(journals: &[Listed], destination: &str, map: &[DeviceMove]) -> Option<PciAddress> {
    facts::claimed(&facts::claims(journals), Some(destination)).find(|device| gets(map, *device))
}

/// Locks the guest and every device it is to get, against other pvm processes of this machine.
fn lock(directory: &Path, migration: &journal::Plan) -> Result<Locked, Stop> {
    let purpose = format!("migration {}", migration.id);
    let guest = Subject::Guest(migration.instance.uuid.clone());
    let guest = Lock::take(directory, &guest, &purpose).map_err(|error| match error {
        LockError::Held { .. } => Stop::refused(format!("{}: {error}", migration.instance.name)),
        other => Stop::unknown(sentence(&other)),
    })?;
    let mut locks = vec![guest];
    for moved in &migration.map {
        let host = migration.destination.uuid.clone().unwrap_or_default();
        let device = Subject::Device(host, moved.destination);
        match Lock::take(directory, &device, &purpose) {
            Ok(lock) => locks.push(lock),
            Err(LockError::Held { .. }) => return Ok(Locked::Taken(moved.destination)),
            Err(other) => return Err(Stop::unknown(sentence(&other))),
        }
    }
    Ok(Locked::All(locks))
}

/// A migration that waits for `pvm recover` comes first, also one whose journal only the guest's mark ties to it.
fn refuse_unfinished(journals: &[Listed], source: &dyn Hypervisor, migration: &journal::Plan) -> Result<(), Stop> {
    let Instance { name, uuid } = &migration.instance;
    let open: Vec<_> = journals.iter().filter(|listed| !listed.is_closed()).collect();
    if open.is_empty() {
        return Ok(());
    }
    let marked = mark::read(source, uuid).or_stop(Outcome::Unknown)?;
    for listed in open {
        let id = &listed.id;
        let is_of_guest = listed.state().is_some_and(|state| state.plan.instance.uuid == *uuid);
        let message = if is_of_guest {
            format!("migration {id} of {name} is not finished: pvm recover {id}")
        } else if matches!(&marked, Found::Mark(mark) if mark.id == *id) {
            format!(
                "{name} is marked by migration {id}, whose journal does not say that it has ended: pvm recover {id}"
            )
        } else {
            continue;
        };
        return Err(Stop::new(Outcome::Undecided, message));
    }
    Ok(())
}

fn confirmed(context: &Context) -> Result<bool, Stop> {
    if !io::stdin().is_terminal() {
        return Err(Stop::usage("confirmation required, but stdin is not a terminal; use --yes"));
    }
    context.printer.ask("Go on? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).or_stop(Outcome::Unknown)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The world of a migration that this process makes: its events go to those who watch.
struct Moving<'a> {
    world: RealWorld<'a>,
    events: &'a Events,
}

impl World for Moving<'_> {
    fn connect(&self, side: Side) -> Result<Box<dyn Hypervisor>, String> {
        self.world.connect(side)
    }

    fn evidence(&self, side: Side, since: Timestamp) -> Received {
        self.world.evidence(side, since)
    }

    fn pause(&self, time: Duration) {
        self.world.pause(time);
    }

    fn say(&mut self, line: &str) {
        let what = What::Note { message: line.to_owned() };
        let id = self.world.plan().id.clone();
        self.events.send(Event { time: journal::now(), id, phase: Phase::Verify, what });
    }

    fn tell(&mut self, event: &Event) {
        self.events.send(event.clone());
    }
}

fn perform(
    world: &mut Moving<'_>,
    signals: &Signals,
    [source, destination]: [&sides::Side; 2],
    migration: &journal::Plan,
    journal: &mut Journal,
) -> Ending {
    let line = Line::new();
    let answer = Box::new(world.events.wish_to_stop(&migration.id, journal::now));
    signals.begin(&migration.id, migration.parameters.direct, line.sender(), answer);
    let state = State::begun(migration.clone(), journal::now());
    let mut ground = Ground::new(world, journal, state)
        .connected(Arc::clone(&source.hypervisor), Arc::clone(&destination.hypervisor));
    forward::migrate(&mut ground, migration, &line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{self, Action, Entry, Host, Receipt};

    #[test]
    fn what_a_migration_keeps_that_died_meanwhile_is_not_given_to_another_guest() {
        let address = |text: &str| text.parse::<PciAddress>().unwrap();
        let moved = |destination| DeviceMove::new(address("0000:81:00.1"), address(destination), Action::Migrate);
        let (kept, map) = ("0000:c1:00.7", [moved("0000:c1:00.1"), moved("0000:c1:00.7")]);
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let uuid = |to: &str| format!("0aeb4c2e-0000-4000-8000-00000000000{to}");
        let claimed = || claimed_since(&store.list().unwrap(), &uuid("b"), &map);
        assert_eq!(claimed(), None);
        let begin = |id: &str, to: &str, destination| {
            // However it was spelled.
            let destination_host = Host { name: id.into(), uri: String::new(), uuid: Some(uuid(to)) };
            let map = vec![moved(destination)];
            store
                .create(journal::Plan { id: id.into(), destination: destination_host, map, ..journal::Plan::default() })
                .unwrap()
        };
        begin("m-1", "c", kept);
        begin("m-2", "b", "0000:c1:00.2");
        assert_eq!(claimed(), None, "of another host, or another device");
        let mut journal = begin("m-3", "b", kept);
        assert_eq!(claimed(), Some(address(kept)));
        journal.append(&Entry::Undone { receipt: Receipt::default() }).unwrap();
        assert_eq!(claimed(), None);
    }
}
