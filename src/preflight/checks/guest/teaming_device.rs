//! No devices that libvirt unplugs.

use super::prelude::*;

check! {
    /// A device is unplugged for the migration instead of migrated.
    ///
    /// # Meaning
    /// An interface or hostdev with teaming type='transient' is unplugged by QEMU before and plugged again afterwards;
    /// its state is lost, and the guest must bond it with the persistent one.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element teaming.
    /// # Fix
    /// Remove the element, if the device itself can migrate.
    "teaming-device": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let teamed: Vec<String> = instance
        .domain
        .hostdevs
        .iter()
        .filter(|hostdev| hostdev.teaming.as_deref() == Some("transient"))
        .filter_map(|hostdev| hostdev.source.map(|source| source.to_string()))
        .collect();
    vec![if teamed.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("unplugged instead of migrated: {}", teamed.join(", ")))
    }]
}
