//! QEMU migrates several VFIO devices.

use super::prelude::*;

/// Nova's floor (`nova/virt/libvirt/driver.py`, `MIN_VFIO_PCI_VARIANT_QEMU_VERSION`).
const FLOOR: (u64, u64, u64) = (8, 2, 2);

check! {
    /// QEMU is too old to migrate VFIO devices.
    ///
    /// # Meaning
    /// VFIO migration left its experimental state in QEMU 8.1; 8.2 added peer-to-peer support, without which a guest
    /// with several devices cannot move. Nova asks for 8.2.2.
    /// # Check by hand
    /// virsh -c URI version.
    /// # Fix
    /// Upgrade QEMU on the host named; guests must be restarted to run the new one.
    "qemu-version": Error, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    floor(hosts, "qemu", "QEMU", |host| host.qemu.as_deref(), FLOOR)
}
