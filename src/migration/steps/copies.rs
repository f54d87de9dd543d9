//! Copies of the guest: suspended, resumed, destroyed. Each after a last look, and announced.

use std::time::Duration;

use super::{Next, is_done, make, show};
use crate::journal::{Entry, JournalError, Side, Step};
use crate::migration::answer::{self, Answer, Job, Seen};
use crate::migration::cancel::Halted;
use crate::migration::ground::Ground;
use crate::migration::steps::arrive::proof;
use crate::model::outcome::Outcome;

/// How long a left-over incoming process is watched before it is destroyed.
const LEFT_OVER: Duration = Duration::from_secs(60);
/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(2);

/// Makes a step, after which the table is asked again.
fn then_again(ground: &mut Ground<'_>, row: &str, step: Step) -> Result<Next, JournalError> {
    Ok(match make(ground, Some(row), step)? {
        Ok(()) => Next::Again,
        Err(why) => Next::open(Outcome::Undecided, why),
    })
}

/// Destroys one copy after a last look: both hosts have to be as they were when the table was asked.
pub(super) fn destroy(
    ground: &mut Ground<'_>,
    row: &str,
    side: Side,
    [source, destination]: [&Seen; 2],
) -> Result<Next, JournalError> {
    if ground.look(Side::Source) != *source || ground.look(Side::Destination) != *destination {
        return Ok(Next::Again);
    }
    let step = if side == Side::Source { Step::DestroySource } else { Step::DestroyDestination };
    then_again(ground, row, step)
}

/// Ends a cancelled migration that would never end by itself, if it is still there.
pub(super) fn end_cancelled(
    ground: &mut Ground<'_>,
    row: &str,
    [source, destination]: [&Seen; 2],
) -> Result<Next, JournalError> {
    match Halted::find(ground, source, destination) {
        Some(halted) => then_again(ground, row, halted.step()),
        None => Ok(Next::Again),
    }
}

pub(super) fn destroy_incoming(ground: &mut Ground<'_>, row: &str) -> Result<Next, JournalError> {
    let mut waited = Duration::ZERO;
    loop {
        let (source, destination) = (ground.look(Side::Source), ground.look(Side::Destination));
        let as_before = answer::source(&source, &ground.state) == Answer::RunUnchanged
            && source.job() == Job::None
            && answer::destination(&destination, &ground.state) == Answer::Incoming;
        if !as_before {
            return Ok(Next::Again);
        }
        if waited >= LEFT_OVER {
            let host = ground.name(Side::Destination).to_owned();
            return Ok(match destroy(ground, row, Side::Destination, [&source, &destination])? {
                // Where the guest runs is clear nevertheless.
                Next::Open { why, .. } => Next::open(
                    Outcome::Incomplete,
                    format!("what is left of the migration on {host} could not be destroyed: {why}"),
                ),
                next => next,
            });
        }
        ground.world.pause(BETWEEN);
        waited += BETWEEN;
    }
}

/// Suspends one of two copies, which can be taken back. Which one is kept is a decision.
pub(super) fn suspend(ground: &mut Ground<'_>, row: &str, side: Side, seen: &Seen) -> Result<Next, JournalError> {
    let (step, here, there) = match side {
        Side::Source => (Step::SuspendSource, "suspended", "running"),
        Side::Destination => (Step::SuspendDestination, "running", "suspended"),
    };
    if !is_done(&step, seen, &ground.state)
        && let Err(why) = make(ground, Some(row), step)?
    {
        return Ok(Next::open(Outcome::Undecided, format!("it runs twice and could not be suspended: {why}")));
    }
    show(ground);
    let plan = &ground.state.plan;
    let why = format!(
        "{} is on {} ({here}) and on {} ({there}): decide with --keep src or --keep dst",
        plan.instance.name, plan.source.name, plan.destination.name
    );
    Ok(Next::open(Outcome::Undecided, why))
}

/// Destroys the source's copy, if it has one, and lets the suspended one of the destination run.
pub(super) fn keep_destination(ground: &mut Ground<'_>, row: &str, hosts: [&Seen; 2]) -> Result<Next, JournalError> {
    if matches!(hosts[0], Seen::Present { state, .. } if state.is_active()) {
        let next = destroy(ground, row, Side::Source, hosts)?;
        if !matches!(next, Next::Again) {
            return Ok(next);
        }
    }
    let source = ground.look(Side::Source);
    if !is_done(&Step::DestroySource, &source, &ground.state) {
        // Not what was to be destroyed, or not destroyed: the table decides anew.
        return Ok(Next::Again);
    }
    let destination = ground.look(Side::Destination);
    if !is_done(&Step::SuspendDestination, &destination, &ground.state) {
        return Ok(Next::Again);
    }
    then_again(ground, row, Step::ResumeDestination)
}

