//! Every migration that waits, several at once: one that fails, or whose hosts do not answer, does not keep the others from
//! being seen to.

#![expect(clippy::disallowed_methods, reason = "an edge: a limit is a matter of the clock")]

use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Entry, graver, is_held, one};
use crate::commands::{Context, OrStop as _, Stop};
use crate::journal::Store;
use crate::migration::orders::Orders;
use crate::model::outcome::Outcome;
use crate::output::text::printable;

/// Migrations at once.
const AT_ONCE: usize = 8;
/// How long one may take. Every call ends by itself much earlier; the unit's own limit is above this.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// One that is being seen to.
struct Running {
    id: String,
    context: Context,
    until: Instant,
}

/// Recovers all. Each says what it did when it has ended.
pub(super) fn run(
    context: &Context,
    store: &Store,
    directory: &Path,
    orders: Orders,
) -> Result<(Vec<Entry>, Outcome), Stop> {
    let listed = store.list().or_stop(Outcome::Unknown)?;
    let waiting = listed.iter().filter(|journal| !journal.is_closed());
    let mut ids = waiting
        .filter(|journal| !journal.state().is_some_and(|state| is_held(directory, &state)))
        .map(|journal| journal.id.clone());
    let (done, ended) = mpsc::channel();
    let (mut running, mut entries, mut worst) = (Vec::<Running>::new(), Vec::new(), Outcome::Fine);
    loop {
        while running.len() < AT_ONCE
            && let Some(id) = ids.next()
        {
            let own = Context { printer: context.printer.holding(), ..context.clone() };
            running.push(Running { id: id.clone(), context: own.clone(), until: Instant::now() + LIMIT });
            let (store, directory, done) = (store.clone(), directory.to_owned(), done.clone());
            std::thread::spawn(move || {
                let result = one(&own, &store, &directory, &id, orders);
                // Nobody listens any more past the limit.
                let _ = done.send((id, result));
            });
        }
        let Some(until) = running.iter().map(|one| one.until).min() else { break };
        match ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok((id, result)) => {
                let Some(at) = running.iter().position(|one| one.id == id) else { continue };
                // A reader that has gone away does not stop a recovery.
                let _ = running.swap_remove(at).context.printer.release();
                match result {
                    Ok((more, outcome)) => {
                        entries.extend(more);
                        worst = graver(worst, outcome);
                    }
                    Err(error) => {
                        context.printer.complain(&format!("pvm: {}", printable(&error.sentence())));
                        worst = graver(worst, error.outcome);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let now = Instant::now();
                for late in running.extract_if(.., |one| one.until <= now) {
                    let _ = late.context.printer.release();
                    let minutes = LIMIT.as_secs() / 60;
                    context.printer.complain(&format!(
                        "pvm: {}: recovery has not ended within {minutes} minutes; the next one goes on with it",
                        late.id
                    ));
                    worst = graver(worst, Outcome::Undecided);
                }
            }
        }
    }
    entries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((entries, worst))
}
