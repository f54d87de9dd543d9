//! What the rows of the table ask for, each made of steps: a step is one change to a host as a value.

pub(super) mod arrive;
mod copies;
mod step;
mod undo;
mod wait;

pub(crate) use step::{is_done, make};

use super::action::{Action, Exit};
use super::answer::Seen;
use super::ground::Ground;
use super::orders::Orders;
use super::situation::{Decision, Situation};
use super::words;
use crate::journal::{JournalError, Receipt, Side};
use crate::libvirt::Affect;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;

/// What follows from an action.
#[derive(Debug)]
pub(crate) enum Next {
    /// The table is asked again.
    Again,
    /// The journal stays open.
    Open {
        /// How the run ends.
        outcome: Outcome,
        /// Why, in words.
        why: String,
        /// A port of which nobody says whether it is plugged in.
        unanswered: Option<PciAddress>,
    },
    /// Nothing is left to do but to close.
    Close {
        /// How the run ends.
        outcome: Outcome,
        /// Where the guest is, for its losses and its mark.
        place: Option<Side>,
        /// Where it runs.
        runs: Option<Side>,
        /// What to say, where it is not "runs there" or "stays here".
        words: Option<String>,
    },
    /// The journal is closed with this receipt.
    Closed {
        /// How the run ends.
        outcome: Outcome,
        /// What it came to.
        receipt: Box<Receipt>,
    },
}

impl Next {
    /// The end of a run that leaves the journal open.
    pub(crate) fn open(outcome: Outcome, why: impl Into<String>) -> Self {
        Self::Open { outcome, why: why.into(), unanswered: None }
    }

    /// The end of a migration of a guest that runs on this host.
    fn close(outcome: Outcome, side: Side) -> Self {
        Self::Close { outcome, place: Some(side), runs: Some(side), words: None }
    }
}

/// Does what the table says. `hosts` is what was seen for it on the source and on the destination.
pub(crate) fn carry_out(
    ground: &mut Ground<'_>,
    orders: &mut Orders,
    decision: &Decision,
    hosts: [&Seen; 2],
) -> Result<Next, JournalError> {
    let [source, destination] = hosts;
    let row = decision.row.number;
    match decision.action {
        Action::Nothing => Ok(nothing(ground, decision, hosts)),
        Action::Show | Action::ShowXml => {
            show(ground);
            Ok(nothing(ground, decision, hosts))
        }
        Action::ReleaseClaims => Ok(undo::release(ground, hosts)),
        Action::WaitForUnplug => Ok(wait::for_unplug(ground)),
        action @ (Action::ReattachOnSource | Action::Undo) => undo::undo(ground, action, source),
        Action::Follow | Action::WaitForSwitchover => wait::follow(ground, orders, decision, source),
        Action::EndCancelled => copies::end_cancelled(ground, row, hosts),
        Action::Finish => arrive::prove(ground),
        Action::DestroySourceAndFinish => copies::destroy(ground, row, Side::Source, hosts),
        Action::ResumeSource => copies::resume_source(ground, row),
        Action::DestroyIncoming => copies::destroy_incoming(ground, row),
        Action::SuspendSource => copies::suspend(ground, row, Side::Source, source),
        Action::SuspendDestination => copies::suspend(ground, row, Side::Destination, destination),
        Action::KeepDestination => copies::keep_destination(ground, row, hosts),
        Action::CloseStartedAnew => copies::close_started_anew(ground, hosts),
        Action::CloseOff => copies::close_off(ground, source),
        Action::DestroyDestinationAndKeepSource => copies::keep_source(ground, row, hosts),
        Action::GiveUp => copies::give_up(ground, row, hosts),
        Action::RecordProof => arrive::record_proof(ground),
        Action::ResumeDestination => copies::resume_destination(ground, row, destination),
        Action::AttachInDefinition => arrive::attach(ground, destination, Affect::Config),
        Action::Attach => arrive::attach(ground, destination, Affect::Live),
        Action::Close => Ok(arrive::moved_on(ground)),
        Action::CleanUp => {
            arrive::note_plugged(ground, destination)?;
            arrive::clean_up(ground)
        }
    }
}

/// The end of a row that changes nothing.
fn nothing(ground: &Ground<'_>, decision: &Decision, [source, destination]: [&Seen; 2]) -> Next {
    let nothing = "nothing was changed";
    match decision.exit {
        // What is over needs no look at the hosts.
        Exit::Ends(Outcome::Fine) => Next::open(Outcome::Fine, nothing),
        exit => {
            let outcome = match exit {
                Exit::Ends(outcome) => outcome,
                Exit::FineUnlessMissing | Exit::UndoneUnlessLost | Exit::Again => Outcome::Undecided,
            };
            // In the process that makes the migration something was changed already.
            let what = if ground.clock.is_some() { "no more was changed" } else { nothing };
            Next::open(
                outcome,
                words::left_alone(&ground.state, Situation::of(&ground.state, source, destination), what),
            )
        }
    }
}

/// Shows how to look further.
fn show(ground: &mut Ground<'_>) {
    for line in words::commands(&ground.state) {
        ground.world.say(&line);
    }
    for port in ground.state.ports.clone() {
        ground.world.say(&format!("    port {}:", port.port.source));
        for line in port.port.source_xml.lines() {
            ground.world.say(&format!("      {line}"));
        }
    }
}
