//! No virtual IOMMU in front of the devices.

use super::prelude::*;

check! {
    /// The guest has a virtual IOMMU.
    ///
    /// # Meaning
    /// Up to QEMU 10 a vIOMMU in front of a VFIO device blocks migration: dirty tracking cannot follow the mappings.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element iommu.
    /// # Fix
    /// Remove the element and restart the guest.
    "viommu": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    // A running guest has answered for itself.
    let answered = instance.domain.is_active() && instance.domain.blocked_reasons.as_ref().is_some_and(Vec::is_empty);
    let newer = |host: &crate::model::snapshot::Host| host.qemu.as_deref().and_then(version) >= Some((11, 0, 0));
    vec![match &instance.guest.viommu {
        Some(_) if answered && newer(instance.source()) && newer(instance.destination()) => Verdict::pass(),
        Some(model) => Verdict::fail(format!("the guest has a virtual IOMMU ({model})")),
        None => Verdict::pass(),
    }]
}
