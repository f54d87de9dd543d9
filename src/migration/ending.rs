//! How a migration ends, and the one sentence that says so. Pure.

use super::words::{but, list};
use crate::journal::{Receipt, Side};
use crate::libvirt::{HypervisorError, Job};
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;

/// How a migration ended, or where it stands when it cannot be ended now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    /// The exit code's meaning.
    pub outcome: Outcome,
    /// The last row of the table that was taken.
    pub row: &'static str,
    /// Whether nothing is left to do.
    pub closed: bool,
    /// What it came to.
    pub receipt: Receipt,
    /// The device that another guest had taken, when that is why all was undone.
    pub taken: Option<PciAddress>,
}

/// Why the guest is not where it was to be.
#[derive(Debug, Clone)]
pub(crate) struct Failed {
    /// How a run ends that fails so and is undone.
    pub outcome: Outcome,
    /// The reason in words.
    pub why: String,
    /// libvirt's error, where it was one.
    pub error: Option<HypervisorError>,
}

impl Failed {
    /// A failure of pvm's own.
    pub(crate) fn new(outcome: Outcome, why: impl Into<String>) -> Self {
        Self { outcome, why: why.into(), error: None }
    }

    /// A failed call.
    pub(crate) fn of(outcome: Outcome, error: HypervisorError) -> Self {
        Self { outcome, why: error.to_string(), error: Some(error) }
    }
}

/// What the process that made the migration knows of it beyond the journal.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// Why the guest was not moved, as far as the way there tells.
    pub failed: Option<Failed>,
    /// The final numbers of libvirt's job.
    pub job: Option<Job>,
}

/// What the last sentence is made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Told<'a> {
    pub(super) guest: &'a str,
    /// Where the guest is, with the host's name.
    pub(super) place: Option<(Side, &'a str)>,
    /// What it has lost, each in words that follow "but".
    pub(super) losses: Vec<String>,
    /// Why it did not move.
    pub(super) failed: Option<&'a str>,
    /// Why the migration is not finished.
    pub(super) open: Option<&'a str>,
    /// What to call to finish it.
    pub(super) see: Option<&'a str>,
}

/// Where the guest is, what it has lost, and why if that is not what was wanted.
pub(super) fn last_words(told: &Told<'_>, outcome: Outcome) -> String {
    let guest = told.guest;
    let see = told.see.map(|see| format!("see: {see}"));
    let reason = told.failed.map_or(String::new(), |why| format!(": {why}"));
    let open = told.open.map(|why| {
        let failed = told.failed.filter(|failed| !why.contains(failed));
        let all: Vec<_> = failed.into_iter().chain([why]).chain(see.as_deref()).collect();
        all.join("; ")
    });
    let unfinished = open.as_ref().map(|open| format!("the migration is not finished: {open}"));
    match told.place {
        Some((Side::Destination, host)) => {
            let unfinished = told.open.map(|why| {
                let all: Vec<_> = [why].into_iter().chain(see.as_deref()).collect();
                format!("the migration is not finished: {}", all.join("; "))
            });
            but(&format!("{guest} runs on {host}"), &all(&told.losses, unfinished))
        }
        Some((Side::Source, host)) => {
            let stays = format!("{guest} stays on {host}");
            match (outcome, open) {
                (Outcome::Findings | Outcome::Unknown, Some(open)) => format!("{stays}, nothing was changed: {open}"),
                (_, Some(_)) => but(&stays, &all(&told.losses, unfinished)),
                (Outcome::Findings | Outcome::Unknown, None) => format!("{stays}, nothing was changed{reason}"),
                (Outcome::Incomplete, None) => format!("{}; it did not move{reason}", but(&stays, &told.losses)),
                (_, None) => format!("{stays}, all was undone{reason}"),
            }
        }
        None => {
            let head = if told.losses.is_empty() {
                String::new()
            } else {
                format!("{guest}: {}; ", list(told.losses.iter().cloned()))
            };
            format!("{head}{}", open.unwrap_or_else(|| "nothing was changed".to_owned()))
        }
    }
}

fn all(losses: &[String], open: Option<String>) -> Vec<String> {
    losses.iter().cloned().chain(open).collect()
}

/// How a run ends whose last record cannot be written: the migration is then not finished, even if nothing but that record is
/// missing. What had not begun is no more than unknown.
pub(super) const fn unrecorded(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Findings | Outcome::Unknown => Outcome::Unknown,
        Outcome::Undecided => Outcome::Undecided,
        Outcome::Fine | Outcome::Usage | Outcome::Undone | Outcome::Incomplete | Outcome::Interrupted => {
            Outcome::Incomplete
        }
    }
}
