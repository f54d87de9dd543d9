//! No snapshots.

use super::prelude::*;

check! {
    /// The guest has snapshots or checkpoints.
    ///
    /// # Meaning
    /// libvirt does not migrate a guest whose snapshots it would leave behind. Checkpoints it leaves behind: the next
    /// incremental backup has to be a full one.
    /// # Check by hand
    /// virsh snapshot-list DOMAIN; virsh checkpoint-list DOMAIN.
    /// # Fix
    /// virsh snapshot-delete DOMAIN NAME --metadata, which keeps the data; virsh checkpoint-delete DOMAIN NAME
    /// --metadata.
    "guest-snapshots": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let domain = instance.domain;
    let mut verdicts = vec![match domain.snapshots {
        Some(0) => Verdict::pass(),
        Some(count) => Verdict::fail(format!("the guest has {count} snapshots")),
        None => Verdict::unknown("cannot tell whether the guest has snapshots"),
    }];
    if let Some(count) = domain.checkpoints.filter(|count| *count > 0) {
        verdicts.push(
            Verdict::fail(format!("the guest has {count} checkpoints, which stay behind and are lost"))
                .weighing(Severity::Warning),
        );
    }
    verdicts
}
