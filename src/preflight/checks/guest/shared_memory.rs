//! No memory shared with others.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "shared-memory",
        severity: Severity::Error,
        summary: "the guest shares memory with other guests",
        page: "A shared-memory device belongs to all its peers; libvirt migrates only the master role.\n\nBy hand: \
               virsh dumpxml DOMAIN, element shmem.\n\nRemedy: virsh detach-device DOMAIN FILE --live, with the shmem element in FILE.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let shared = &instance.guest.shmem;
    vec![if shared.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("shared memory: {}", shared.join(", ")))
    }]
}
