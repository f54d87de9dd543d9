//! The entry of a plan's device map for one device of the guest.

use super::pair;
use crate::model::device_move::{Action, DeviceMove};
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Device, Hostdev};

/// How `hostdev` becomes `device` of the destination.
pub(crate) fn moved(
    hostdev: &Hostdev,
    source: PciAddress,
    device: &Device,
    action: Action,
    alias: Option<String>,
) -> DeviceMove {
    let driver = device.migration.variant_driver.clone().or_else(|| device.candidate_driver.clone());
    // Only a name that means another module is worth touching the definition.
    let driver_model = hostdev
        .driver_model
        .as_deref()
        .zip(driver.as_deref())
        .and_then(|(model, driver)| (!pair::same_module(model, driver)).then(|| driver.to_owned()));
    DeviceMove {
        source,
        destination: device.address,
        guest_address: hostdev.guest_address,
        action,
        alias: alias.filter(|name| !name.is_empty()),
        libvirt_alias: hostdev.alias.clone(),
        live_migratable: device.declared,
        managed: managed_tag(device).or(hostdev.managed),
        physical_network: pair::physical_network(device).cloned(),
        variant_driver: driver,
        driver_model,
    }
}

/// `managed` of the matching device spec; `None` when it does not say.
pub(crate) fn managed_tag(device: &Device) -> Option<bool> {
    device.tags.managed?.truth()
}