/// Closes the migration of a guest that runs, but not as the run that was being migrated: what that one's memory and
/// devices held is gone, and the devices it has now are those of the definition it was started from.
pub(super) fn close_started_anew(
    ground: &mut Ground<'_>,
    [source, destination]: [&Seen; 2],
) -> Result<Next, JournalError> {
    let runs = |seen: &Seen| matches!(seen, Seen::Present { state, .. } if state.is_active());
    let (side, seen) = if runs(source) { (Side::Source, source) } else { (Side::Destination, destination) };
    note_ports(ground, side, seen)?;
    let (guest, host) = (&ground.state.plan.instance.name, ground.name(side));
    let words = Some(format!(
        "{guest} runs on {host}, but was started anew or changed by others since the migration began: what its memory and \
         devices held then is not proved to be there"
    ));
    Ok(Next::Close { outcome: Outcome::Incomplete, place: Some(side), runs: Some(side), words })
}

/// Closes the migration of a guest that is switched off on the source, and nowhere else.
pub(super) fn close_off(ground: &mut Ground<'_>, source: &Seen) -> Result<Next, JournalError> {
    note_ports(ground, Side::Source, source)?;
    let (guest, host) = (&ground.state.plan.instance.name, ground.name(Side::Source));
    let words = Some(format!("{guest} did not move and is switched off on {host}"));
    Ok(Next::Close { outcome: Outcome::Incomplete, place: Some(Side::Source), runs: None, words })
}

/// Records the ports that this host's definition of the guest has, though this migration unplugged them.
fn note_ports(ground: &mut Ground<'_>, side: Side, seen: &Seen) -> Result<(), JournalError> {
    for port in ground.state.ports.clone().into_iter().filter(|port| port.detached && !port.reattached) {
        let source = port.port.source;
        let reattached = Step::ReattachOnSource { source };
        let attached = port.port.planned.map(|device| Step::AttachOnDestination { source, device });
        let entry = match (side, attached) {
            (Side::Source, _) if is_done(&reattached, seen, &ground.state) => Entry::UndoDone { step: reattached },
            (Side::Destination, Some(Step::AttachOnDestination { source, device }))
                if is_done(&Step::AttachOnDestination { source, device }, seen, &ground.state) =>
            {
                Entry::Attached { source, device }
            }
            _ => continue,
        };
        ground.record(&entry)?;
    }
    Ok(())
}

pub(super) fn resume_source(ground: &mut Ground<'_>, row: &str) -> Result<Next, JournalError> {
    if let Err(why) = make(ground, Some(row), Step::ResumeSource)? {
        return Ok(Next::open(Outcome::Undecided, why));
    }
    // From here on it is an undo.
    ground.record(&Entry::UndoDone { step: Step::ResumeSource })?;
    Ok(Next::Again)
}

pub(super) fn resume_destination(ground: &mut Ground<'_>, row: &str, destination: &Seen) -> Result<Next, JournalError> {
    if answer::destination(destination, &ground.state) != Answer::PausedMigration {
        return Ok(Next::open(Outcome::Undecided, "it still waits for its state: it cannot be resumed"));
    }
    let verdict = proof(ground, Side::Destination);
    if !verdict.is_certain() {
        return Ok(Next::open(Outcome::Undecided, format!("it is not resumed, its device state is {verdict}")));
    }
    then_again(ground, row, Step::ResumeDestination)
}

/// Destroys the source's copy, which is the last one.
pub(super) fn give_up(ground: &mut Ground<'_>, row: &str, hosts: [&Seen; 2]) -> Result<Next, JournalError> {
    let next = destroy(ground, row, Side::Source, hosts)?;
    if !matches!(next, Next::Again) {
        return Ok(next);
    }
    let source = ground.look(Side::Source);
    if !is_done(&Step::DestroySource, &source, &ground.state) {
        // Not what was to be destroyed, or not destroyed: the table decides anew.
        return Ok(Next::Again);
    }
    let words = Some(format!("{} was given up: it runs nowhere", ground.state.plan.instance.name));
    Ok(Next::Close { outcome: Outcome::Incomplete, place: None, runs: None, words })
}

pub(super) fn keep_source(ground: &mut Ground<'_>, row: &str, hosts: [&Seen; 2]) -> Result<Next, JournalError> {
    let next = destroy(ground, row, Side::Destination, hosts)?;
    if !matches!(next, Next::Again) {
        return Ok(next);
    }
    let destination = ground.look(Side::Destination);
    if !is_done(&Step::DestroyDestination, &destination, &ground.state) {
        // Not what was to be destroyed, or not destroyed: the table decides anew.
        return Ok(Next::Again);
    }
    let source = ground.look(Side::Source);
    if answer::source(&source, &ground.state) == Answer::PausedByPvm {
        return resume_source(ground, row);
    }
    ground.record(&Entry::UndoDone { step: Step::DestroyDestination })?;
    Ok(Next::Again)
}
