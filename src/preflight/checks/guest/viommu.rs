//! No virtual IOMMU in front of the devices, or one that QEMU bears.

use super::prelude::*;
use crate::model::snapshot::Host;

/// The first QEMU that migrates with a virtual IOMMU (commit 0e3c1e2b2b24).
const FLOOR: (u64, u64, u64) = (11, 0, 0);

check! {
    /// The guest has a virtual IOMMU.
    ///
    /// # Meaning
    /// Up to QEMU 10 a vIOMMU in front of a VFIO device blocks migration: dirty tracking cannot follow the mappings. From
    /// QEMU 11.0 on it blocks it only for devices that track their writes themselves (mlx5, pds, vGPU).
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element iommu; virsh qemu-monitor-command DOMAIN '{"execute": "query-migrate"}'.
    /// # Fix
    /// Remove the element and restart the guest.
    "viommu": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    let Some(model) = &instance.guest.viommu else { return vec![Verdict::pass()] };
    let has = format!("the guest has a virtual IOMMU ({model})");
    let newer = |host: &Host| host.qemu.as_deref().and_then(version).map(|has| has >= FLOOR);
    let own = instance.plan.held.iter().any(|held| Tracking::of(held) == Some(Tracking::Device));
    vec![match (newer(instance.source()), newer(instance.destination())) {
        (Some(false), _) | (_, Some(false)) => Verdict::fail(has),
        (None, _) => missing(instance.source(), "qemu", "its QEMU version"),
        (_, None) => missing(instance.destination(), "qemu", "its QEMU version"),
        // A running guest has answered for itself.
        _ if instance.qemu_blocks_nothing() => Verdict::pass(),
        _ if own => Verdict::fail(format!("{has}, and a device that tracks its writes itself")),
        _ => Verdict::unknown(format!("{has}, and QEMU was not asked whether it bears it")),
    }]
}
