//! How a drain ended: what became of each guest, the exit code, the last word.

use std::collections::BTreeMap;

use crate::commands::Context;
use crate::drain::Drain;
use crate::journal::{self, DrainGuest, DrainRecord, Fate};
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::paste::quoted;
use crate::model::time::Timestamp;
use crate::output::drain::{self as output, Came, Ended, guests, time};
use crate::output::preflight::Unreachable;
use crate::output::text::printable;

/// What is known at the end.
pub(super) struct End<'a> {
    pub(super) outcome: Outcome,
    pub(super) outcomes: &'a [Came],
    /// Why nobody could say what runs on the host now.
    pub(super) unknown: Option<String>,
    /// Whether the whole host was to be emptied.
    pub(super) is_whole: bool,
    pub(super) begun: Timestamp,
}

impl End<'_> {
    /// Tells it.
    pub(super) fn tell(&self, context: &Context, plan: &Drain, unreachable: &[Unreachable], record: &DrainRecord) {
        let word = quoted(&record.host.name);
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        let took = time(journal::now().since(self.begun) as f64 / 1000.0);
        let left = record.guests.iter().filter(|guest| guest.fate == Fate::Left).count();
        let summary = summary(&plan.host, self.outcomes, self.unknown.as_deref(), self.is_whole, left, &took);
        let summary = printable(&summary);
        let ended =
            Ended { id: &record.id, exit_code: self.outcome.code(), summary: &summary, outcomes: self.outcomes };
        if let Err(error) = output::result(&context.printer, plan, unreachable, &ended) {
            context.printer.complain(&format!("pvm: {summary}: {}", sentence(&error)));
        }
        if !record.is_over {
            context.printer.note(&format!("To go on: pvm drain {word} --resume"));
        }
        context.printer.note(&format!("No pvm of this machine moves guests there until: pvm drain {word} --uncordon"));
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

/// What became of every guest of the record.
pub(super) fn outcomes(record: &DrainRecord, came: &BTreeMap<String, Came>) -> Vec<Came> {
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
pub(super) fn outcome(outcomes: &[Came], is_interrupted: bool, is_known: bool) -> Outcome {
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
