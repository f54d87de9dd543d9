//! Interrupt remapping alike.

use super::prelude::*;
use crate::model::snapshot::host::Iommu;

check! {
    /// Interrupt remapping or allow_unsafe_interrupts differs between the hosts.
    ///
    /// # Meaning
    /// Without interrupt remapping the kernel gives a device to a guest only with
    /// vfio_iommu_type1.allow_unsafe_interrupts=1; a source set up so hides that the destination is not.
    /// # Check by hand
    /// cat /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts, and dmesg | grep -i remapping.
    /// # Fix
    /// Enable interrupt remapping in the firmware of the host that lacks it.
    "interrupt-remapping": Warning, VfioHosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = (&hosts.source.host.iommu, &hosts.destination.host.iommu);
    let safe = |iommu: &Iommu| Some(iommu.interrupt_remapping? || iommu.unsafe_interrupts.unwrap_or(false));
    let word = |iommu: &Iommu| match safe(iommu) {
        Some(true) => "possible",
        Some(false) => "not possible",
        None => "unknown",
    };
    let verdict = match (safe(s), safe(d)) {
        (_, Some(true)) => Verdict::pass(),
        (_, Some(false)) => Verdict::fail(format!(
            "{} has no interrupt remapping and does not allow unsafe interrupts",
            name(&hosts.destination.host)
        ))
        .remedy("enable interrupt remapping in the firmware"),
        // libvirt refuses such a device on the destination before anything moves.
        (_, None) => missing(&hosts.destination.host, "iommu.interrupt_remapping", "whether it remaps interrupts")
            .weighing(Severity::Info),
    };
    vec![verdict.facts(&word(s), &word(d))]
}
