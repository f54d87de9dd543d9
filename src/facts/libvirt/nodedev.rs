//! A host of which only libvirt is reached: its node devices. Every fact that libvirt does not have is unknown.

use roxmltree::{Document, Node};

use crate::facts::kernel::{NOT_ASKED, drivers};
use crate::libvirt::Hypervisor;
use crate::model::pci::{PciAddress, PciId};
use crate::model::snapshot::device::{DevType, Device, Sriov, Vpd};
use crate::model::snapshot::{SCHEMA, Snapshot, Unknown, Via};

const WHY: &str = "libvirt does not report it; install pvm on that host, so that pvm inventory can read it there";
/// Facts of a device that only its host's kernel has.
const MISSING: &[&str] = &[
    "subsystem_vendor_id",
    "subsystem_device_id",
    "revision",
    "modalias",
    "driver_override",
    "candidate_driver",
    "vfio_dev",
    "cdev",
    "bars",
    "rom",
    "msix",
    "capabilities",
    "pcie",
    "reset_methods",
    "mtu",
    "firmware",
    "devlink",
    "vf_admin",
    "vendor",
    "iommu_group_type",
    "open_by",
    "declared",
    "tags",
];
/// Facts of the host likewise.
const HOST_MISSING: &[&str] = &[
    "kernel",
    "page_size",
    "kvm",
    "iommufd",
    "debugfs",
    "vfio_aliases",
    "memory",
    "numa_cells",
    "iommu.enabled",
    "iommu.interrupt_remapping",
    "iommu.dirty_tracking",
    "bridges",
    "clock",
];

/// The snapshot as far as libvirt's node devices go; domains and host facts are added like those of any host.
/// Without `devices` these are left unknown.
pub(crate) fn read(daemon: &dyn Hypervisor, devices: bool) -> Result<Snapshot, String> {
    let mut snapshot = Snapshot {
        schema: SCHEMA.to_owned(),
        pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: crate::facts::kernel::facts::now(),
        via: Via::Libvirt,
        ..Snapshot::default()
    };
    snapshot.host.name = daemon.hostname().map_err(|e| e.to_string())?;
    snapshot.host.unknown.extend(HOST_MISSING.iter().map(|fact| Unknown::new(*fact, WHY)));
    if !devices {
        snapshot.unknown.push(Unknown::new("devices", NOT_ASKED));
        return Ok(snapshot);
    }
    let found = daemon.node_devices().map_err(|e| e.to_string())?;
    snapshot.devices = found.iter().filter_map(|xml| device(xml)).collect();
    snapshot.devices.sort_by_key(|d| d.address);
    number_vfs(&mut snapshot.devices, &found);
    interfaces(&mut snapshot.devices, &found);
    Ok(snapshot)
}

fn device(xml: &str) -> Option<Device> {
    let document = Document::parse(xml).ok()?;
    let root = document.root_element();
    let pci = capability(root, "pci")?;
    let number = |name: &str| text(pci, name).and_then(|t| t.parse::<u32>().ok());
    let byte = |name: &str| number(name).and_then(|n| u8::try_from(n).ok());
    let address = PciAddress::new(number("domain")?, byte("bus")?, byte("slot")?, byte("function")?)?;
    let id = |name: &str| child(pci, name).and_then(|n| n.attribute("id")).and_then(|id| id.parse::<PciId>().ok());
    let driver = child(root, "driver").and_then(|d| text(d, "name"));
    let mut device = Device {
        address,
        vendor_id: id("vendor"),
        product_id: id("product"),
        class: text(pci, "class").map(|c| c.trim_start_matches("0x").to_owned()),
        numa_node: child(pci, "numa").and_then(|n| n.attribute("node")).and_then(|n| n.parse().ok()),
        ..Device::default()
    };
    if let Some(virt) = capability(pci, "virt_functions") {
        device.dev_type = DevType::Pf;
        let num = virt.children().filter(|n| n.has_tag_name("address")).count();
        let total = virt.attribute("maxCount").and_then(|n| n.parse().ok()).unwrap_or(0);
        device.sriov = Some(Sriov { total, num: u32::try_from(num).unwrap_or(0), drivers_autoprobe: None });
        device.unknown.push(Unknown::new("sriov.drivers_autoprobe", WHY));
    } else if let Some(parent) = capability(pci, "phys_function") {
        device.dev_type = DevType::Vf;
        device.parent_addr = child(parent, "address").and_then(place);
    }
    if let Some(fields) = capability(pci, "vpd").and_then(|vpd| child(vpd, "fields")) {
        let serial = text(fields, "serial_number");
        device.vpd = Some(Vpd { card_serial: serial.clone(), serial, part: text(fields, "part_number") });
    }
    if let Some(group) = child(pci, "iommuGroup") {
        device.iommu_group = group.attribute("number").and_then(|n| n.parse().ok());
        let members = group.children().filter(|n| n.has_tag_name("address")).filter_map(place);
        device.iommu_group_members = members.filter(|a| *a != address).collect();
    }
    // Without vfio-dev, only names that are VFIO's by their form count.
    device.migration.variant_driver = driver.clone().filter(|d| drivers::is_vfio(d) && !drivers::is_plain(d));
    device.driver = driver;
    device.unknown.extend(MISSING.iter().map(|fact| Unknown::new(*fact, WHY)));
    Some(device)
}

