//! The destination's device can be reset.

use super::prelude::*;

check! {
    /// The destination's device has no way to be reset.
    ///
    /// # Meaning
    /// libvirt resets a device before it gives it to a guest; without a reset method it refuses ("no FLR, PM reset or
    /// bus reset available").
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/reset_method.
    /// # Fix
    /// Another device; SR-IOV VFs have FLR.
    "device-reset": Warning, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    vec![match &target.reset_methods {
        Some(methods) if methods.is_empty() => Verdict::fail(format!("{} has no reset method", target.address)),
        Some(_) => Verdict::pass(),
        None => Verdict::unknown(format!("the reset methods of {} are not known", target.address)),
    }]
}
