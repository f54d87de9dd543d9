//! `managed` where the variant driver must stay bound.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// Managed is yes or unset on live-migratable devices, whose variant driver must stay bound.
    ///
    /// # Meaning
    /// With managed yes (also when it is unset) libvirt binds a driver when the guest starts and gives the device back
    /// to the host's driver when it stops. Which VFIO driver it takes depends on its version and on modules.alias: an
    /// older libvirt always takes vfio-pci, which cannot migrate. With managed no the operator's own binding to the
    /// variant driver stays.
    /// # Check by hand
    /// readlink /sys/bus/pci/devices/VF/driver
    /// # Fix
    /// "managed": "no" in the device_spec, and bind the variant driver at boot (driverctl, udev).
    "managed-variant-driver": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for spec in subject.config.device_specs.iter().filter(|spec| spec.declared() == Declared::Yes) {
        if spec.tags.managed == Some(Declared::No) {
            continue;
        }
        let (span, shown) = match spec.node.get("managed") {
            Some(member) => (member.key.span.to(member.value.span), "libvirt binds and unbinds the driver"),
            None => (spec.span(), "managed is unset, which means yes"),
        };
        found.push(
            Finding::new(&RULE, "libvirt may replace the variant driver of these devices: managed is not no")
                .at(span, shown)
                .remedy("\"managed\": \"no\", and bind the variant driver at boot"),
        );
    }
}
