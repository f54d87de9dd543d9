//! The guest has moved: its devices are proved, its ports plugged in, what is left over removed.

use super::{Next, is_done};
use crate::journal::{Entry, JournalError, Port, PortState, Side, Step, now};
use crate::libvirt::{Affect, State};
use crate::migration::answer::Seen;
use crate::migration::event::Phase;
use crate::migration::ground::Ground;
use crate::migration::look::definition;
use crate::migration::port::{self, Plugged};
use crate::model::outcome::Outcome;
use crate::proof::{self, Question, Verdict};

/// What became of the devices' state on one side.
pub(in crate::migration) fn proof(ground: &mut Ground<'_>, side: Side) -> Verdict {
    let on_side = if side == Side::Source { proof::Device::on_source } else { proof::Device::on_destination };
    let devices: Vec<_> = ground.state.map.iter().filter(|moved| moved.moves_state()).map(on_side).collect();
    if devices.is_empty() {
        return Verdict::NothingToProve;
    }
    let vfio_bytes = ground.state.vfio_bytes;
    let (since, running) = (ground.performed(), now());
    let received = ground.world.evidence(side, since);
    let question = Question { devices: &devices, since, running, vfio_bytes };
    let verdict = match side {
        Side::Source => proof::stayed(&received, &question),
        Side::Destination => proof::arrived(&received, &question),
    };
    say(ground, &verdict);
    verdict
}

/// Tells a verdict; in the process that makes the migration the last line tells a good one.
fn say(ground: &mut Ground<'_>, verdict: &Verdict) {
    if ground.clock.is_none() || !verdict.is_certain() {
        ground.note(&format!("device state: {verdict}"));
    }
}

/// Proves that the devices' state arrived. A verdict once recorded stands: logs rotate.
pub(super) fn prove(ground: &mut Ground<'_>) -> Result<Next, JournalError> {
    let verdict = match ground.state.verdict.clone() {
        Some(verdict) => verdict,
        None => proof(ground, Side::Destination),
    };
    ground.note_down(&Entry::Verify { side: Side::Destination, verdict })?;
    Ok(Next::Again)
}

/// Proves it while the source does not answer, and changes nothing.
pub(super) fn record_proof(ground: &mut Ground<'_>) -> Result<Next, JournalError> {
    if ground.state.verdict.is_none() {
        let verdict = proof(ground, Side::Destination);
        // What could not be shown now may be shown later.
        if verdict.is_lost() || verdict.is_certain() {
            ground.record(&Entry::Proof { verdict })?;
        }
    }
    let (source, destination) = (ground.name(Side::Source), ground.name(Side::Destination));
    let why = format!("it runs on {destination}; {source} does not answer and may run it too");
    Ok(Next::open(Outcome::Undecided, why))
}

/// Others have taken it further: nothing of theirs is touched.
pub(super) fn moved_on(ground: &Ground<'_>) -> Next {
    let words = Some(format!("{} was moved on by others", ground.state.plan.instance.name));
    Next::Close { outcome: Outcome::Fine, place: Some(Side::Destination), runs: None, words }
}

/// Records the ports that are in the guest on the destination, and of which only the record is missing.
pub(super) fn note_plugged(ground: &mut Ground<'_>, destination: &Seen) -> Result<(), JournalError> {
    for PortState { port, attached, attach_intent, .. } in ground.state.ports.clone() {
        let source = port.source;
        let planned = ground.state.map.iter().find(|moved| moved.source == source).map(|moved| moved.destination);
        let tried = [attached, attach_intent, planned, port.planned].into_iter().flatten();
        let is_in = tried
            .chain(port.alternatives.iter().copied())
            .find(|device| is_done(&Step::AttachOnDestination { source, device: *device }, destination, &ground.state));
        if let Some(device) = is_in.filter(|device| attached != Some(*device)) {
            ground.note_down(&Entry::Attached { source, device })?;
        }
    }
    Ok(())
}

