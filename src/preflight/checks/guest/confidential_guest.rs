//! The guest's memory can be read.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "confidential-guest",
        severity: Severity::Error,
        summary: "the guest is confidential",
        page: "Memory of SEV, SNP and TDX guests is encrypted for one machine; QEMU cannot send it.\n\nBy hand: virsh \
               dumpxml DOMAIN, element launchSecurity.\n\nRemedy: none: such a guest stays where it is.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match &instance.guest.launch_security {
        Some(kind) => Verdict::fail(format!("the guest is confidential ({kind})")),
        None => Verdict::pass(),
    }]
}
