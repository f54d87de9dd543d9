//! One change to a host as a value: what announces it, what does it, and by what it is recognised as done.

use crate::journal::{Entry, JournalError, Side, State, Step};
use crate::libvirt::{Affect, Hypervisor, HypervisorError};
use crate::migration::answer::{self, Answer, Seen};
use crate::migration::cancel::Halted;
use crate::migration::event::What;
use crate::migration::ground::Ground;
use crate::migration::mark;

/// The host that a step changes.
const fn side(step: &Step) -> Side {
    match step {
        Step::AttachOnDestination { .. }
        | Step::SuspendDestination
        | Step::ResumeDestination
        | Step::DestroyDestination
        | Step::UndefineDestination => Side::Destination,
        Step::ReattachOnSource { .. }
        | Step::AbortJob
        | Step::GoOnCancelling
        | Step::WakeDaemon
        | Step::SuspendSource
        | Step::ResumeSource
        | Step::DestroySource
        | Step::UndefineSource
        | Step::RemoveMark
        | Step::RestoreAutostart
        | Step::ReleaseClaims => Side::Source,
    }
}

/// Does it. A step that needs nothing of a host does nothing here.
fn call(step: &Step, state: &State, host: &dyn Hypervisor) -> Result<(), HypervisorError> {
    let uuid = &state.plan.instance.uuid;
    let port = |source| state.ports.iter().map(|port| &port.port).find(|port| port.source == source);
    match step {
        Step::ReattachOnSource { source } => match port(*source) {
            Some(port) => host.attach_device(uuid, &port.source_xml, Affect::Live),
            None => Ok(()),
        },
        Step::AbortJob => host.abort_job(uuid),
        Step::GoOnCancelling => Halted::Qemu.end(host, uuid),
        Step::WakeDaemon => Halted::Daemon.end(host, uuid),
        Step::SuspendSource | Step::SuspendDestination => host.suspend(uuid),
        Step::ResumeSource | Step::ResumeDestination => host.resume(uuid),
        Step::DestroySource | Step::DestroyDestination => host.destroy(uuid),
        Step::UndefineSource | Step::UndefineDestination => host.undefine(uuid),
        Step::RestoreAutostart => host.set_autostart(uuid, true),
        Step::RemoveMark => mark::remove(host, uuid, &state.plan.id),
        // The ports of the destination are plugged in by `port`, which may take another device; claims are records.
        Step::AttachOnDestination { .. } | Step::ReleaseClaims => Ok(()),
    }
}

/// Whether what a host says shows that the step is done already, or was never needed.
pub(crate) fn is_done(step: &Step, seen: &Seen, state: &State) -> bool {
    let devices = |device| matches!(seen, Seen::Present { devices, .. } if devices.contains(device));
    match step {
        Step::ReattachOnSource { source } => devices(source),
        Step::AttachOnDestination { device, .. } => devices(device),
        Step::SuspendSource => answer::source(seen, state) == Answer::PausedByPvm,
        Step::SuspendDestination => answer::destination(seen, state) == Answer::PausedByPvm,
        Step::UndefineSource | Step::UndefineDestination => *seen == Seen::Absent,
        Step::DestroySource | Step::DestroyDestination => match seen {
            Seen::Absent => true,
            Seen::Present { state, .. } => !state.is_active(),
            Seen::Unreachable(_) => false,
        },
        _ => false,
    }
}

/// How an undo tells it.
fn words(step: &Step) -> Option<String> {
    match step {
        Step::ReattachOnSource { source } => Some(format!("plugging port {source} in again")),
        _ => None,
    }
}

/// Makes a step: announces it as part of this row, or of an undo when there is none, and does it. What it undoes is recorded
/// as undone. The inner error is the host's.
pub(crate) fn make(ground: &mut Ground<'_>, row: Option<&str>, step: Step) -> Result<Result<(), String>, JournalError> {
    match row {
        Some(row) => ground.announce(row, step.clone())?,
        None => ground.note_down(&Entry::UndoIntent { step: step.clone() })?,
    }
    if let (None, Some(words)) = (row, words(&step)) {
        ground.tell(What::Undoing { step: words });
    }
    let host = match ground.host(side(&step)) {
        Ok(host) => host,
        Err(why) => return Ok(Err(why)),
    };
    if let Err(e) = call(&step, &ground.state, host.as_ref()) {
        return Ok(Err(e.to_string()));
    }
    if row.is_none() {
        ground.note_down(&Entry::UndoDone { step })?;
    }
    Ok(Ok(()))
}
