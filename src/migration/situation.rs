//! What the decision table is asked, and its answer: the first row that fits. Pure.

use super::action::{Action, Exit};
use super::answer::{self, Answer, Job, Seen};
use super::cancel::Halted;
use super::table::{Condition, LAST_ROW, Row, TABLE};
use crate::journal::{Keep, Last, Side, State};
use crate::model::outcome::Outcome;

/// What the table is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Situation {
    /// Whether the journal is damaged or newer.
    pub trouble: bool,
    /// The last record.
    pub last: Last,
    /// What the source answers.
    pub source: Answer,
    /// What the destination answers.
    pub destination: Answer,
    /// The job on the source.
    pub job: Job,
    /// Whether every port is still in the guest on the source.
    pub ports_there: bool,
    /// Whether QEMU's log proves that the guest never ran on the destination.
    pub never_ran: bool,
    /// Whether the migration is cancelled and does not end.
    pub halted: Option<Halted>,
    /// Which copy the operator keeps.
    pub keep: Option<Keep>,
    /// Whether the journal names both hosts by their UUIDs, so that what answers is known to be them.
    pub identified: bool,
}

impl Situation {
    /// The situation of a migration whose hosts were seen like this. What only a log or QEMU can tell is asked apart.
    pub(crate) fn of(journal: &State, source: &Seen, destination: &Seen) -> Self {
        Self {
            trouble: false,
            last: journal.last,
            source: answer::source(source, journal),
            destination: answer::destination(destination, journal),
            job: match source {
                // A source that is dead has no job.
                Seen::Unreachable(silence) if journal.source_is_dead && !silence.daemon_answers => Job::None,
                Seen::Unreachable(_) | Seen::Absent | Seen::Present { .. } => source.job(),
            },
            ports_there: answer::ports_there(source, journal),
            never_ran: false,
            halted: None,
            keep: journal.keep,
            identified: [&journal.plan.source, &journal.plan.destination].iter().all(|host| host.uuid.is_some()),
        }
    }

    /// Whether a host does not answer.
    pub(crate) fn is_silent(&self) -> bool {
        self.source == Answer::Unreachable || self.destination == Answer::Unreachable
    }

    /// Where the guest runs, when both hosts say so.
    pub(crate) fn place(&self) -> Option<Side> {
        let runs = Answer::runs;
        let gone = |answer| matches!(answer, Answer::Absent | Answer::Off | Answer::OffMigrated | Answer::OffOther);
        match (self.source, self.destination) {
            (source, destination) if runs(source) && gone(destination) => Some(Side::Source),
            (source, destination) if gone(source) && runs(destination) => Some(Side::Destination),
            _ => None,
        }
    }
}

/// What the table answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    /// The row.
    pub row: &'static Row,
    /// What to do: the row's action, or what the operator chose.
    pub action: Action,
    /// How the run ends.
    pub exit: Exit,
    /// Whether it may be done with nobody there.
    pub auto: bool,
}

/// Takes the first row that fits.
pub(crate) fn decide(situation: Situation) -> Decision {
    let row = TABLE.iter().find(|row| fits(row, situation)).unwrap_or(&LAST_ROW);
    let chosen = situation.keep.and_then(|keep| row.choices.iter().find(|(choice, _)| *choice == keep));
    if let Some((_, action)) = chosen {
        return Decision { row, action: *action, exit: exit_of_choice(*action), auto: false };
    }
    let auto = row.auto && (situation.identified || !rests_on_absence(row, situation));
    Decision { row, action: row.action, exit: row.exit, auto }
}

/// Whether a row is taken because a host says that the guest does not run there, which another host under its name would
/// say, too. Rows for any destination rest on the source alone.
fn rests_on_absence(row: &Row, situation: Situation) -> bool {
    let absent = |answer| matches!(answer, Answer::Absent | Answer::Off | Answer::OffMigrated | Answer::OffOther);
    absent(situation.source) || (absent(situation.destination) && !row.destination.is_empty())
}

/// How a run ends that carries out the operator's choice.
const fn exit_of_choice(action: Action) -> Exit {
    match action {
        Action::DestroySourceAndFinish
        | Action::KeepDestination
        | Action::ResumeDestination
        | Action::AttachInDefinition => Exit::FineUnlessMissing,
        Action::GiveUp | Action::CloseStartedAnew | Action::CloseOff => Exit::Ends(Outcome::Incomplete),
        _ => Exit::UndoneUnlessLost,
    }
}

fn fits(row: &Row, situation: Situation) -> bool {
    fn has<T: PartialEq>(cells: &[T], cell: &T) -> bool {
        cells.is_empty() || cells.contains(cell)
    }
    has(row.last, &situation.last)
        && has(row.source, &situation.source)
        && has(row.destination, &situation.destination)
        && has(row.job, &situation.job)
        && match row.condition {
            Condition::Always => true,
            Condition::JournalInTrouble => situation.trouble,
            Condition::PortsThere => situation.ports_there,
            Condition::NeverRan => situation.never_ran,
            Condition::Halted(halted) => situation.halted == Some(halted),
        }
}
