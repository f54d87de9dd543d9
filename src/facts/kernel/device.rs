//! One PCI function, read from its folder in sysfs. Everything comes from the function itself: a VF is not its PF.

use std::io;

use super::config_space::{self, ConfigSpace};
use super::sysfs::{Node, Tree};
use super::{drivers, probe, resource, uevent, vendor, vpd};
use crate::model::pci::{PciAddress, PciId};
use crate::model::snapshot::Unknown;
use crate::model::snapshot::device::{DevType, Device, Firmware, Sriov};

/// Largest VPD the kernel exposes.
const VPD: usize = 32 * 1024;

/// A device, and what was odd about its folder.
#[derive(Debug, Default)]
pub(crate) struct ReadDevice {
    /// The device.
    pub device: Device,
    /// Attributes that are not what a kernel writes, in words.
    pub odd: Vec<String>,
    /// `sriov_offset` and `sriov_stride` of a PF.
    pub vf_layout: Option<(u32, u32)>,
}

/// Facts about devices that are found in one place for all.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// `vfioN` by device, from `/sys/class/vfio-dev`.
    pub vfio_devs: std::collections::HashMap<PciAddress, String>,
    /// Whether debugfs can be asked.
    pub debugfs: bool,
    /// `/sys/kernel/iommu_groups`.
    pub groups: Option<Node>,
}

impl Shared {
    fn group_type(&self, number: u32) -> Option<String> {
        self.groups.as_ref()?.below(&format!("{number}/type")).ok().flatten()
    }
}

struct Reader<'a> {
    node: &'a Node,
    found: ReadDevice,
}

/// Reads the function at `address`. An error means that it is not there (any more) or cannot be opened at all.
pub(crate) fn read(tree: &Tree, address: PciAddress, shared: &Shared) -> io::Result<ReadDevice> {
    let node = tree.node(&format!("sys/bus/pci/devices/{address}"))?;
    let mut reader = Reader { node: &node, found: ReadDevice::default() };
    reader.found.device.address = address;
    reader.identity();
    reader.role();
    reader.binding(shared);
    reader.placement(shared);
    reader.regions();
    reader.interface();
    reader.firmware();
    vendor::read(tree, &node, &mut reader.found.device);
    if shared.debugfs && reader.found.device.vfio_dev.is_some() {
        probe::debugfs(tree, &mut reader.found.device);
    }
    Ok(reader.found)
}

