//! Subsystem vendor and device.

use super::prelude::*;

check! {
    /// The destination's device has other subsystem ids.
    ///
    /// # Meaning
    /// Guest drivers bind by subsystem ids and switch quirks on by them. QEMU does not compare them, so a guest can
    /// arrive with a card that its driver does not expect, without any error.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/subsystem_{vendor,device} on both hosts.
    /// # Fix
    /// A card of the same make on the destination.
    "device-subsystem": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let ids = |device: &Device| {
        let id = |id: Option<crate::model::pci::PciId>| id.map_or("????".to_owned(), |id| id.to_string());
        format!("{}:{}", id(device.subsystem_vendor_id), id(device.subsystem_device_id))
    };
    let (s, d) = (ids(device.pair.source), ids(device.pair.destination));
    let target = device.pair.destination.address;
    vec![
        judge(
            pair::subsystem(&device.pair),
            || format!("{target} has the subsystem {d}, the guest's device {s}"),
            || format!("the subsystem ids of {} or {target} are not known", device.held.address),
        )
        .facts(&s, &d),
    ]
}
