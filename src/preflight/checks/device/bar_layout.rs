//! Base address registers.

use super::prelude::*;

check! {
    /// The device's registers differ in number, kind or size.
    ///
    /// # Meaning
    /// QEMU does not compare sizes. A smaller register on the destination corrupts the guest silently. This check
    /// cannot be ignored.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/resource on both hosts: size is end - start + 1.
    /// # Fix
    /// A device with the same layout; the size of VF registers is often a firmware setting.
    "bar-layout": Error, Device(run), never_ignored
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (show(device.pair.source), show(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    vec![
        judge(
            pair::bars(&device.pair),
            || format!("the registers differ: {s} and {d}"),
            || format!("the register layout of {address} or {target} is not known"),
        )
        .facts(&s, &d),
    ]
}

fn show(device: &Device) -> String {
    let Some(bars) = &device.bars else { return "unknown".to_owned() };
    let one = |bar: &crate::model::snapshot::device::Bar| {
        format!("BAR{} {}", bar.index, crate::preflight::context::bytes(bar.size))
    };
    bars.iter().map(one).collect::<Vec<_>>().join(", ")
}
