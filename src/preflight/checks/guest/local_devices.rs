//! Only PCI devices of the host.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "local-devices",
        severity: Severity::Error,
        summary: "the guest holds devices of the host that cannot migrate",
        page: "USB and SCSI host devices have no migration: libvirt refuses, or the guest loses them.\n\nBy hand: virsh \
               dumpxml DOMAIN, elements hostdev.\n\nRemedy: virsh detach-device DOMAIN FILE --live, with the hostdev element in FILE; attach another on the destination.",
    },
    Run::Instance(run),
).rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let kinds = &instance.guest.local_hostdevs;
    vec![if kinds.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("host devices of type {}", kinds.join(", ")))
    }]
}
