//! No snapshots.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "guest-snapshots",
        severity: Severity::Error,
        summary: "the guest has snapshots or checkpoints",
        page: "libvirt does not migrate a guest whose snapshots or checkpoints it would leave behind.\n\nBy hand: virsh \
               snapshot-list DOMAIN; virsh checkpoint-list DOMAIN.\n\nRemedy: virsh snapshot-delete DOMAIN NAME --metadata, which keeps the data; virsh checkpoint-delete DOMAIN NAME --metadata.",
    },
    Run::Instance(run),
).rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.domain.snapshots {
        Some(0) => Verdict::pass(),
        Some(count) => Verdict::fail(format!("the guest has {count} snapshots or checkpoints")),
        None => Verdict::unknown("whether the guest has snapshots is not known"),
    }]
}
