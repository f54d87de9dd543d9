//! Forced completion, which does not make a guest with VFIO devices converge.

use super::{Subject, option_span, uses_migration};
use crate::model::finding::Finding;
use crate::nova::config::options::{POST_COPY, TIMEOUT_ACTION};

lint! {
    /// live_migration_timeout_action is force_complete, while devices are declared live-migratable.
    ///
    /// # Meaning
    /// When a migration takes longer than live_migration_completion_timeout, force_complete switches to post-copy where
    /// that is permitted, and pauses the guest where it is not. QEMU refuses post-copy for guests with VFIO devices, and a
    /// paused guest leaves its devices running: they go on writing memory, so the migration converges no better, and the
    /// downtime has no upper limit.
    /// # Check by hand
    /// grep -nE 'live_migration_(timeout_action|completion_timeout)' FILE
    /// # Fix
    /// live_migration_timeout_action = abort in [libvirt] on hosts with such devices, and a live_migration_downtime that
    /// the state of the devices fits.
    "force-complete": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let action = subject.config.options.get("libvirt.live_migration_timeout_action");
    let forced = action.is_some_and(|option| option.value == "force_complete");
    let Some(span) = option_span(subject, &TIMEOUT_ACTION).filter(|_| forced && uses_migration(subject)) else {
        return;
    };
    let message = if subject.config.is_on(&POST_COPY) {
        "force_complete switches to post-copy, which QEMU refuses for guests with VFIO devices"
    } else {
        "force_complete pauses the guest, and its VFIO devices go on writing memory: the migration may never end"
    };
    found.push(
        Finding::new(&RULE, message)
            .at(span, "after live_migration_completion_timeout")
            .remedy("live_migration_timeout_action = abort"),
    );
}
