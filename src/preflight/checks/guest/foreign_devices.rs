//! The guest has the devices that libvirt knows of.

use super::prelude::*;

check! {
    /// The guest was given devices past libvirt.
    ///
    /// # Meaning
    /// A device that was plugged in by a monitor command is unknown to libvirt, which starts QEMU on the destination without
    /// it: loading the state then fails ("Unknown ramblock", "load of migration failed").
    /// # Check by hand
    /// virsh qemu-monitor-command DOMAIN --hmp 'info qtree', beside virsh dumpxml DOMAIN.
    /// # Fix
    /// virsh qemu-monitor-command DOMAIN --hmp 'device_del ID', and plug it in by virsh attach-device.
    "foreign-devices": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let devices = &instance.domain.foreign_devices;
    vec![if devices.is_empty() {
        Verdict::pass()
    } else {
        let removal = format!("device_del {}", devices[0]);
        Verdict::fail(format!("libvirt does not know these devices of the guest: {}", devices.join(", ")))
            .remedy(format!("virsh qemu-monitor-command {} --hmp {}", quoted(&instance.domain.name), quoted(&removal)))
    }]
}
