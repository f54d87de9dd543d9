//! The MSI-X table.

use super::prelude::*;

check! {
    /// The MSI-X table differs.
    ///
    /// # Meaning
    /// Number of vectors, BAR and offset of the MSI-X table are part of config space, which QEMU compares at the end of
    /// the migration: it fails with the guest already paused. This check cannot be ignored.
    /// # Check by hand
    /// lspci -vv -s ADDRESS as root, capability MSI-X; the count can be set through sriov_vf_msix_count of the VF.
    /// # Fix
    /// echo COUNT > /sys/bus/pci/devices/VF/sriov_vf_msix_count on the destination, while the VF is unbound.
    "msix-layout": Error, Device(run), never_ignored
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (show(device.pair.source), show(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    vec![
        judge(
            pair::msix(&device.pair),
            || format!("the MSI-X tables differ: {s} and {d}"),
            || format!("the MSI-X table of {address} or {target} is not known"),
        )
        .facts(&s, &d),
    ]
}

fn show(device: &Device) -> String {
    device.msix.as_ref().map_or("none".to_owned(), |msix| {
        format!("{} vectors in BAR{} at {:#x}", msix.vectors, msix.table_bar, msix.table_offset)
    })
}