/// Plugs missing ports in on the destination, then cleans up.
pub(super) fn attach(ground: &mut Ground<'_>, destination: &Seen, affect: Affect) -> Result<Next, JournalError> {
    note_plugged(ground, destination)?;
    let (mut missing, mut unanswered) = (Vec::new(), None);
    for PortState { port, attached, .. } in ground.state.ports.clone() {
        let source = port.source;
        let step = |device| Step::AttachOnDestination { source, device };
        if attached.is_some_and(|device| is_done(&step(device), destination, &ground.state)) {
            continue;
        }
        match plug_in(ground, &port, affect)? {
            Plugged::In(device) if port.planned.is_some_and(|planned| planned != device) => {
                ground.note(&format!("port {source} got {device}: the planned device is taken"));
            }
            Plugged::In(_) => {}
            Plugged::Missing(why) => missing.push(format!("port {source} could not be plugged in: {why}")),
            Plugged::Unanswered(why) => {
                unanswered = Some(source);
                missing.push(format!("whether port {source} is plugged in is not known: {why}"));
                break;
            }
        }
    }
    if missing.is_empty() {
        return clean_up(ground);
    }
    Ok(Next::Open { outcome: Outcome::Incomplete, why: missing.join("; "), unanswered })
}

fn plug_in(ground: &mut Ground<'_>, port: &Port, affect: Affect) -> Result<Plugged, JournalError> {
    let host = match ground.host(Side::Destination) {
        Ok(host) => host,
        Err(why) => return Ok(Plugged::Unanswered(why)),
    };
    let (uuid, map) = (ground.uuid(), ground.state.map.clone());
    port::plug_in(host.as_ref(), &uuid, port, &map, affect, |entry| ground.note_down(entry))
}

/// Removes what the move leaves over, and closes.
pub(super) fn clean_up(ground: &mut Ground<'_>) -> Result<Next, JournalError> {
    ground.enter(Phase::Cleanup);
    ground.note_down(&Entry::Cleanup)?;
    let (guest, host) = (ground.state.plan.instance.name.clone(), ground.name(Side::Destination).to_owned());
    let place = Some(Side::Destination);
    let next = match ground.look(Side::Destination) {
        Seen::Present { state: State::ShutOff { migrated: true }, .. } => return Ok(moved_on(ground)),
        Seen::Present { state, .. } if state.is_active() => Next::close(Outcome::Fine, Side::Destination),
        Seen::Present { .. } => {
            let words = Some(format!("{guest} is on {host}, switched off"));
            Next::Close { outcome: Outcome::Fine, place, runs: None, words }
        }
        // It was switched off, or its host lost power. The last definition, if there is one, is not removed.
        Seen::Absent => {
            let words = Some(format!("the move is over, but {host} does not have {guest} any more"));
            return Ok(Next::Close { outcome: Outcome::Fine, place: None, runs: None, words });
        }
        Seen::Unreachable(silence) => {
            return Ok(Next::open(Outcome::Incomplete, format!("{host} does not answer: {}", silence.why)));
        }
    };
    let left = undefine_source(ground).and_then(|()| carry_autostart_over(ground));
    if let Err(why) = left {
        return Ok(Next::open(Outcome::Incomplete, why));
    }
    let kept: Vec<String> = (ground.state.plan.copied_disks())
        .map(|(disk, path)| format!("{} keeps what was disk {disk}: {path}", ground.name(Side::Source)))
        .collect();
    for line in kept {
        ground.note(&line);
    }
    Ok(next)
}

/// Removes the definition on the source, which goes only where it is off: a copy that runs is another row's matter.
fn undefine_source(ground: &mut Ground<'_>) -> Result<(), String> {
    if !ground.state.plan.undefine_source || ground.state.source_is_dead {
        return Ok(());
    }
    let host = ground.name(Side::Source).to_owned();
    match ground.look(Side::Source) {
        Seen::Unreachable(silence) => {
            Err(format!("{host} does not answer, its old definition may be there: {}", silence.why))
        }
        Seen::Present { state, .. } if !state.is_active() => {
            let recorded = ground.state.perform.as_ref().and_then(|(_, intent)| intent.definition.clone());
            let left = |why| format!("its old definition is still on {host}: {why}");
            let there = ground.call(Side::Source, |source, uuid| definition(source, uuid)).map_err(left)?;
            if recorded.is_some_and(|recorded| recorded != there) {
                let guest = &ground.state.plan.instance.name;
                let line = format!("{guest} was defined anew on {host} since: that definition is left as it is");
                ground.note(&line);
                return Ok(());
            }
            ground.call(Side::Source, |source, uuid| source.undefine(uuid)).map_err(left)
        }
        Seen::Present { .. } | Seen::Absent => Ok(()),
    }
}

fn carry_autostart_over(ground: &mut Ground<'_>) -> Result<(), String> {
    let state = &ground.state;
    let starts = state.plan.autostart || state.has_no_autostart();
    if !(starts && state.plan.persist_destination) {
        return Ok(());
    }
    ground
        .call(Side::Destination, |host, uuid| host.set_autostart(uuid, true))
        .map_err(|why| format!("autostart was not carried over: {why}"))
}
