//! One attempt at a migration: what comes before its journal, and the way from there to its end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::plan::{self, Planned};
use super::sides::{Side, Sides};
use super::wanted::Wanted;
use super::{announce, facts, judge, rehearse, usable};
use crate::cli::migrate::Migrate;
use crate::commands::hosts::Hosts;
use crate::commands::recover::RealWorld;
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::{self, Drains, Instance, Journal, Listed, Lock, LockError, State, Store, Subject};
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
use crate::proof::Received;

/// What all attempts at one migration rest on.
pub(super) struct Attempts<'a> {
    context: &'a Context,
    args: &'a Migrate,
    hosts: &'a Hosts,
    sides: &'a Sides,
    wanted: &'a Wanted,
    /// The state directory.
    pub(super) directory: PathBuf,
    /// The journals of this machine.
    pub(super) store: Store,
    claims: Vec<journal::Claim>,
    /// Migrations that have ended: their journals need not be read again.
    closed: BTreeSet<String>,
}

/// What comes before the journal.
pub(super) enum Ready {
    /// Nothing stands against the migration, and nobody else is at work on what it touches.
    Go(Box<Go>),
    /// Somebody else is to have this device, which was said.
    Taken(PciAddress),
}

/// A migration that may begin.
pub(super) struct Go {
    pub(super) planned: Planned,
    pub(super) migration: journal::Plan,
    /// The guest's and its devices', to be held until the end.
    pub(super) locks: Vec<Lock>,
}

impl<'a> Attempts<'a> {
    /// Reads what other migrations keep.
    pub(super) fn new(
        context: &'a Context,
        args: &'a Migrate,
        hosts: &'a Hosts,
        sides: &'a Sides,
        wanted: &'a Wanted,
    ) -> Result<Self, Stop> {
        let directory = journal::state_directory().or_stop(Outcome::Unknown)?;
        let store = Store::at(&directory);
        let journals = store.list().or_stop(Outcome::Unknown)?;
        let claims = facts::claims(&journals);
        // One without records has yet to begin.
        let closed = journals.iter().filter(|listed| listed.is_closed() && listed.state().is_some());
        let closed = closed.map(|listed| listed.id.clone()).collect();
        Ok(Self { context, args, hosts, sides, wanted, directory, store, claims, closed })
    }

    /// Plans by the facts of now.
    pub(super) fn plan(&self, excluded: &BTreeSet<PciAddress>) -> Result<Planned, Stop> {
        let drains = Drains::at(&self.directory);
        let planned = plan::make(self.hosts, self.sides, self.wanted, &self.claims, excluded, &drains)?;
        usable::are_usable([&planned.facts.source, &planned.facts.destination], self.sides, self.args)?;
        Ok(planned)
    }

    /// Both ends, unless one is a file or the guest is marked by a migration.
    pub(super) fn live(&self) -> Result<[&'a Side; 2], Stop> {
        let Sides::Live { source, destination, guest, mark } = self.sides else {
            return Err(Stop::usage("a snapshot is not a live host: it serves for preflight and --dry-run only"));
        };
        // Whether one of these has ended is asked once nobody else can be at work on the guest.
        if let Some(why) = mark.obstacle(|id| self.store.knows(id)) {
            return Err(Stop::refused(format!("{} {why}", guest.name)));
        }
        Ok([source, destination])
    }

    /// Judges the plan and locks what it touches.
    pub(super) fn ready(&self, [source, destination]: [&Side; 2], planned: Planned) -> Result<Ready, Stop> {
        let migration = approved(self.context, self.args, &planned)?;
        let taken = |device, by| {
            self.context.printer.note(&format!("{device} is claimed by another {by}: planning again without it"));
            Ok(Ready::Taken(device))
        };
        let locks = match lock(&self.directory, &migration)? {
            Locked::All(locks) => locks,
            Locked::Taken(device) => return taken(device, "pvm"),
        };
        let since = self.store.list_if(|id| !self.closed.contains(id)).or_stop(Outcome::Unknown)?;
        refuse_unfinished(&since, source.hypervisor.as_ref(), &migration)?;
        if let Some(device) = claimed_since(&since, &destination.uuid, &migration.map) {
            return taken(device, "migration");
        }
        Ok(Ready::Go(Box::new(Go { planned, migration, locks })))
    }
}

/// The migration, once it is known that it may be carried out, and told.
fn approved(context: &Context, args: &Migrate, planned: &Planned) -> Result<journal::Plan, Stop> {
    if args.rehearse {
        return rehearse::migration(context, args, planned);
    }
    announce::announce(context, args, planned);
    judge::judge(context, args, planned, false).cloned()
}

/// The locks of a migration.
pub(super) enum Locked {
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
pub(super) fn lock(directory: &Path, migration: &journal::Plan) -> Result<Locked, Stop> {
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
pub(super) fn refuse_unfinished(
    journals: &[Listed],
    source: &dyn Hypervisor,
    migration: &journal::Plan,
) -> Result<(), Stop> {
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

/// The world of a migration that this process makes: its events go to those who watch.
pub(super) struct Moving<'a> {
    pub(super) world: RealWorld<'a>,
    pub(super) tell: &'a dyn Fn(Event),
}

impl World for Moving<'_> {
    fn connect(&self, side: journal::Side) -> Result<Box<dyn Hypervisor>, String> {
        self.world.connect(side)
    }

    fn evidence(&self, side: journal::Side, since: Timestamp) -> Received {
        self.world.evidence(side, since)
    }

    fn pause(&self, time: Duration) {
        self.world.pause(time);
    }

    fn say(&mut self, line: &str) {
        let what = What::Note { message: line.to_owned() };
        let id = self.world.plan().id.clone();
        (self.tell)(Event { time: journal::now(), id, phase: Phase::Verify, what });
    }

    fn tell(&mut self, event: &Event) {
        (self.tell)(event.clone());
    }
}

/// Makes the migration, which hears of a wish to stop by `line`.
pub(super) fn perform(
    world: &mut Moving<'_>,
    [source, destination]: [&Side; 2],
    migration: &journal::Plan,
    journal: &mut Journal,
    line: &Line,
) -> Ending {
    let state = State::begun(migration.clone(), journal::now());
    let mut ground = Ground::new(world, journal, state)
        .connected(Arc::clone(&source.hypervisor), Arc::clone(&destination.hypervisor));
    forward::migrate(&mut ground, migration, line)
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
