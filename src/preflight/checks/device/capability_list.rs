//! The list of capabilities.

use super::prelude::*;

check! {
    /// The capability lists differ.
    ///
    /// # Meaning
    /// Positions and order of the PCI capabilities are part of config space, which QEMU compares at the end of the
    /// migration: it fails with the guest already paused. Only root reads more than the first 64 bytes.
    /// # Check by hand
    /// lspci -vv -s ADDRESS as root on both hosts.
    /// # Fix
    /// The same card and firmware; take snapshots as root.
    "capability-list": Error, Device(run), never_ignored
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (show(device.pair.source), show(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    vec![
        judge(
            pair::capabilities(&device.pair),
            || format!("the capability lists differ: {s} and {d}"),
            || format!("the capability list of {address} or {target} is not known"),
        )
        .facts(&s, &d),
    ]
}

fn show(device: &Device) -> String {
    let Some(list) = &device.capabilities else { return "unknown".to_owned() };
    list.iter().map(|c| format!("{:02x}@{:02x}", c.id, c.offset)).collect::<Vec<_>>().join(" ")
}