/// Network interfaces are node devices of their own, whose parent is the function.
fn interfaces(devices: &mut [Device], xml: &[String]) {
    for text_of in xml {
        let Ok(document) = Document::parse(text_of) else { continue };
        let root = document.root_element();
        let Some(net) = capability(root, "net") else { continue };
        let Some(address) = text(root, "parent").and_then(|parent| of_name(&parent)) else { continue };
        if let Ok(index) = devices.binary_search_by_key(&address, |d| d.address) {
            devices[index].netdev = text(net, "interface");
            devices[index].link = child(net, "link").and_then(|link| link.attribute("state")).map(str::to_owned);
        }
    }
}

/// libvirt names PCI devices `pci_dddd_bb_ss_f`.
fn of_name(name: &str) -> Option<PciAddress> {
    let mut parts = name.strip_prefix("pci_")?.split('_');
    let (domain, bus, slot, function) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    format!("{domain}:{bus}:{slot}.{function}").parse().ok()
}

/// A VF's number is its place among the PF's `virt_functions`, which libvirt lists in order.
fn number_vfs(devices: &mut [Device], xml: &[String]) {
    for text in xml {
        let Ok(document) = Document::parse(text) else { continue };
        let Some(virt) = capability(document.root_element(), "pci").and_then(|pci| capability(pci, "virt_functions"))
        else {
            continue;
        };
        let functions = virt.children().filter(|n| n.has_tag_name("address")).filter_map(place);
        for (number, address) in functions.enumerate() {
            if let Ok(index) = devices.binary_search_by_key(&address, |d| d.address) {
                devices[index].vf_index = u32::try_from(number).ok();
            }
        }
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name(name))
}

fn capability<'a, 'i>(node: Node<'a, 'i>, kind: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name("capability") && n.attribute("type") == Some(kind))
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).and_then(|n| n.text()).map(|t| t.trim().to_owned())
}

fn place(node: Node<'_, '_>) -> Option<PciAddress> {
    let part = |name: &str| u32::from_str_radix(node.attribute(name)?.trim_start_matches("0x"), 16).ok();
    let byte = |name: &str| u8::try_from(part(name)?).ok();
    PciAddress::new(part("domain")?, byte("bus")?, byte("slot")?, byte("function")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_vf_as_libvirt_describes_it() {
        let vf = device(
            "<device><name>pci_0000_01_10_2</name><driver><name>igbvf_vfio_pci</name></driver><capability type='pci'>\
             <class>0x020000</class><domain>0</domain><bus>1</bus><slot>16</slot><function>2</function>\
             <product id='0x10ca'/><vendor id='0x8086'/><capability type='phys_function'>\
             <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></capability>\
             <iommuGroup number='11'><address domain='0x0000' bus='0x01' slot='0x10' function='0x2'/></iommuGroup>\
             </capability></device>",
        )
        .unwrap();
        assert_eq!(vf.address.to_string(), "0000:01:10.2");
        assert_eq!((vf.dev_type, vf.iommu_group, vf.class.as_deref()), (DevType::Vf, Some(11), Some("020000")));
        assert_eq!(vf.parent_addr, "0000:01:00.0".parse().ok());
        assert_eq!(vf.migration.variant_driver.as_deref(), Some("igbvf_vfio_pci"));
        assert!(vf.iommu_group_members.is_empty() && vf.why_unknown("bars").is_some());
        assert_eq!(device("<device><capability type='net'/></device>"), None);
    }

    #[test]
    fn an_interface_and_product_data_belong_to_their_function() {
        let pf = "<device><name>pci_0000_01_00_0</name><capability type='pci'><domain>0</domain><bus>1</bus><slot>0</slot>\
                  <function>0</function><capability type='vpd'><name>Card</name><fields access='readonly'>\
                  <part_number>PN</part_number><serial_number>SN</serial_number></fields></capability></capability></device>";
        let net = "<device><name>net_eth2</name><parent>pci_0000_01_00_0</parent><capability type='net'>\
                   <interface>eth2</interface><link state='down'/></capability></device>";
        let lone = "<device><name>net_lo</name><parent>computer</parent><capability type='net'><interface>lo</interface>\
                    </capability></device>";
        let mut devices = [device(pf).unwrap()];
        interfaces(&mut devices, &[lone.to_owned(), net.to_owned(), "<device".to_owned()]);
        assert_eq!((devices[0].netdev.as_deref(), devices[0].link.as_deref()), (Some("eth2"), Some("down")));
        let vpd = devices[0].vpd.clone().unwrap();
        assert_eq!((vpd.serial.as_deref(), vpd.part.as_deref()), (Some("SN"), Some("PN")));
    }

    #[test]
    fn vfs_are_numbered_in_the_order_of_their_pf() {
        let pf = "<device><capability type='pci'><domain>0</domain><bus>1</bus><slot>0</slot><function>0</function>\
                  <capability type='virt_functions' maxCount='7'>\
                  <address domain='0x0000' bus='0x01' slot='0x10' function='0x0'/>\
                  <address domain='0x0000' bus='0x01' slot='0x10' function='0x2'/></capability></capability></device>";
        let at = |text: &str| Device { address: text.parse().unwrap(), ..Device::default() };
        let mut devices = [device(pf).unwrap(), at("01:10.0"), at("01:10.2")];
        assert_eq!(devices[0].sriov.as_ref().map(|s| (s.num, s.total)), Some((2, 7)));
        number_vfs(&mut devices, &[pf.to_owned()]);
        assert_eq!((devices[1].vf_index, devices[2].vf_index), (Some(0), Some(1)));
    }
}
