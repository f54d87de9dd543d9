//! Vendor, product, class, revision and type.

use super::prelude::*;

check! {
    /// The destination's device is another device than the guest's.
    ///
    /// # Meaning
    /// QEMU sends PCI config space at the very end of a migration and compares vendor, device, revision and class byte
    /// for byte. When they differ the load fails with the guest already paused ("Bad config data"). A PF cannot take
    /// over the state of a VF.
    /// # Check by hand
    /// lspci -nn -s ADDRESS on both hosts, and /sys/bus/pci/devices/ADDRESS/{class,revision}.
    /// # Fix
    /// A device of the same kind on the destination. The same vendor:device with another revision is another device.
    /// This check cannot be ignored.
    "device-identity": Error, Device(run), never_ignored
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (describe(device.pair.source), describe(device.pair.destination));
    let target = device.pair.destination.address;
    vec![
        judge(
            pair::identity(&device.pair),
            || format!("{target} is {d}, the guest has {s}"),
            || format!("class or revision of {} or {target} is not known", device.held.address),
        )
        .facts(&s, &d),
    ]
}

fn describe(device: &Device) -> String {
    let id = |id: Option<crate::model::pci::PciId>| id.map_or("????".to_owned(), |id| id.to_string());
    format!(
        "{}:{} class {} rev {} {}",
        id(device.vendor_id),
        id(device.product_id),
        device.class.as_deref().unwrap_or("?"),
        device.revision.as_deref().unwrap_or("?"),
        device.dev_type.as_str()
    )
}
