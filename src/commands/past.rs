//! Where a guest is that this machine's pvm migrated: what somebody is told who looks for it where it was.

use super::Stop;
use crate::journal::index::{self, Known};
use crate::journal::{Came, Store, now, state_directory};
use crate::migration::lookup::LookupError;

/// Why a guest was not found; one that has moved away is told by the journals of this machine.
pub(super) fn not_found(error: &LookupError) -> Stop {
    match error {
        LookupError::Ambiguous { .. } => Stop::refused(error.to_string()),
        LookupError::Hypervisor(_) => Stop::unknown(error.to_string()),
        LookupError::Absent { wanted, .. } => match last(wanted) {
            Some(last) => Stop::unknown(format!("{error}: {last}")),
            None => Stop::unknown(error.to_string()),
        },
    }
}

/// What the last migration of a guest came to, when it may be the reason that it is not there.
fn last(wanted: &str) -> Option<String> {
    let store = Store::at(state_directory().ok()?);
    let index = index::read(&store).ok()?;
    let is_of = |known: &Known<'_>| known.guest == wanted || known.uuid.eq_ignore_ascii_case(wanted);
    let may_be_of = |past: &index::Past<'_>| past.known.as_ref().is_none_or(is_of);
    index.newest_first().filter(may_be_of).find_map(|past| {
        if let Some(known) = &past.known {
            return told(past.id, known);
        }
        let state = store.listed(past.id).state()?;
        match Known::of(&state) {
            Some(known) => Some(known).filter(is_of).and_then(|known| told(past.id, &known)),
            None if state.plan.instance.name == wanted || state.plan.instance.uuid.eq_ignore_ascii_case(wanted) => {
                Some(format!(
                    "its migration {id} to {to} is not finished: pvm recover {id}",
                    id = past.id,
                    to = state.plan.destination.name
                ))
            }
            None => None,
        }
    })
}

fn told(id: &str, known: &Known<'_>) -> Option<String> {
    matches!(known.came, Came::Migrated | Came::Incomplete)
        .then(|| format!("it moved to {} at {} by migration {id}", known.destination, known.ended.hour(now())))
}
