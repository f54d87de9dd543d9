//! One PCI function as its host describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tags::{Declared, Tags};
use super::unknown::Unknown;
use crate::model::pci::{PciAddress, PciId};

/// Nova's device types (`nova/objects/fields.py`, `PciDeviceType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum DevType {
    /// Neither PF nor VF.
    #[default]
    #[serde(rename = "type-PCI")]
    Pci,
    /// SR-IOV capable, also with no VF created.
    #[serde(rename = "type-PF")]
    Pf,
    /// Virtual function.
    #[serde(rename = "type-VF")]
    Vf,
    /// VF behind a vDPA device.
    #[serde(rename = "vdpa")]
    Vdpa,
}

impl DevType {
    /// Nova's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pci => "type-PCI",
            Self::Pf => "type-PF",
            Self::Vf => "type-VF",
            Self::Vdpa => "vdpa",
        }
    }
}

/// Whether a device can migrate, as far as it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Supported {
    /// It said so.
    Yes,
    /// It said it cannot.
    No,
}

/// One PCI function.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// Its address.
    pub address: PciAddress,
    /// Vendor id.
    pub vendor_id: Option<PciId>,
    /// Device id, the VF's own for a VF.
    pub product_id: Option<PciId>,
    /// Subsystem vendor.
    pub subsystem_vendor_id: Option<PciId>,
    /// Subsystem device.
    pub subsystem_device_id: Option<PciId>,
    /// Class, six hex digits.
    pub class: Option<String>,
    /// Revision, two hex digits.
    pub revision: Option<String>,
    /// The kernel's modalias.
    pub modalias: Option<String>,
    /// Nova's type.
    pub dev_type: DevType,
    /// PF of a VF.
    pub parent_addr: Option<PciAddress>,
    /// Number of a VF on its PF: N of `virtfnN`.
    pub vf_index: Option<u32>,
    /// SR-IOV of a PF.
    pub sriov: Option<Sriov>,
    /// NUMA node; `None` where the kernel says -1.
    pub numa_node: Option<u32>,
    /// Socket of that node.
    pub socket: Option<u32>,
    /// IOMMU group number.
    pub iommu_group: Option<u32>,
    /// The group's default domain type, as the kernel writes it.
    pub iommu_group_type: Option<String>,
    /// Other members of the group.
    pub iommu_group_members: Vec<PciAddress>,
    /// Bound driver; `None` without an entry in `unknown` means unbound.
    pub driver: Option<String>,
    /// `driver_override`, when set.
    pub driver_override: Option<String>,
    /// VFIO driver that libvirt would choose (`modules.alias`).
    pub candidate_driver: Option<String>,
    /// `vfioN` when bound to a VFIO driver.
    pub vfio_dev: Option<String>,
    /// Character device `/dev/vfio/devices/vfioN`, when the kernel offers it.
    pub cdev: Option<String>,
    /// Base address registers that are in use.
    pub bars: Option<Vec<Bar>>,
    /// Size of the expansion ROM in bytes.
    pub rom: Option<u64>,
    /// MSI-X table.
    pub msix: Option<Msix>,
    /// Capability list in order (needs root for more than the first 64 bytes).
    pub capabilities: Option<Vec<Capability>>,
    /// PCI Express link and device capabilities, hex words as in config space.
    pub pcie: Option<String>,
    /// Reset methods, in the kernel's order.
    pub reset_methods: Option<Vec<String>>,
    /// Vital product data of the card (the PF's for a VF is under the PF).
    pub vpd: Option<Vpd>,
    /// Network interface of the function.
    pub netdev: Option<String>,
    /// `up`, `down`, … of that interface.
    pub link: Option<String>,
    /// What the host uses that interface for (`has a route`, `belongs to bond0`); `None` is unknown, empty is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netdev_use: Option<Vec<String>>,
    /// Its MTU in bytes.
    pub mtu: Option<u32>,
    /// Physical network of the matching spec.
    pub physical_network: Option<Value>,
    /// Firmware.
    pub firmware: Option<Firmware>,
    /// devlink's word on it.
    pub devlink: Option<Devlink>,
    /// What the PF enforces for this VF.
    pub vf_admin: Option<VfAdmin>,
    /// Vendor facts.
    pub vendor: BTreeMap<String, Value>,
    /// Index of the first matching device spec.
    pub spec_index: Option<usize>,
    /// Tags of that spec.
    pub tags: Tags,
    /// `live_migratable` of that spec.
    pub declared: Declared,
    /// What the device answers.
    pub migration: Migration,
    /// Domains that use it, defined ones too; `None` is unknown, empty is free.
    pub used_by: Option<Vec<UsedBy>>,
    /// Other processes that hold it open.
    pub open_by: Option<Vec<String>>,
    /// A migration of pvm that has claimed it.
    pub claimed_by: Option<String>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

impl Device {
    /// Whether a VFIO driver other than `vfio-pci` is bound.
    pub fn has_variant_driver(&self) -> bool {
        self.migration.variant_driver.is_some()
    }

    /// Whether no domain uses it; `None` when that is not known.
    pub fn is_free(&self) -> Option<bool> {
        self.used_by.as_ref().map(Vec::is_empty)
    }

