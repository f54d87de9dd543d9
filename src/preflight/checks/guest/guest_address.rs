//! Guest addresses are written down.

use super::prelude::*;

check! {
    /// A host device has no address in the guest's XML.
    ///
    /// # Meaning
    /// QEMU names a device's state by its guest address. Where the XML has none, libvirt on the destination chooses
    /// one, and the state finds no device ("Unknown savevm section").
    /// # Check by hand
    /// virsh dumpxml DOMAIN: each hostdev has an <address type='pci'>.
    /// # Fix
    /// Use the live XML of the running guest.
    "guest-address": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let without = &instance.guest.unaddressed;
    vec![if without.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("without a guest address: {}", without.join(", ")))
    }]
}
