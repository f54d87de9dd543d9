//! No device_spec of the destination matches the device, or not.

use super::prelude::*;

check! {
    /// No device_spec of the destination matches the device.
    ///
    /// # Meaning
    /// Nova manages only devices that an entry of [pci] device_spec matches; the first that matches decides.
    /// # Check by hand
    /// pvm inventory DST --all, column DECLARED.
    /// # Fix
    /// Add an entry to device_spec and restart nova-compute.
    "no-device-spec": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("no-device-spec") {
        Verdict::fail(format!(
            "no device_spec of the destination matches the device: {}",
            device.pair.destination.address
        ))
        .remedy("add an entry to device_spec and restart nova-compute.")
    } else {
        Verdict::pass()
    }]
}
