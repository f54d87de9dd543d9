//! The device map of a plan, and what the rewriter makes of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pair;
use crate::domain::rewrite::{Change, Interfaces, Mapping};
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Declared, Device, Hostdev};

/// What happens to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Its state moves.
    #[default]
    Migrate,
    /// A port: detached before, attached afterwards.
    Reattach,
}

/// One device of the guest and the one that takes its place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MapEntry {
    /// On the source.
    pub source: PciAddress,
    /// On the destination.
    pub destination: PciAddress,
    /// In the guest.
    pub guest_address: Option<PciAddress>,
    /// What happens.
    pub action: Action,
    /// Alias of the flavor, when a request names one.
    pub alias: Option<String>,
    /// What the destination's device spec declares.
    pub live_migratable: Declared,
    /// What `managed` will say there.
    pub managed: Option<bool>,
    /// Physical network of the destination's device spec.
    pub physical_network: Option<Value>,
    /// VFIO driver on the destination.
    pub variant_driver: Option<String>,
    /// What `<driver model=…>` must say there, when the guest's XML forces a driver by another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_model: Option<String>,
}

impl MapEntry {
    /// The entry for `hostdev` with `device` of the destination.
    pub fn new(hostdev: &Hostdev, source: PciAddress, device: &Device, action: Action, alias: Option<String>) -> Self {
        let driver = device.migration.variant_driver.clone().or_else(|| device.candidate_driver.clone());
        // Only a name that means another module is worth touching the definition.
        let driver_model = hostdev
            .driver_model
            .as_deref()
            .zip(driver.as_deref())
            .and_then(|(model, driver)| (!pair::same_module(model, driver)).then(|| driver.to_owned()));
        Self {
            source,
            destination: device.address,
            guest_address: hostdev.guest_address,
            action,
            alias: alias.filter(|name| !name.is_empty()),
            live_migratable: device.declared,
            managed: managed_tag(device).or(hostdev.managed),
            physical_network: device.tags.get("physical_network").or(device.physical_network.as_ref()).cloned(),
            variant_driver: driver,
            driver_model,
        }
    }
}

/// `managed` of the matching device spec; `None` when it does not say.
pub fn managed_tag(device: &Device) -> Option<bool> {
    match device.tags.get("managed")? {
        Value::Bool(yes) => Some(*yes),
        Value::String(word) => match word.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What the rewriter is to do at the moment of migration: the devices whose state moves. Ports are detached by then.
pub fn rewriting(map: &[MapEntry]) -> Mapping {
    let migrating = map.iter().filter(|entry| entry.action == Action::Migrate);
    Mapping { changes: migrating.map(change).collect(), interfaces: Interfaces::MustBeMapped }
}

/// The same with the ports, for the definition as it will be afterwards.
pub fn rewriting_with_ports(map: &[MapEntry]) -> Mapping {
    Mapping { changes: map.iter().map(change).collect(), interfaces: Interfaces::MustBeMapped }
}

fn change(entry: &MapEntry) -> Change {
    Change {
        from: entry.source,
        to: entry.destination,
        managed: entry.managed,
        driver_model: entry.driver_model.clone(),
    }
}
