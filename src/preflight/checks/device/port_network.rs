//! The destination has no free device of the port's physical network, or not.

use super::prelude::*;

check! {
    /// The destination has no free device of the port's physical network.
    ///
    /// # Meaning
    /// A port is attached again to a VF of the same physical network.
    /// # Check by hand
    /// grep physical_network in the device_spec of the destination.
    /// # Fix
    /// Add physical_network to the device_spec of VFs on that network.
    "port-network": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("port-network") {
        Verdict::fail(format!(
            "the destination has no free device of the port's physical network: {}",
            device.pair.destination.address
        ))
        .remedy("add physical_network to the device_spec of VFs on that network.")
    } else {
        Verdict::pass()
    }]
}
