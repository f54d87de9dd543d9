//! The NUMA policy of the request forbids the device, or not.

use super::prelude::*;

check! {
    /// The NUMA policy of the request forbids the device.
    ///
    /// # Meaning
    /// With numa_policy required only devices on the guest's NUMA nodes count, with legacy those and devices of no
    /// node, with socket those of the same socket.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/numa_node.
    /// # Fix
    /// Free a device on the guest's nodes, or another policy in the alias or flavor.
    "numa-policy": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("numa-policy") {
        Verdict::fail(format!("the NUMA policy of the request forbids the device: {}", device.pair.destination.address))
            .remedy("free a device on the guest's nodes, or another policy in the alias or flavor.")
    } else {
        Verdict::pass()
    }]
}
