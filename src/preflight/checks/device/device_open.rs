//! A process of the destination has the device open, or not.

use super::prelude::*;

check! {
    /// A process of the destination has the device open.
    ///
    /// # Meaning
    /// A VFIO device can be opened once. Programs such as DPDK or SPDK applications hold it without libvirt knowing:
    /// QEMU then fails with "Device or resource busy".
    /// # Check by hand
    /// fuser /dev/vfio/GROUP.
    /// # Fix
    /// Stop that process.
    "device-open": Error, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    vec![if target.open_by.as_ref().is_some_and(|by| !by.is_empty()) {
        let who = target.open_by.iter().flatten().cloned().collect::<Vec<_>>().join(", ");
        Verdict::fail(format!("{} is open in {who}", target.address)).remedy("stop that process.")
    } else {
        Verdict::pass()
    }]
}
