//! What this machine's pvm has done, in numbers.

use super::{Context, OrStop as _, Stop};
use crate::journal::index::{self, Known};
use crate::journal::{Came, Drains, Fate, JournalError, State, Store, state_directory};
use crate::model::outcome::Outcome;
use crate::output::prometheus::{Done, LastDrain};
use crate::output::text::printable;

/// The numbers; none where the journals cannot be read, which is told.
pub(crate) fn done(context: &Context) -> Option<Done> {
    read().map_err(|stop| context.printer.complain(&format!("pvm: {}", printable(&stop.sentence())))).ok()
}

fn read() -> Result<Done, Stop> {
    let directory = state_directory().or_stop(Outcome::Unknown)?;
    let mut done = migrations(&Store::at(&directory)).or_stop(Outcome::Unknown)?;
    // Oldest first: the last drain of each host counts.
    for record in Drains::at(&directory).list().or_stop(Outcome::Unknown)? {
        let count = |fate: &Fate| record.guests.iter().filter(|guest| guest.fate.name() == fate.name()).count();
        let drain = LastDrain {
            begun: record.begun,
            is_cordoned: record.is_cordoned,
            guests: record.guests.iter().map(|guest| (guest.fate.name(), count(&guest.fate))).collect(),
        };
        done.drains.insert(record.host.name, drain);
    }
    Ok(done)
}

fn migrations(store: &Store) -> Result<Done, JournalError> {
    let mut done = Done { by_result: Came::ALL.map(|came| (came.name(), 0)).into(), ..Done::default() };
    let index = index::read(store)?;
    for past in index.newest_first() {
        if let Some(known) = past.known {
            count(&mut done, &known);
            continue;
        }
        let listed = store.listed(past.id);
        let is_sound = listed.content.as_ref().is_ok_and(|parsed| parsed.trouble.is_none());
        match listed.state() {
            _ if !is_sound => done.unreadable += 1,
            Some(state) => match closed(&state) {
                Some(known) => count(&mut done, &known),
                None => *done.by_result.entry(state.came().name()).or_default() += 1,
            },
            // Nothing had begun.
            None => {}
        }
    }
    Ok(done)
}

fn closed(state: &State) -> Option<Known<'_>> {
    Known::of(state).filter(|_| state.is_closed())
}

/// Counts one that is over. They come newest first.
fn count(done: &mut Done, known: &Known<'_>) {
    *done.by_result.entry(known.came.name()).or_default() += 1;
    let failed = [Outcome::Undone, Outcome::Incomplete, Outcome::Undecided].map(Outcome::code);
    done.failed += u64::from(failed.contains(&known.exit_code));
    done.last_end = done.last_end.max(Some(known.ended));
    if let Some(ms) = known.downtime_ms {
        done.last_downtime_ms.get_or_insert(ms);
        done.longest_downtime_ms = done.longest_downtime_ms.max(Some(ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Plan, Receipt};

    #[test]
    fn what_is_on_record_is_counted_and_nothing_is_no_number() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let none = migrations(&store).unwrap();
        assert_eq!((none.last_downtime_ms, none.longest_downtime_ms, none.last_end), (None, None, None));
        assert!(none.by_result.values().all(|count| *count == 0) && none.by_result.len() == Came::ALL.len());
        let begin = |id: &str| store.create(Plan { id: id.into(), ..Plan::default() }).unwrap();
        let over = |id: &str, exit_code, downtime_ms| {
            begin(id)
                .append(&Entry::Done { receipt: Receipt { exit_code, downtime_ms, ..Receipt::default() } })
                .unwrap();
        };
        over("a-1", 0, Some(70));
        over("a-2", 0, Some(30));
        over("a-3", 5, None);
        begin("a-4");
        let mut undone = begin("a-5");
        undone.append(&Entry::Undone { receipt: Receipt { exit_code: 4, ..Receipt::default() } }).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test damages a journal")]
        std::fs::write(dir.path().join("closed/a-6.ndjson"), "{}\n{}\n").unwrap();
        for _ in 0..2 {
            let done = migrations(&store).unwrap();
            let of = |result: &str| done.by_result[result];
            assert_eq!(["migrated", "incomplete", "undone", "unfinished"].map(of), [2, 1, 1, 1]);
            assert_eq!((done.failed, done.unreadable), (2, 1));
            assert_eq!((done.last_downtime_ms, done.longest_downtime_ms), (Some(30), Some(70)));
            assert!(done.last_end.is_some());
        }
    }
}
