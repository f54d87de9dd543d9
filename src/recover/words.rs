//! What recovery says: the situation, the row, and what follows. Pure.

use super::action::Action;
use super::answer::Seen;
use super::{Decision, Situation};
use crate::journal::State;

/// The situation and the row, in lines.
pub fn explain(
    journal: &State,
    source: &Seen,
    destination: &Seen,
    situation: Situation,
    decision: &Decision,
) -> Vec<String> {
    let plan = &journal.plan;
    let host = |name: &str, seen: &Seen, answer: super::Answer| match seen {
        Seen::Unreachable(why) if answer == super::Answer::Absent => format!("  {name}: dead, as you said ({why})"),
        Seen::Unreachable(why) => format!("  {name}: does not answer ({why})"),
        Seen::Absent => format!("  {name}: {}", answer.words()),
        Seen::Present { state, .. } => format!("  {name}: {}: {state}", answer.words()),
    };
    vec![
        format!("{}: {} from {} to {}", plan.id, plan.instance.name, plan.source.name, plan.destination.name),
        format!("  last record: {}, {}", situation.last.name(), journal.touched),
        host(&plan.source.name, source, situation.source),
        host(&plan.destination.name, destination, situation.destination),
        format!("  job on {}: {}", plan.source.name, situation.job.words()),
        format!("  row {}: {}", decision.row.number, decision.row.words),
    ]
}

/// What an action does, in one sentence.
pub const fn intent(action: Action) -> &'static str {
    match action {
        Action::Nothing => "Nothing is done.",
        Action::Show => "To look further:",
        Action::ReleaseClaims => "The claims are given back.",
        Action::WaitForUnplug => "Waiting for the guest to let go of the port.",
        Action::ReattachOnSource => "The ports are plugged in on the source again.",
        Action::Follow => "The migration is followed to its end.",
        Action::WaitForSwitchover => "Waiting for the switch-over to end.",
        Action::EndCancelled => "The cancelled migration is brought to its end.",
        Action::Finish => "The devices are proved.",
        Action::DestroySourceAndFinish => "The source's copy is destroyed.",
        Action::ResumeSource => "The source's copy is resumed.",
        Action::DestroyIncoming => "If it is still there after 60 seconds, the destination's copy is destroyed.",
        Action::Undo => "What is left of the migration is undone on the source.",
        Action::SuspendSource => "The source's copy is suspended.",
        Action::DestroyDestinationAndKeepSource => "The destination's copy is destroyed, the source's kept.",
        Action::GiveUp => "The source's copy is destroyed: the guest then runs nowhere.",
        Action::RecordProof => "The devices on the destination are proved; nothing is changed.",
        Action::ResumeDestination => "The destination's copy is resumed if its state is proved.",
        Action::AttachInDefinition => "The ports are put into the definition on the destination.",
        Action::Close => "The record is closed.",
        Action::ShowXml => "What the journal knows:",
        Action::Attach => "Missing ports are plugged in on the destination.",
        Action::CleanUp => "What is left over is removed.",
    }
}

/// Commands to look with.
pub fn commands(journal: &State) -> Vec<String> {
    let plan = &journal.plan;
    [&plan.source, &plan.destination]
        .iter()
        .map(|host| format!("    virsh -c {} domstate --reason {}", host.uri, plan.instance.uuid))
        .collect()
}
