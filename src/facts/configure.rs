//! Nova's configuration in a snapshot: parsed, and applied to the devices as tags.

use std::path::{Path, PathBuf};

use super::nova_files;
use super::{HostError, Settings};
use crate::model::causes::sentence;
use crate::model::finding::{Finding, NovaError, Severity, rules};
use crate::model::snapshot::{Snapshot, Unknown};
use crate::nova::config::{self, Input, Machine, machine};
use crate::nova::placement;
use crate::nova::tagging;

rules! {
    /// Nova's configuration is there and cannot be read, so what it declares is unknown.
    ///
    /// # Meaning
    /// nova.conf holds passwords, and packages install it readable by root and the group nova only. pvm lists the
    /// devices nevertheless; what is declared for them (live_migratable and other tags of device_spec) is unknown.
    /// # Check by hand
    /// ls -l /etc/nova/nova.conf
    /// # Fix
    /// Run the command as root, or name a copy that you may read: pvm --nova-config PATH inventory.
    UNREADABLE = "nova-config-unreadable", Warning;

    /// Nova's configuration has errors; the tags shown come from the entries that could be read.
    ///
    /// # Meaning
    /// nova-compute does not start with an error in [pci] device_spec or alias. The inventory shows the tags of those
    /// entries that are correct.
    /// # Check by hand
    /// pvm check-config shows every error with its place.
    /// # Fix
    /// Write what pvm check-config suggests.
    HAS_ERRORS = "nova-config-errors", Warning;

    /// With report_in_placement on, Nova refuses the devices as the device_specs cover them.
    ///
    /// # Meaning
    /// Nova reports one resource provider for each PF to Placement, so all VFs of a PF must have the same resource
    /// class and the same traits, and live_migratable: yes is one of the traits. A PF and its VFs cannot both be
    /// covered, one_time_use is for whole devices, and devname is not supported. nova-compute does not start otherwise.
    /// # Check by hand
    /// pvm inventory --placement shows what Nova would report.
    /// # Fix
    /// Give all VFs of a PF the same resource_class, traits and live_migratable, or leave the PF out.
    PLACEMENT = "placement-refused", Warning;
}

/// Reads Nova's files below `root` and applies them. Files that were named must be there; what Nova would find by itself need
/// not be readable. Without any, the entries of pvm.yaml stand in.
pub(crate) fn read(
    snapshot: &mut Snapshot,
    root: &Path,
    named: &[PathBuf],
    settings: &Settings,
) -> Result<(), HostError> {
    match nova_files::read(root, named) {
        Ok(inputs) if inputs.is_empty() => apply(snapshot, own(settings).into_iter().collect()),
        Ok(inputs) => apply(snapshot, inputs),
        Err(source) if !named.is_empty() => return Err(HostError::NovaConfig(source)),
        Err(error) => unreadable(snapshot, &sentence(&error)),
    }
    Ok(())
}

/// Applies the entries of pvm.yaml to a host whose own configuration is not reached.
pub(crate) fn apply_settings(snapshot: &mut Snapshot, settings: &Settings) {
    apply(snapshot, own(settings).into_iter().collect());
}

/// Parses the files and tags the devices.
fn apply(snapshot: &mut Snapshot, inputs: Vec<Input>) {
    if !inputs.is_empty() {
        for device in &mut snapshot.devices {
            device.unknown.retain(|u| u.fact != "declared" && u.fact != "tags");
        }
    }
    let hostname = Some(snapshot.host.name.clone()).filter(|name| !name.is_empty());
    let machine = Machine { hostname, address: None };
    let parsed = config::load(inputs, &machine::Devices(&snapshot.devices), &machine);
    tagging::tag(&parsed, &mut snapshot.devices);
    snapshot.config = parsed.document();
    match placement::providers(&snapshot.host.name, &snapshot.config, &snapshot.devices) {
        Ok(providers) => snapshot.placement = providers,
        Err(refusal) => {
            snapshot.unknown.push(Unknown::new("placement", refusal.message.as_str()));
            let mut finding = Finding::new(&PLACEMENT, format!("nova-compute will not start: {refusal}")).remedy(
                "give all VFs of a PF the same resource_class, traits and live_migratable, or leave the PF out",
            );
            finding.device = refusal.device.map(|address| address.to_string());
            finding.nova_error = Some(NovaError::new(refusal.class, ""));
            snapshot.findings.push(finding);
        }
    }
    let errors = parsed.findings.iter().filter(|d| d.severity == Severity::Error).count();
    if errors > 0 {
        let files = snapshot.config.files.join(", ");
        let what = if errors == 1 { "an error".to_owned() } else { format!("{errors} errors") };
        snapshot.findings.push(
            Finding::new(&HAS_ERRORS, format!("{files} has {what}; tags come from the entries that could be read"))
                .remedy("pvm check-config"),
        );
    }
}

/// The entries of pvm.yaml, as if they stood in Nova's configuration.
fn own(settings: &Settings) -> Option<Input> {
    if settings.device_spec.is_empty() && settings.alias.is_empty() {
        return None;
    }
    let document = serde_json::json!({ "device_spec": settings.device_spec, "alias": settings.alias });
    Some(Input { name: "pvm.yaml".to_owned(), bytes: document.to_string().into_bytes() })
}

fn unreadable(snapshot: &mut Snapshot, why: &str) {
    snapshot.findings.push(
        Finding::new(&UNREADABLE, format!("what is declared is unknown: {why}"))
            .remedy("run pvm as root, or: pvm --nova-config PATH inventory"),
    );
    for fact in ["files", "nova_accepts", "device_specs", "aliases"] {
        snapshot.config.unknown.push(Unknown::new(fact, why));
    }
    for device in &mut snapshot.devices {
        for fact in ["declared", "tags"] {
            device.unknown.push(Unknown::new(fact, why));
        }
    }
}
