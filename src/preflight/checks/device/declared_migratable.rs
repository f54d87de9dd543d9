//! What the configuration declares.

use super::prelude::*;
use crate::model::snapshot::Declared;
use crate::plan::Role;
use crate::plan::codes::DECLARED_MIGRATABLE;

check! {
    /// A host's device_spec does not declare the device live-migratable.
    ///
    /// # Meaning
    /// Nova moves a flavor's device only when the alias asks for live_migratable and takes on the destination only
    /// devices whose device_spec says live_migratable: yes; an absent tag counts as no. A host without any device_spec
    /// is not run by Nova: there pvm goes by what the device answers, and says so.
    /// # Check by hand
    /// pvm check-config on both hosts.
    /// # Fix
    /// Add the tag to the spec that matches the device and restart nova-compute, for example device_spec =
    /// {"vendor_id": "15b3", "product_id": "101e", "live_migratable": "yes"}.
    DECLARED_MIGRATABLE: Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if device.held.role == Role::Port {
        return Vec::new();
    }
    let (s, d) = (device.pair.source, device.pair.destination);
    let mut verdicts = Vec::new();
    for (snapshot, device) in [(device.instance.hosts.source, s), (device.instance.hosts.destination, d)] {
        let host = name(&snapshot.host);
        if snapshot.config.device_specs.is_empty() {
            if device.declared == Declared::Unset {
                verdicts.push(
                    Verdict::fail(format!("{host} has no device_spec: {} goes by the probe alone", device.address))
                        .weighing(Severity::Info),
                );
            }
        } else if device.declared != Declared::Yes {
            verdicts.push(
                Verdict::fail(format!(
                    "{host} declares live_migratable {} for {}",
                    device.declared.as_str(),
                    device.address
                ))
                .remedy(stanza(device)),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(&s.declared.as_str(), &d.declared.as_str())).collect()
}

/// The text to write into nova.conf.
fn stanza(device: &Device) -> String {
    let id = |id: Option<crate::model::pci::PciId>| id.map_or("????".to_owned(), |id| id.to_string());
    format!(
        "[pci] device_spec = {{\"vendor_id\": \"{}\", \"product_id\": \"{}\", \"live_migratable\": \"yes\"}}",
        id(device.vendor_id),
        id(device.product_id)
    )
}
