//! The guest stays on the source, which becomes as it was.

use super::arrive::proof;
use super::{Next, is_done, make};
use crate::journal::{Entry, JournalError, PortState, Side, Step};
use crate::migration::action::Action;
use crate::migration::answer::Seen;
use crate::migration::downtime;
use crate::migration::ground::Ground;
use crate::model::outcome::Outcome;

/// Gives the claims of a migration back that had touched nothing.
pub(super) fn release(ground: &Ground<'_>, [source, destination]: [&Seen; 2]) -> Next {
    let (guest, host) = (&ground.state.plan.instance.name, ground.name(Side::Source));
    let runs = |seen: &Seen| matches!(seen, Seen::Present { state, .. } if state.is_active());
    let there =
        if runs(destination) { format!(", it runs on {}", ground.name(Side::Destination)) } else { String::new() };
    let (place, words) = match source {
        source if runs(source) => (Some(Side::Source), format!("{guest} is where it was")),
        Seen::Present { .. } | Seen::Absent => (None, format!("{guest} does not run on {host} any more{there}")),
        Seen::Unreachable(_) => (None, format!("{host} does not answer, so nobody has looked where {guest} is{there}")),
    };
    let runs = place.or_else(|| runs(destination).then_some(Side::Destination));
    Next::Close { outcome: Outcome::Fine, place, runs, words: Some(words) }
}

/// Makes the source whole again.
pub(super) fn undo(ground: &mut Ground<'_>, action: Action, source: &Seen) -> Result<Next, JournalError> {
    if ground.state.switched.is_some() && ground.state.source_verdict.is_none() {
        // QEMU may have reset the devices on its way back.
        let verdict = proof(ground, Side::Source);
        ground.note_down(&Entry::Verify { side: Side::Source, verdict })?;
    }
    let step = |port: &PortState| Step::ReattachOnSource { source: port.port.source };
    let (plugged, missing): (Vec<PortState>, Vec<PortState>) = (ground.state.ports.iter())
        .filter(|port| !port.reattached)
        .cloned()
        .partition(|port| is_done(&step(port), source, &ground.state));
    // What is in again may lack only its record.
    for port in plugged.iter().filter(|port| port.detached) {
        ground.note_down(&Entry::UndoDone { step: step(port) })?;
    }
    let mut refused = Vec::new();
    for port in missing.iter().rev() {
        if let Err(why) = make(ground, None, step(port))? {
            refused.push(format!("port {} could not be plugged in again: {why}", port.port.source));
        }
    }
    let limit = ground.state.perform.as_ref().and_then(|(_, intent)| intent.max_downtime_ms);
    if let Err(why) = ground.call(Side::Source, |host, uuid| downtime::restore(host, uuid, limit)) {
        ground.note(&format!("the limit of the pause may not be as it was: {why}"));
    }
    if !refused.is_empty() {
        return Ok(Next::open(Outcome::Incomplete, refused.join("; ")));
    }
    if let Some(PortState { port, .. }) = plugged.iter().find(|port| !port.detached) {
        let why = format!("the guest was asked to let go of port {} and may yet obey", port.source);
        return Ok(Next::open(Outcome::Incomplete, why));
    }
    let outcome = if action == Action::ReattachOnSource { Outcome::Fine } else { Outcome::Undone };
    Ok(Next::close(outcome, Side::Source))
}