    /// Why a fact is unknown; facts of [`Migration`] by `migration.NAME`.
    pub fn why_unknown(&self, fact: &str) -> Option<&str> {
        let (list, fact) = match fact.strip_prefix("migration.") {
            Some(inner) => (&self.migration.unknown, inner),
            None => (&self.unknown, fact),
        };
        list.iter().find(|u| u.fact == fact).map(|u| u.why.as_str())
    }
}

/// SR-IOV state of a PF.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sriov {
    /// `sriov_totalvfs`.
    pub total: u32,
    /// `sriov_numvfs`.
    pub num: u32,
    /// `sriov_drivers_autoprobe`.
    pub drivers_autoprobe: Option<bool>,
}

/// One base address register.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bar {
    /// 0 to 5.
    pub index: u8,
    /// `memory` or `io`.
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// Whether reads have no side effect.
    pub prefetchable: bool,
    /// Whether it takes two registers.
    pub is_64bit: bool,
}

/// The MSI-X capability.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Msix {
    /// Vectors.
    pub vectors: u16,
    /// BAR of the table.
    pub table_bar: u8,
    /// Offset of the table.
    pub table_offset: u32,
    /// BAR of the pending bits.
    pub pba_bar: u8,
    /// Offset of the pending bits.
    pub pba_offset: u32,
}

/// One entry of the capability list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capability {
    /// Capability id.
    pub id: u8,
    /// Offset in config space.
    pub offset: u8,
}

/// Vital product data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Vpd {
    /// `SN`.
    pub serial: Option<String>,
    /// `PN`.
    pub part: Option<String>,
    /// The serial Nova calls `card_serial_number`.
    pub card_serial: Option<String>,
}

/// Firmware of the card.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Firmware {
    /// Version.
    pub version: Option<String>,
    /// Parameter-set id of NVIDIA cards.
    pub psid: Option<String>,
    /// Who said so: `sysfs`, `devlink` or `ethtool`.
    pub source: Option<String>,
    /// Every version that devlink names: `fw.mgmt`, `board.id`, …
    pub versions: BTreeMap<String, String>,
}

/// The least firmware with which ConnectX-7 and BlueField-3 migrate (NVIDIA's guide to live migration of VFs).
const MLX5_FLOORS: [[u32; 3]; 2] = [[28, 41, 1000], [32, 41, 1000]];

impl Firmware {
    /// Whether an mlx5 card's version is at least what its vendor asks for, with that version; `None` where none is named.
    pub fn mlx5_floor(version: &str) -> Option<(bool, String)> {
        let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
        let floor = MLX5_FLOORS.iter().find(|floor| numbers.first() == Some(&floor[0]))?;
        let [family, major, minor] = floor;
        Some((numbers[..] >= floor[..], format!("{family}.{major}.{minor}")))
    }
}

/// devlink facts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Devlink {
    /// `legacy` or `switchdev`.
    pub eswitch_mode: Option<String>,
    /// Port function `migratable`.
    pub migratable: Option<bool>,
    /// `eth`, `ib`.
    pub port_type: Option<String>,
    /// Number of a VF's port on its PF, for `devlink port function set pci/PF/PORT`.
    pub port: Option<u32>,
}

/// What the PF enforces for one VF.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VfAdmin {
    /// MAC address.
    pub mac: Option<String>,
    /// VLAN id, 0 for none.
    pub vlan: Option<u16>,
    /// Priority.
    pub qos: Option<u8>,
    /// Whether the VF is trusted.
    pub trust: Option<bool>,
    /// Whether source MACs are checked.
    pub spoofchk: Option<bool>,
    /// Mbit/s, 0 for none.
    pub rate_min: Option<u32>,
    /// Mbit/s, 0 for none.
    pub rate_max: Option<u32>,
    /// `auto`, `enable`, `disable`.
    pub link_state: Option<String>,
}

/// What the device itself says about migration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Migration {
    /// Bound VFIO driver other than `vfio-pci`. A name proves nothing: see `supported`.
    pub variant_driver: Option<String>,
    /// Whether it can migrate; `None` is unknown.
    pub supported: Option<Supported>,
    /// `stop-copy`, `p2p`, `pre-copy`; `None` is unknown.
    pub flags: Option<Vec<String>>,
    /// Bytes of state in the stop-copy phase.
    pub state_size: Option<u64>,
    /// `device`, `iommu` or `none`; `None` is unknown.
    pub dirty_tracking: Option<String>,
    /// VFIO's migration state word.
    pub state: Option<String>,
    /// Which rung answered which fact: `debugfs`, `qemu`, `devlink`, `ioctl`, `driver-table`.
    pub asked: BTreeMap<String, String>,
    /// What migration of this device rests on, from the kernel's module to QEMU; for devices that are declared or could be.
    pub chain: Vec<Link>,
    /// Facts of this object that nobody answered.
    pub unknown: Vec<Unknown>,
}

/// One link of the chain behind a device's answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Link {
    /// `firmware`, `module`, `pf`, `driver`, `probe` or `qemu`.
    pub link: String,
    /// Whether it holds; `None` is unknown.
    pub holds: Option<bool>,
    /// What is there, in words.
    pub found: String,
}

/// A domain that uses a device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UsedBy {
    /// Domain name.
    pub name: String,
    /// Domain UUID.
    pub uuid: String,
    /// `running`, `paused`, `shutoff`, …
    pub state: String,
    /// Whether it starts with the host.
    pub autostart: bool,
}
