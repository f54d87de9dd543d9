//! A guest of the destination has the device, or not.

use super::prelude::*;

check! {
    /// A guest of the destination has the device.
    ///
    /// # Meaning
    /// A device belongs to one guest, running or defined: a defined one takes it at its next start. libvirt itself
    /// keeps no reservations.
    /// # Check by hand
    /// virsh dumpxml DOMAIN for each domain, also those that are shut off.
    /// # Fix
    /// Detach it from that guest, or add VFs.
    "device-in-use": Error, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    if target.used_by.is_none() {
        return vec![
            Verdict::unknown(format!("who uses {} is not known", target.address))
                .remedy("a snapshot of the destination with its domains: libvirt must answer there"),
        ];
    }
    vec![if target.used_by.as_ref().is_some_and(|by| !by.is_empty()) {
        let who = target.used_by.iter().flatten().map(|by| by.name.clone()).collect::<Vec<_>>().join(", ");
        Verdict::fail(format!("{} belongs to the guest {who}", target.address))
            .remedy("detach it from that guest, or add VFs.")
    } else {
        Verdict::pass()
    }]
}
