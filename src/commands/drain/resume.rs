//! What goes on where an earlier pvm left a drain.

use std::path::Path;

use crate::commands::{Context, OrStop as _, Stop, recover};
use crate::journal::{DrainGuest, DrainRecord, Drains, Fate, Store};
use crate::migration::orders::Orders;
use crate::model::outcome::Outcome;
use crate::output::text::printable;

/// Brings every migration that was under way to its end: both of its hosts are asked.
pub(super) fn settle(context: &Context, directory: &Path, drains: &Drains, record: &DrainRecord) -> Result<(), Stop> {
    let store = Store::at(directory);
    let mut record = record.clone();
    for guest in record.guests.clone() {
        let Fate::Moving { migration } = &guest.fate else { continue };
        // Its journal had not begun: nothing was changed.
        if store.knows(migration) && !store.is_over(migration) {
            let orders = Orders { auto: true, waits: true, ..Orders::default() };
            let (_, outcome) = recover::one(context, &store, directory, migration, orders)?;
            if !store.is_over(migration) {
                let message = format!(
                    "the migration of {} is not over: pvm recover {migration}, then --resume again",
                    printable(&guest.name)
                );
                return Err(Stop::new(if outcome == Outcome::Fine { Outcome::Undecided } else { outcome }, message));
            }
        }
        // Where it is now, the fresh facts tell.
        drains.settle(&mut record, &guest.uuid, Fate::Waiting).or_stop(Outcome::Undecided)?;
    }
    Ok(())
}

/// What is otherwise than it was planned.
pub(super) fn differences(record: &DrainRecord, now: &[DrainGuest]) -> Vec<String> {
    let mut lines = Vec::new();
    for before in &record.guests {
        let today = now.iter().find(|guest| guest.uuid == before.uuid);
        let line = match (today.map(|guest| (guest.destination.as_deref(), &guest.fate)), before.destination.as_deref())
        {
            (None, _) => match after(&before.fate) {
                fate if fate == before.fate => continue,
                Fate::Gone => "is not there any more".to_owned(),
                _ => "has left".to_owned(),
            },
            (Some((to, _)), planned) if to == planned => continue,
            (Some((Some(to), _)), Some(planned)) => format!("goes to {to}, not to {planned}"),
            (Some((Some(to), _)), None) => format!("can leave now, to {to}"),
            (Some((None, Fate::Stays { why })), _) => format!("stays now: {why}"),
            (Some((None, _)), _) => "stays now".to_owned(),
        };
        lines.push(format!("{}: {line}", before.name));
    }
    let is_new = |guest: &&DrainGuest| !record.guests.iter().any(|before| before.uuid == guest.uuid);
    for guest in now.iter().filter(is_new) {
        lines.push(match &guest.destination {
            Some(to) => format!("{}: new on the host, goes to {to}", guest.name),
            None => format!("{}: new on the host, stays", guest.name),
        });
    }
    lines
}

/// The guests of the record, with what the new plan says of those that are still there.
pub(super) fn merged(record: &DrainRecord, now: &[DrainGuest]) -> Vec<DrainGuest> {
    let is_there = |guest: &&DrainGuest| now.iter().any(|other| other.uuid == guest.uuid);
    let gone = record.guests.iter().filter(|guest| !is_there(guest)).cloned();
    let gone = gone.map(|guest| DrainGuest { fate: after(&guest.fate), ..guest });
    gone.chain(now.iter().cloned()).collect()
}

/// The fate of a guest that is not there any more. One whose migration was begun has left by it.
fn after(fate: &Fate) -> Fate {
    match fate {
        Fate::Left | Fate::Moving { .. } => Fate::Left,
        Fate::Waiting | Fate::Stays { .. } | Fate::Gone => Fate::Gone,
    }
}
