//! One domain as libvirt describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::unknown::Unknown;
use crate::model::pci::PciAddress;

/// What QEMU says of a device whose driver does not migrate, in each version.
pub(crate) const NOT_IN_KERNEL: &str = "not supported in kernel";

/// One domain.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Domain {
    /// Name.
    pub name: String,
    /// UUID, lower case.
    pub uuid: String,
    /// `running`, `paused`, `shutoff`, `crashed`, `pmsuspended`, …
    pub state: String,
    /// Whether an I/O error of a disk has paused it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub io_error: bool,
    /// Whether it has a persistent definition.
    pub persistent: bool,
    /// Whether it starts with the host.
    pub autostart: bool,
    /// Live migratable XML without security info (the inactive one when it does not run).
    pub xml: Option<String>,
    /// Persistent XML without security info.
    pub inactive_xml: Option<String>,
    /// QEMU's own reasons why it cannot migrate; empty: none.
    pub blocked_reasons: Option<Vec<String>>,
    /// Version of the QEMU that runs it.
    pub qemu: Option<String>,
    /// Bytes of VFIO state transferred in its migrations.
    pub vfio_transferred: Option<u64>,
    /// Job on it: `none`, `migration-out`, `migration-in`, …
    pub job: Option<String>,
    /// Number of snapshots.
    pub snapshots: Option<u32>,
    /// Number of checkpoints.
    pub checkpoints: Option<u32>,
    /// Devices of the running QEMU that libvirt does not know: plugged in past it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign_devices: Vec<String>,
    /// Who runs it: `nova`, `ovirt`, `kubevirt`, `opennebula`, `cloudstack`, …
    pub owner: Option<String>,
    /// Nova's metadata.
    pub nova: Option<NovaMetadata>,
    /// Host devices of every kind, in document order of the live XML.
    pub hostdevs: Vec<Hostdev>,
    /// PCI functions of the host that it has by other ways: QEMU arguments, NVMe disks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_devices: Vec<PciAddress>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

impl Domain {
    /// Whether its CPUs run or may run again without a boot.
    pub fn is_active(&self) -> bool {
        !matches!(self.state.as_str(), "shutoff" | "crashed" | "")
    }

    /// The reason against a migration that QEMU gives for a device which no host device here is: it may be any of them.
    pub fn reason_of_nobody(&self) -> Option<&str> {
        let reasons = self.blocked_reasons.iter().flatten();
        reasons.map(String::as_str).find(|reason| {
            reason.contains(NOT_IN_KERNEL) && self.hostdevs.iter().all(|held| held.own_reason(reason).is_none())
        })
    }
}

/// Nova's metadata in a domain's XML (`nova/virt/libvirt/config.py`, `LibvirtConfigGuestMetaNovaInstance`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NovaMetadata {
    /// Display name of the instance.
    pub name: Option<String>,
    /// Flavor name.
    pub flavor: Option<String>,
    /// Extra specs; there since Nova 32.
    pub extra_specs: Option<BTreeMap<String, String>>,
    /// Image properties.
    pub image_properties: Option<BTreeMap<String, String>>,
    /// Project UUID.
    pub project: Option<String>,
}

/// What a host device is in the XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostdevKind {
    /// `<hostdev type='pci'>`.
    #[default]
    Hostdev,
    /// `<interface type='hostdev'>`.
    Interface,
    /// `<hostdev type='mdev'>`.
    Mdev,
    /// `<interface type='network'>` on a hostdev pool.
    Network,
}

/// One host device of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Hostdev {
    /// Kind.
    pub kind: HostdevKind,
    /// Address on the host; none for mdev.
    pub source: Option<PciAddress>,
    /// Address in the guest.
    pub guest_address: Option<PciAddress>,
    /// libvirt's device alias.
    pub alias: Option<String>,
    /// `managed` attribute, when present.
    pub managed: Option<bool>,
    /// `<driver model=…>`.
    pub driver_model: Option<String>,
    /// MAC of an interface.
    pub mac: Option<String>,
    /// VLAN tag of an interface.
    pub vlan: Option<u16>,
    /// libvirt network of a pool interface, or uuid of an mdev.
    pub network: Option<String>,
    /// `<teaming type=…>`.
    pub teaming: Option<String>,
    /// Whether libvirt hands it to QEMU through iommufd (libvirt 12.1).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub iommufd: bool,
}

impl Hostdev {
    /// What QEMU calls it in what it says: its host address, or its alias when that is all QEMU was told (iommufd).
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.source.map(|address| address.to_string()).into_iter().chain(self.alias.clone())
    }

    /// The reason against a migration, without the device's name, when QEMU gives it for this device.
    pub fn own_reason<'r>(&self, reason: &'r str) -> Option<&'r str> {
        self.names().find_map(|name| reason.strip_prefix(name.as_str())?.strip_prefix(": "))
    }
}
