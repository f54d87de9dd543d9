//! The destination's QEMU is not older.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "qemu-downgrade",
        severity: Severity::Warning,
        summary: "the destination's QEMU is older than the source's",
        page: "QEMU keeps the format of its state from older to newer versions. The other way is not supported: it can fail at the \
               end, with the guest already paused.\n\n\
               By hand: virsh -c URI version on both hosts.\n\n\
               Remedy: upgrade the destination first.",
    },
    Run::Hosts(run),
);

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    not_older(hosts, "qemu", "QEMU", |host| host.qemu.as_deref())
}
