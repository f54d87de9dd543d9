//! This device becomes that one: one value from the planner to the journal and the rewriter of XML.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pci::PciAddress;
use super::snapshot::Declared;

/// A guest, as plans and journals name it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its UUID, lower case.
    pub uuid: String,
}

/// How a device gets to the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Its state moves.
    #[default]
    Migrate,
    /// It is a port: unplugged before, another plugged in afterwards.
    Reattach,
}

/// One device of a guest and the one that takes its place. Journals of earlier versions have the first four fields only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceMove {
    /// Its address on the source.
    pub source: PciAddress,
    /// The device of the destination that takes its place.
    pub destination: PciAddress,
    /// Its address in the guest.
    pub guest_address: Option<PciAddress>,
    /// How it gets there.
    pub action: Action,
    /// Alias of the flavor, when a request names one.
    pub alias: Option<String>,
    /// libvirt's alias of the device on the source, by which QEMU may name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub libvirt_alias: Option<String>,
    /// What the destination's device spec declares.
    pub live_migratable: Declared,
    /// What `managed` must say there; `None` leaves it as it is.
    pub managed: Option<bool>,
    /// Physical network of the destination's device spec.
    pub physical_network: Option<Value>,
    /// VFIO driver on the destination.
    pub variant_driver: Option<String>,
    /// What `<driver model=…>` must say there, when the guest's XML forces a driver by another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_model: Option<String>,
}

impl DeviceMove {
    /// A device that keeps everything but its address on the host.
    pub fn new(source: PciAddress, destination: PciAddress, action: Action) -> Self {
        Self { source, destination, action, ..Self::default() }
    }

    /// Whether the device's state moves; a port's device is replaced by another one instead.
    pub fn moves_state(&self) -> bool {
        self.action == Action::Migrate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_move_of_an_earlier_journal_is_read() {
        let text = r#"{"source":"0000:81:00.1","destination":"0000:c1:00.7","guest_address":null,"action":"reattach"}"#;
        let [source, destination] = ["0000:81:00.1", "0000:c1:00.7"].map(|text| text.parse().unwrap());
        let read: DeviceMove = serde_json::from_str(text).unwrap();
        assert_eq!(read, DeviceMove::new(source, destination, Action::Reattach));
        assert!(!read.moves_state());
    }
}
