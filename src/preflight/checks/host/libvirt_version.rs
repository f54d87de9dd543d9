//! libvirt knows variant drivers.

use super::prelude::*;

/// Nova's floor (`nova/virt/libvirt/driver.py`, `MIN_VFIO_PCI_VARIANT_LIBVIRT_VERSION`).
const FLOOR: (u64, u64, u64) = (10, 0, 0);

check! {
    /// libvirt is too old to migrate VFIO devices.
    ///
    /// # Meaning
    /// libvirt 10.0.0 is the first that binds a device to its variant driver by itself, and it is the version Nova asks
    /// for. Below 9.7.0 libvirt does not recognise a bound variant driver at all; below 8.6.0 it refuses to migrate any
    /// guest with a PCI host device.
    /// # Check by hand
    /// virsh -c URI version --daemon.
    /// # Fix
    /// Upgrade libvirt on the host named.
    "libvirt-version": Error, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    floor(hosts, "libvirt", "libvirt", |host| host.libvirt.as_deref(), FLOOR)
}
