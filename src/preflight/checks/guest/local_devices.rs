//! Only PCI devices of the host.

use super::prelude::*;

check! {
    /// The guest holds devices of the host that cannot migrate.
    ///
    /// # Meaning
    /// USB and SCSI host devices have no migration: libvirt refuses, or the guest loses them.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, elements hostdev.
    /// # Fix
    /// virsh detach-device DOMAIN FILE --live, with the hostdev element in FILE; attach another on the destination.
    "local-devices": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let kinds = &instance.guest.local_hostdevs;
    vec![if kinds.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("host devices of type {}", kinds.join(", ")))
    }]
}
