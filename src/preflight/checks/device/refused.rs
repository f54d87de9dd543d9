//! Why Nova would not give the guest the device that the planner took for want of a better one: one row for each
//! reason.

use super::prelude::*;
use crate::plan::codes::{NO_DEVICE_SPEC, NOVA_FILTER, NUMA_POLICY, PORT_NETWORK};

check! {
    /// No device_spec of the destination matches the device.
    ///
    /// # Meaning
    /// Nova manages only devices that an entry of [pci] device_spec matches; the first that matches decides.
    /// # Check by hand
    /// pvm inventory DST --all, column DECLARED.
    /// # Fix
    /// Add an entry to device_spec and restart nova-compute.
    NO_DEVICE_SPEC: Error, Device(|device| refused(
        device,
        NO_DEVICE_SPEC,
        "no device_spec of the destination matches the device",
        "add an entry to device_spec and restart nova-compute",
    ));

    /// Nova's filters keep the device from the request.
    ///
    /// # Meaning
    /// The device is in none of the pools that Nova lets the request use: another type than the alias says, a PF or
    /// vDPA device that was not asked for, one managed by a remote host, or another tag.
    /// # Check by hand
    /// pvm check-config --request ALIAS:N on the destination.
    /// # Fix
    /// Change the alias or the device_spec; instances keep the request of their boot until they are resized.
    NOVA_FILTER: Error, Device(|device| refused(
        device,
        NOVA_FILTER,
        "Nova's filters keep the device from the request",
        "change the alias or the device_spec; instances keep the request of their boot until they are resized",
    ));

    /// The NUMA policy of the request forbids the device.
    ///
    /// # Meaning
    /// With numa_policy required only devices on the guest's NUMA nodes count, with legacy those and devices of no
    /// node, with socket those of the same socket.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/numa_node.
    /// # Fix
    /// Free a device on the guest's nodes, or another policy in the alias or flavor.
    NUMA_POLICY: Error, Device(|device| refused(
        device,
        NUMA_POLICY,
        "the NUMA policy of the request forbids the device",
        "free a device on the guest's nodes, or use another policy in the alias or flavor",
    ));

    /// The destination has no free device of the port's physical network.
    ///
    /// # Meaning
    /// A port is attached again to a VF of the same physical network.
    /// # Check by hand
    /// grep physical_network in the device_spec of the destination.
    /// # Fix
    /// Add physical_network to the device_spec of VFs on that network.
    PORT_NETWORK: Error, Device(|device| refused(
        device,
        PORT_NETWORK,
        "the destination has no free device of the port's physical network",
        "add physical_network to the device_spec of VFs on that network",
    ));
}

fn refused(device: &DevicePair<'_>, code: &str, message: &str, remedy: &str) -> Vec<Verdict> {
    vec![if device.held.missed == Some(code) {
        Verdict::fail(format!("{message}: {}", device.pair.destination.address)).remedy(remedy)
    } else {
        Verdict::pass()
    }]
}
