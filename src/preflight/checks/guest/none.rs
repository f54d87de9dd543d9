//! What a guest must not have to be moved: one row for each kind.

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
    "local-devices": Error, Instance(|on| none(&on.guest.local_hostdevs, "host devices of type")), rechecked;

    /// The guest is confidential.
    ///
    /// # Meaning
    /// Memory of SEV, SNP and TDX guests is encrypted for one machine; QEMU cannot send it.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element launchSecurity.
    /// # Fix
    /// Nothing helps: such a guest stays where it is.
    "confidential-guest": Error,
    Instance(|on| none(&on.guest.launch_security, "the guest is confidential:")), rechecked;

    /// A host device has no address in the guest's XML.
    ///
    /// # Meaning
    /// QEMU names a device's state by its guest address. Where the XML has none, libvirt on the destination chooses
    /// one, and the state finds no device ("Unknown savevm section").
    /// # Check by hand
    /// virsh dumpxml DOMAIN: each hostdev has an <address type='pci'>.
    /// # Fix
    /// Use the live XML of the running guest.
    "guest-address": Error, Instance(|on| none(&on.guest.unaddressed, "without a guest address:"));

    /// A device is unplugged for the migration instead of migrated.
    ///
    /// # Meaning
    /// An interface or hostdev with teaming type='transient' is unplugged by QEMU before and plugged again afterwards;
    /// its state is lost, and the guest must bond it with the persistent one.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element teaming.
    /// # Fix
    /// Remove the element, if the device itself can migrate.
    "teaming-device": Warning, Instance(|on| none(&teamed(on), "unplugged instead of migrated:"))
}

/// Fails with the list, if it is not empty.
fn none<'a>(list: impl IntoIterator<Item = &'a String>, message: &str) -> Vec<Verdict> {
    let list: Vec<&str> = list.into_iter().map(String::as_str).collect();
    vec![if list.is_empty() { Verdict::pass() } else { Verdict::fail(format!("{message} {}", list.join(", "))) }]
}

/// Devices that QEMU unplugs before a migration.
fn teamed(instance: &Instance<'_>) -> Vec<String> {
    let hostdevs = instance.domain.hostdevs.iter();
    let transient = hostdevs.filter(|hostdev| hostdev.teaming.as_deref() == Some("transient"));
    transient.filter_map(|hostdev| hostdev.source.map(|source| source.to_string())).collect()
}
