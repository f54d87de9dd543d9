//! Fresh facts right before anything is touched, and the mark that keeps others away.

use crate::journal::mark::Marked;
use crate::journal::{self, Entry, Mark, Side};
use crate::libvirt::{self, Hypervisor, PauseReason};
use crate::migration::ending::Failed;
use crate::migration::event::Phase;
use crate::migration::ground::Ground;
use crate::migration::mark;
use crate::model::both::both;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;

/// Whether the plan still holds. Both hosts are asked at the same time. `over` says which migrations' marks hold nothing.
pub(super) fn recheck(
    source: &dyn Hypervisor,
    destination: &dyn Hypervisor,
    plan: &journal::Plan,
    over: &(dyn Fn(&str) -> bool + Sync),
) -> Result<(), Failed> {
    let unknown = |e| Failed::of(Outcome::Unknown, e);
    let refused = |why: String| Err(Failed::new(Outcome::Findings, why));
    let uuid = &plan.instance.uuid;
    let (there, fresh) = both(|| destination.domain(uuid), || source.domain(uuid));
    let Some(fresh) = fresh.map_err(unknown)? else {
        return refused("the guest is gone from the source".into());
    };
    // First: what else is not as planned may be the other migration's doing.
    let (job, marked) = both(|| source.job(uuid), || mark::obstacle(source, uuid, over));
    if let Some(why) = marked.map_err(unknown)? {
        return refused(format!("the guest {why}"));
    }
    let as_planned = match fresh.state {
        libvirt::State::Running(_) => !plan.paused,
        libvirt::State::Paused(PauseReason::User) => plan.paused,
        _ => false,
    };
    if !as_planned {
        return refused(format!("the guest is {} now", fresh.state));
    }
    if job.map_err(unknown)?.is_some() {
        return refused("another job runs on the guest".into());
    }
    if let Some(there) = there.map_err(unknown)?
        && there.state.is_active()
    {
        return refused(format!("a guest with this UUID is {} on the destination", there.state));
    }
    Ok(())
}

fn host(ground: &mut Ground<'_>, side: Side) -> Result<std::sync::Arc<dyn Hypervisor>, Failed> {
    ground.host(side).map_err(|why| Failed::new(Outcome::Unknown, why))
}

/// Takes the guest's migration lock, recorded first. Another machine may be at it at this very moment.
pub(super) fn mark(ground: &mut Ground<'_>, plan: &journal::Plan) -> Result<(), Failed> {
    ground.record(&Entry::MarkIntent).map_err(|e| Failed::new(Outcome::Unknown, sentence(&e)))?;
    let source = host(ground, Side::Source)?;
    let phase = if plan.ports.is_empty() { Phase::Perform } else { Phase::Detach };
    let store = ground.store();
    let pause = |time| ground.world.pause(time);
    match mark::take(source.as_ref(), &plan.instance.uuid, &mark_of(plan, phase), |id| store.is_over(id), pause) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Failed::new(Outcome::Findings, format!("the guest {why}"))),
        Err(e) => Err(Failed::of(Outcome::Unknown, e)),
    }
}

/// Looks once more whether the lock is this migration's: right before what hurts if it is not.
pub(super) fn still_locked(ground: &mut Ground<'_>, plan: &journal::Plan) -> Result<(), Failed> {
    match mark::holds(host(ground, Side::Source)?.as_ref(), &plan.instance.uuid, &plan.id) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(why)) => Err(Failed::new(Outcome::Findings, format!("the guest {why}"))),
        Err(e) => Err(Failed::of(Outcome::Findings, e)),
    }
}

/// Writes the phase into the mark of a guest that has ports unplugged: without the journal it tells what is missing.
pub(super) fn mark_phase(ground: &mut Ground<'_>, plan: &journal::Plan, phase: Phase) {
    if plan.ports.is_empty() {
        return;
    }
    let mark = mark_of(plan, phase);
    if let Err(why) = ground.call(Side::Source, |host, uuid| mark::set(host, uuid, &mark)) {
        ground.note(&format!("the guest's mark still tells an earlier phase: {why}"));
    }
}

fn mark_of(plan: &journal::Plan, phase: Phase) -> Mark {
    Mark {
        id: plan.id.clone(),
        phase: phase.name().to_owned(),
        machine: plan.machine.clone(),
        source: plan.source.clone(),
        destination: plan.destination.clone(),
        ports: plan.ports.iter().map(Marked::of).collect(),
        // The guest's, as long as the mark has its place.
        policy: Vec::new(),
    }
}
