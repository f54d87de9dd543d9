//! Post-copy, which VFIO devices do not survive.

use super::{Subject, option_span, uses_migration};
use crate::model::finding::Finding;
use crate::nova::config::options::POST_COPY;

lint! {
    /// post-copy is permitted, while devices are declared live-migratable.
    ///
    /// # Meaning
    /// QEMU refuses post-copy for a guest with a VFIO device, at the start of the migration. Nova does not look at the
    /// devices: with live_migration_permit_post_copy every live migration asks for it.
    /// # Check by hand
    /// grep -n live_migration_permit_post_copy FILE
    /// # Fix
    /// live_migration_permit_post_copy = false in [libvirt] on hosts with such devices; host aggregates keep the two
    /// apart.
    "post-copy-permitted": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if let Some(span) =
        option_span(subject, &POST_COPY).filter(|_| subject.config.is_on(&POST_COPY) && uses_migration(subject))
    {
        found.push(
            Finding::new(&RULE, "post-copy is permitted, and QEMU refuses it for guests with VFIO devices")
                .at(span, "on")
                .remedy("live_migration_permit_post_copy = false"),
        );
    }
}