impl Reader<'_> {
    fn identity(&mut self) {
        let event = self.text("uevent").as_deref().map(uevent::parse).unwrap_or_default();
        let space = self.config_space();
        let device = &mut self.found.device;
        let ids = event.ids.or(space.as_ref().and_then(|s| s.ids).map(|(v, d)| (PciId(v), PciId(d))));
        (device.vendor_id, device.product_id) = ids.unzip();
        (device.subsystem_vendor_id, device.subsystem_device_id) = event.subsystem.unzip();
        device.class = event.class;
        device.modalias = event.modalias;
        device.driver = event.driver;
        if let Some(space) = space {
            device.revision = Some(format!("{:02x}", space.revision));
            device.capabilities = space.capabilities;
            device.msix = space.msix;
            device.pcie = space.pcie;
            if device.capabilities.is_none() {
                let why = "only root may read configuration space past its header";
                for fact in ["capabilities", "msix", "pcie"] {
                    device.unknown.push(Unknown::new(fact, why));
                }
            }
        }
        if !self.node.has("vendor") {
            self.found.odd.push("vendor is missing".to_owned());
        }
        if device_is_nameless(&self.found.device) {
            for fact in ["vendor_id", "product_id"] {
                self.found.device.unknown.push(Unknown::new(fact, "neither uevent nor config says it"));
            }
        }
    }

    fn config_space(&mut self) -> Option<ConfigSpace> {
        let mut buffer = [0u8; config_space::WHOLE];
        match self.node.head("config", &mut buffer) {
            Ok(bytes) => {
                let space = config_space::parse(bytes);
                if space.is_none() {
                    self.odd("config", &format!("it has {} bytes", bytes.len()));
                }
                space
            }
            Err(e) => {
                self.fail("config", &e);
                None
            }
        }
    }

    fn role(&mut self) {
        if let Some(parent) = self.link("physfn") {
            self.found.device.dev_type = DevType::Vf;
            match parent.parse() {
                Ok(address) => self.found.device.parent_addr = Some(address),
                Err(_) => self.odd("physfn", "it does not point to a PCI function"),
            }
            return;
        }
        let Some(total) = self.number("sriov_totalvfs") else { return };
        let autoprobe = self.number::<u8>("sriov_drivers_autoprobe").map(|n| n != 0);
        let num = self.number("sriov_numvfs").unwrap_or(0);
        self.found.vf_layout = self.number("sriov_offset").zip(self.number("sriov_stride"));
        self.found.device.dev_type = DevType::Pf;
        self.found.device.sriov = Some(Sriov { total, num, drivers_autoprobe: autoprobe });
        self.product_data();
    }

    fn product_data(&mut self) {
        let mut buffer = vec![0u8; VPD];
        match self.node.head("vpd", &mut buffer) {
            Ok(bytes) => self.found.device.vpd = vpd::parse(bytes),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.found.device.unknown.push(Unknown::new("vpd", format!("vpd cannot be read: {e}"))),
        }
    }

    fn binding(&mut self, shared: &Shared) {
        // The kernel writes the driver's name in uevent too; a link costs another call.
        if self.found.device.driver.is_none() {
            self.found.device.driver = self.link("driver");
        }
        self.found.device.driver_override = self.text("driver_override").filter(|text| text != "(null)");
        let vfio_dev = shared.vfio_devs.get(&self.found.device.address).cloned().or_else(|| {
            // A tree may have the device's folder without the class that lists it.
            let names = self.node.node("vfio-dev").and_then(|node| node.names()).ok()?;
            names.into_iter().find(|name| name.starts_with("vfio"))
        });
        if let Some(name) = &vfio_dev
            && self.node.has(&format!("vfio-dev/{name}/dev"))
        {
            self.found.device.cdev = Some(format!("/dev/vfio/devices/{name}"));
        }
        self.found.device.vfio_dev = vfio_dev;
        let device = &mut self.found.device;
        // Kernels before 6.1 have no vfio-dev folder: then the table of drivers must do.
        device.migration.variant_driver = device
            .driver
            .as_ref()
            .filter(|d| !drivers::is_plain(d) && (device.vfio_dev.is_some() || drivers::known(d).is_some()))
            .cloned();
    }

    fn placement(&mut self, shared: &Shared) {
        self.found.device.numa_node = self.number::<i64>("numa_node").and_then(|n| u32::try_from(n).ok());
        if let Some(group) = self.link("iommu_group") {
            match group.parse::<u32>() {
                Ok(number) => {
                    self.found.device.iommu_group = Some(number);
                    self.found.device.iommu_group_type = shared.group_type(number);
                }
                Err(_) => self.odd("iommu_group", "it does not point to a group"),
            }
        }
        self.found.device.reset_methods =
            self.text("reset_method").map(|text| text.split_whitespace().map(str::to_owned).collect());
    }

    fn regions(&mut self) {
        let Some(text) = self.text("resource") else { return };
        match resource::parse(&text) {
            Some((bars, rom)) => {
                self.found.device.bars = Some(bars);
                self.found.device.rom = rom;
            }
            None => self.odd("resource", "its lines are not start, end and flags"),
        }
    }

    /// Only a network function with a driver that is not VFIO's has an interface.
    fn interface(&mut self) {
        let device = &self.found.device;
        if device.driver.is_none()
            || device.vfio_dev.is_some()
            || !device.class.as_ref().is_some_and(|c| c.starts_with("02"))
        {
            return;
        }
        let Ok(net) = self.node.node("net") else { return };
        let Ok(names) = net.names() else { return };
        let Some(name) = names.into_iter().next() else {
            // The folder stays when the interface is given to a container.
            self.found.device.netdev_use = Some(vec!["is in another network namespace".to_owned()]);
            return;
        };
        if let Ok(interface) = net.node(&name) {
            self.found.device.link = interface.attr("operstate").ok().flatten();
            self.found.device.mtu = interface.number("mtu").ok().flatten();
        }
        self.found.device.netdev = Some(name);
    }

    /// mlx5 tells its firmware through its InfiniBand device, on Ethernet cards too: `board_id` is the PSID.
    fn firmware(&mut self) {
        if self.found.device.driver.as_deref() != Some("mlx5_core") {
            return;
        }
        let Ok(folder) = self.node.node("infiniband") else { return };
        let Some(name) = folder.names().ok().and_then(|names| names.into_iter().next()) else { return };
        let Ok(card) = folder.node(&name) else { return };
        let (version, psid) = (card.attr("fw_ver").ok().flatten(), card.attr("board_id").ok().flatten());
        self.found.device.firmware =
            Some(Firmware { version, psid, source: Some("sysfs".to_owned()), ..Firmware::default() });
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.node.attr(name) {
            Ok(text) => text,
            Err(e) => {
                self.fail(name, &e);
                None
            }
        }
    }

    fn number<N>(&mut self, name: &str) -> Option<N>
    where
        N: std::str::FromStr,
        N::Err: std::fmt::Display,
    {
        match self.node.number(name) {
            Ok(number) => number,
            Err(e) => {
                self.fail(name, &e);
                None
            }
        }
    }

    fn link(&mut self, name: &str) -> Option<String> {
        match self.node.link(name) {
            Ok(link) => link,
            Err(e) => {
                self.fail(name, &e);
                None
            }
        }
    }

    fn odd(&mut self, attribute: &str, what: &str) {
        self.fail(attribute, &io::Error::new(io::ErrorKind::InvalidData, what.to_owned()));
    }

    /// Notes that an attribute which is there cannot be used; a missing permission is nothing odd.
    fn fail(&mut self, attribute: &str, error: &io::Error) {
        let why = format!("{attribute} cannot be used: {error}");
        if error.kind() != io::ErrorKind::PermissionDenied {
            self.found.odd.push(why.clone());
        }
        for fact in facts_of(attribute) {
            self.found.device.unknown.push(Unknown::new(*fact, why.clone()));
        }
    }
}

fn device_is_nameless(device: &Device) -> bool {
    device.vendor_id.is_none()
}

/// Which facts are unknown when an attribute cannot be read.
fn facts_of(attribute: &str) -> &'static [&'static str] {
    match attribute {
        "uevent" => &["class", "modalias", "subsystem_vendor_id", "subsystem_device_id"],
        "config" => &["revision", "capabilities", "msix", "pcie"],
        "physfn" => &["parent_addr"],
        "sriov_totalvfs" | "sriov_numvfs" => &["sriov"],
        "driver" => &["driver"],
        "driver_override" => &["driver_override"],
        "numa_node" => &["numa_node"],
        "iommu_group" => &["iommu_group"],
        "reset_method" => &["reset_methods"],
        "resource" => &["bars", "rom"],
        _ => &[],
    }
}
