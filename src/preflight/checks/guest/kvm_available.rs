//! KVM is there.

use super::prelude::*;

check! {
    /// The guest runs on KVM and the destination has none.
    ///
    /// # Meaning
    /// A KVM guest cannot continue under emulation.
    /// # Check by hand
    /// ls -l /dev/kvm on the destination.
    /// # Fix
    /// Load kvm_intel or kvm_amd, and switch virtualisation on in the firmware.
    "kvm-available": Error, Instance(run), rechecked
}

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
