//! libvirt knows variant drivers.

use super::prelude::*;

/// Nova's floor (`nova/virt/libvirt/driver.py`, `MIN_VFIO_PCI_VARIANT_LIBVIRT_VERSION`).
const FLOOR: (u64, u64, u64) = (10, 0, 0);

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "libvirt-version",
        severity: Severity::Error,
        summary: "libvirt is too old to migrate VFIO devices",
        page: "libvirt 10.0.0 is the first that binds a device to its variant driver by itself, and it is the version Nova asks \
               for. Below 9.7.0 libvirt does not recognise a bound variant driver at all; below 8.6.0 it refuses to migrate any \
               guest with a PCI host device.\n\n\
               By hand: virsh -c URI version --daemon.\n\n\
               Remedy: upgrade libvirt on the host named.",
    },
    Run::VfioHosts(run),
);

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    floor(hosts, "libvirt", "libvirt", |host| host.libvirt.as_deref(), FLOOR)
}
