//! The destination has an IOMMU that is on.

use super::prelude::*;

check! {
    /// The destination has no IOMMU, or it is off.
    ///
    /// # Meaning
    /// Without IOMMU groups no device can be given to a guest.
    /// # Check by hand
    /// ls /sys/kernel/iommu_groups.
    /// # Fix
    /// Switch VT-d, AMD-Vi or SMMU on in the firmware, and with Intel boot with intel_iommu=on.
    "iommu-enabled": Error, VfioHosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    vec![match host.iommu.enabled {
        Some(true) => Verdict::pass(),
        Some(false) => Verdict::fail(format!("{} has no IOMMU groups", name(host)))
            .remedy("switch the IOMMU on in the firmware; with Intel boot with intel_iommu=on"),
        None => missing(host, "iommu.enabled", "whether its IOMMU is on"),
    }]
}
