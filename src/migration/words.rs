//! What recovery says: the situation, what it means, and what follows. Pure.

use super::action::Action;
use super::answer::{Answer, Seen};
use super::situation::{Decision, Situation};
use crate::journal::{Side, State};
use crate::model::paste::quoted;
use crate::model::pci::PciAddress;
use crate::proof::Verdict;

/// The situation and what it means, in lines.
pub(crate) fn explain(
    journal: &State,
    source: &Seen,
    destination: &Seen,
    situation: Situation,
    decision: &Decision,
) -> Vec<String> {
    let plan = &journal.plan;
    let what = if plan.rehearsal { "rehearsal of " } else { "" };
    let host = |name: &str, seen: &Seen, answer: Answer| match seen {
        Seen::Unreachable(silence) if answer == Answer::Absent => {
            format!("  {name}: dead, as you said ({})", silence.why)
        }
        Seen::Unreachable(silence) => format!("  {name}: does not answer ({})", silence.why),
        Seen::Absent => format!("  {name}: {}", answer.words()),
        Seen::Present { state, .. } => format!("  {name}: {}: {state}", answer.words()),
    };
    let mut lines = vec![
        format!("{}: {what}{} from {} to {}", plan.id, plan.instance.name, plan.source.name, plan.destination.name),
        format!("  last record: {}, {}", situation.last.name(), journal.touched),
        host(&plan.source.name, source, situation.source),
        host(&plan.destination.name, destination, situation.destination),
        format!("  job on {}: {}", plan.source.name, situation.job.words()),
    ];
    lines.extend(journal.verdict.iter().map(|verdict| format!("  device state: {verdict}")));
    lines.push(format!("  {}", decision.row.words));
    lines
}

/// What was not done, with what both hosts say where that does not tell the guest's place.
pub(crate) fn left_alone(journal: &State, situation: Situation, what: &str) -> String {
    if situation.place().is_some() {
        return what.to_owned();
    }
    let (source, destination) = (&journal.plan.source.name, &journal.plan.destination.name);
    let (here, there) = (situation.source.words(), situation.destination.words());
    format!("{source} {here}, and {destination} {there}: {what}")
}

/// What a guest on this host has lost by the move, each in words that follow "but".
pub(crate) fn losses(verdict: Option<&Verdict>, missing: &[PciAddress], side: Side) -> Vec<String> {
    let state = match verdict {
        Some(Verdict::Lost { .. }) => Some("the state of its devices is lost".to_owned()),
        Some(Verdict::NotVerified { .. }) => Some("the state of its devices is not proved".to_owned()),
        Some(Verdict::Verified | Verdict::NothingToProve) | None => None,
    };
    let (plural, names) = (
        if missing.len() == 1 { "" } else { "s" },
        missing.iter().map(PciAddress::to_string).collect::<Vec<_>>().join(" and "),
    );
    let ports = (!missing.is_empty()).then(|| match side {
        Side::Source => format!("it is without port{plural} {names}"),
        Side::Destination => format!("it has no port{plural} in place of {names}"),
    });
    state.into_iter().chain(ports).collect()
}

/// "This, but that, and that".
pub(crate) fn but(head: &str, parts: &[String]) -> String {
    if parts.is_empty() { head.to_owned() } else { format!("{head}, but {}", list(parts.iter().cloned())) }
}

/// "This", "this, and that", "this, that, and that".
pub(crate) fn list(parts: impl IntoIterator<Item = String>) -> String {
    let mut parts: Vec<_> = parts.into_iter().collect();
    match parts.pop() {
        Some(last) if !parts.is_empty() => format!("{}, and {last}", parts.join(", ")),
        Some(last) => last,
        None => String::new(),
    }
}

/// What an action does, in one sentence.
pub(crate) const fn intent(action: Action) -> &'static str {
    match action {
        Action::Nothing => "Nothing is done.",
        Action::Show => "To look further:",
        Action::ReleaseClaims => "The claims are given back.",
        Action::WaitForUnplug => "Waiting for the guest to unplug the port.",
        Action::ReattachOnSource => "The ports are plugged in on the source again.",
        Action::Follow => "Its end is waited for, unless pvm runs unattended.",
        Action::WaitForSwitchover => "Waiting for switchover to end.",
        Action::EndCancelled => "The cancelled migration is brought to its end.",
        Action::Finish => "Verifying the device state.",
        Action::DestroySourceAndFinish => "The source's copy is destroyed.",
        Action::ResumeSource => "The source's copy is resumed.",
        Action::DestroyIncoming => "If it is still there after 60 seconds, the destination's copy is destroyed.",
        Action::Undo => "What is left of the migration is undone on the source.",
        Action::SuspendSource => "The source's copy is suspended.",
        Action::SuspendDestination => "The destination's copy is suspended.",
        Action::KeepDestination => "The source's copy is destroyed, the destination's kept.",
        Action::CloseOff => {
            "The record is closed; the guest stays switched off, and starts with its host again if it did."
        }
        Action::CloseStartedAnew => "The record is closed; the guest is left as it is.",
        Action::DestroyDestinationAndKeepSource => "The destination's copy is destroyed, the source's kept.",
        Action::GiveUp => "The source's copy is destroyed: the guest then runs nowhere.",
        Action::RecordProof => "The device state is verified on the destination; nothing is changed.",
        Action::ResumeDestination => "The destination's copy is resumed if its state is verified.",
        Action::AttachInDefinition => "The ports are put into the definition on the destination.",
        Action::Close => "The record is closed.",
        Action::ShowXml => "What the journal knows:",
        Action::Attach => "Missing ports are plugged in on the destination.",
        Action::CleanUp => "What is left over is removed.",
    }
}

/// Commands to look with.
pub(crate) fn commands(journal: &State) -> Vec<String> {
    let plan = &journal.plan;
    [&plan.source, &plan.destination]
        .iter()
        .map(|host| format!("    virsh -c {} domstate --reason {}", quoted(&host.uri), quoted(&plan.instance.uuid)))
        .collect()
}
