//! No snapshots.

use super::prelude::*;

check! {
    /// The guest has snapshots or checkpoints.
    ///
    /// # Meaning
    /// libvirt does not migrate a guest whose snapshots or checkpoints it would leave behind.
    /// # Check by hand
    /// virsh snapshot-list DOMAIN; virsh checkpoint-list DOMAIN.
    /// # Fix
    /// virsh snapshot-delete DOMAIN NAME --metadata, which keeps the data; virsh checkpoint-delete DOMAIN NAME
    /// --metadata.
    "guest-snapshots": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.domain.snapshots {
        Some(0) => Verdict::pass(),
        Some(count) => Verdict::fail(format!("the guest has {count} snapshots or checkpoints")),
        None => Verdict::unknown("whether the guest has snapshots is not known"),
    }]
}
