//! Waiting for libvirt or the guest to get on.

use std::time::Duration;

use super::{Next, make};
use crate::journal::{JournalError, Side, Step};
use crate::migration::action::Action;
use crate::migration::answer::{self, Seen};
use crate::migration::cancel::Halted;
use crate::migration::ground::Ground;
use crate::migration::orders::Orders;
use crate::migration::situation::Decision;
use crate::model::outcome::Outcome;

/// How long the guest is given to let go of a port.
const UNPLUG: Duration = Duration::from_secs(60);
/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(2);

/// Follows a migration that is alive.
pub(super) fn follow(
    ground: &mut Ground<'_>,
    orders: &mut Orders,
    decision: &Decision,
    seen: &Seen,
) -> Result<Next, JournalError> {
    if orders.abort && decision.action == Action::Follow {
        if ground.state.plan.rehearsal {
            ground.world.say("  It is a rehearsal, so it is aborted.");
        }
        if let Err(why) = make(ground, Some(decision.row.number), Step::AbortJob)? {
            ground.world.say(&format!("  the job could not be aborted: {why}"));
        }
        orders.abort = false;
    } else if orders.auto && !orders.waits {
        return Ok(Next::open(Outcome::Fine, "libvirt is still migrating it"));
    }
    let job = seen.job();
    loop {
        ground.world.pause(BETWEEN);
        let source = ground.look(Side::Source);
        if source.job() != job {
            return Ok(Next::Again);
        }
        let destination = ground.look(Side::Destination);
        if Halted::find(ground, &source, &destination).is_some() {
            return Ok(Next::Again);
        }
    }
}

/// Waits for the guest to let go of a port. The process that has asked for it has waited already.
pub(super) fn for_unplug(ground: &mut Ground<'_>) -> Next {
    let mut waited = if ground.clock.is_some() { UNPLUG } else { Duration::ZERO };
    while waited < UNPLUG {
        ground.world.pause(BETWEEN);
        waited += BETWEEN;
        let seen = ground.look(Side::Source);
        if !answer::ports_there(&seen, &ground.state) {
            return Next::Again;
        }
    }
    Next::open(
        Outcome::Incomplete,
        "the guest still has the port it was asked to give back; it may yet obey, so the record stays open",
    )
}
