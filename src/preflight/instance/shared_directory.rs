//! No shared directories.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "shared-directory",
        severity: Severity::Error,
        summary: "the guest shares directories with the host",
        page: "virtiofs and 9p hold state of the host that QEMU cannot move.\n\nBy hand: virsh dumpxml DOMAIN, element \
               filesystem.\n\nRemedy: unmount it in the guest and detach it.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let shared = &instance.guest.filesystems;
    vec![if shared.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("shared directories: {}", shared.join(", ")))
    }]
}
