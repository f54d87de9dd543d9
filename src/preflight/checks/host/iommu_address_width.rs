//! The destination's IOMMU addresses as much.

use super::prelude::*;

check! {
    /// The destination's IOMMU has fewer address bits.
    ///
    /// # Meaning
    /// A guest whose memory and device windows lie above what the IOMMU can address fails with VFIO_MAP_DMA: Invalid
    /// argument when it starts on the destination.
    /// # Check by hand
    /// dmesg | grep -i "host address width" on both hosts.
    /// # Fix
    /// A destination with the same width, or a guest with a smaller physical address size (cpu/maxphysaddr).
    "iommu-address-width": Warning, VfioHosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = match both(hosts, "iommu.address_bits", "the width of its IOMMU", |host| host.iommu.address_bits) {
        Ok(bits) => bits,
        // libvirt's start of the guest tells before anything moves.
        Err(unknown) => return unknown.into_iter().map(|verdict| verdict.weighing(Severity::Info)).collect(),
    };
    let verdict = if d < s {
        Verdict::fail(format!(
            "the IOMMU of {} has {d} address bits, the source's has {s}",
            name(&hosts.destination.host)
        ))
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&s, &d)]
}
