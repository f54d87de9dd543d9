//! KVM is there.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "kvm-available",
        severity: Severity::Error,
        summary: "the guest runs on KVM and the destination has none",
        page: "A KVM guest cannot continue under emulation.\n\nBy hand: ls -l /dev/kvm on the destination.\n\nRemedy: \
               load kvm_intel or kvm_amd, and switch virtualisation on in the firmware.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if instance.guest.virt_type != "kvm" {
        return Vec::new();
    }
    vec![match instance.destination().kvm {
        Some(true) => Verdict::pass(),
        Some(false) => Verdict::fail(format!("{} has no KVM", name(instance.destination()))),
        None => missing(instance.destination(), "kvm", "whether it has KVM"),
    }]
}
