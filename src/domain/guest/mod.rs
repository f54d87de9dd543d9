//! What a guest needs of its host besides host devices.

mod arguments;
mod cpu;
mod disk;
mod endpoint;
mod memory;
mod nic;
mod paths;
mod policy;
mod quantity;

pub(crate) use arguments::Arguments;
pub(crate) use cpu::{GuestCpu, is_arch_capability};
pub(crate) use disk::{Disk, Image, Server};
pub(crate) use endpoint::{Endpoint, Graphics};
pub(crate) use memory::MemoryPart;
pub(crate) use nic::Nic;
pub(crate) use paths::{HostPath, Need};
pub(crate) use quantity::numbers;

use std::collections::BTreeSet;

use roxmltree::Node;

use super::xml::{self, XmlError};
use crate::model::pci::PciAddress;
use crate::model::policy::{BadPolicy, Policy};
use quantity::{size, unit};

/// What a definition asks of the host it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guest {
    /// `kvm`, `qemu`, …
    pub virt_type: String,
    /// Architecture.
    pub arch: Option<String>,
    /// Machine type.
    pub machine: Option<String>,
    /// Whether its firmware is another than QEMU's default.
    pub has_loader: bool,
    /// Path of the emulator.
    pub emulator: Option<String>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The parts of its memory, each bound for itself; none when their sizes are not known.
    pub memory_parts: Vec<MemoryPart>,
    /// Host NUMA nodes its memory is bound to, all parts together.
    pub nodes: BTreeSet<u32>,
    /// Host CPUs its threads are pinned to.
    pub cpus: BTreeSet<u32>,
    /// Those among them of the emulator itself.
    pub emulator_cpus: BTreeSet<u32>,
    /// Sizes of the huge pages it wants in bytes; 0 stands for the host's default size.
    pub hugepages: Vec<u64>,
    /// Memory devices of huge pages: the size of these, and how much of it the device is, in bytes.
    pub device_pages: Vec<(u64, u64)>,
    /// Whether all of its memory is taken when QEMU starts.
    pub preallocated: bool,
    /// `memtune`'s hard limit in bytes.
    pub hard_limit: Option<u64>,
    /// CPU.
    pub cpu: GuestCpu,
    /// User and group of its process, where a static DAC label has them: `user:group`.
    pub owner_label: Option<String>,
    /// `launchSecurity` type.
    pub launch_security: Option<String>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Interfaces that are no host devices.
    pub interfaces: Vec<Nic>,
    /// NVMe disks that it has as PCI functions of the host.
    pub nvme: Vec<PciAddress>,
    /// Graphics servers.
    pub graphics: Vec<Graphics>,
    /// Addresses and ports of character devices and random sources.
    pub endpoints: Vec<Endpoint>,
    /// Files, sockets and devices of the host it uses besides disks.
    pub paths: Vec<HostPath>,
    /// Models of interfaces for which QEMU loads an option ROM of its own.
    pub roms: BTreeSet<String>,
    /// Secrets that libvirt needs for disks and TPMs, by UUID or usage.
    pub secrets: BTreeSet<String>,
    /// Kinds and models of devices, as the domain capabilities list them: `video`, `virtio`.
    pub models: BTreeSet<(String, String)>,
    /// Host devices that are neither PCI nor mediated: `usb`, `scsi`, ….
    pub local_hostdevs: Vec<String>,
    /// Host devices without an explicit guest address, by alias or position.
    pub unaddressed: Vec<String>,
    /// Model of the virtual IOMMU.
    pub viommu: Option<String>,
    /// Backend of the TPM, and whether its state is on shared storage.
    pub tpm: Option<String>,
    /// Drivers of shared directories (`virtiofs`, `path`).
    pub filesystems: Vec<String>,
    /// Shared-memory devices: name, and whether the guest has the master's role.
    pub shmem: Vec<(String, bool)>,
    /// What is kept to when it is moved.
    pub policy: Policy,
    /// Why its policy cannot be kept to.
    pub bad_policy: Option<BadPolicy>,
    /// What reaches QEMU past libvirt.
    pub arguments: Arguments,
}

impl Guest {
    /// Servers that its disks and devices connect to, by `HOST:PORT`.
    pub fn servers(&self) -> BTreeSet<String> {
        let of_disks = self.disks.iter().flat_map(|disk| &disk.servers).flat_map(Server::places);
        let endpoints = self.endpoints.iter().filter(|endpoint| endpoint.is_tcp && !endpoint.listens);
        of_disks.chain(endpoints.filter_map(Endpoint::place)).collect()
    }

    /// PCI functions of the host that it has by other ways than `<hostdev>` and `<interface>`: QEMU arguments, NVMe disks.
    pub fn other_devices(&self) -> impl Iterator<Item = PciAddress> {
        self.arguments.host_devices.iter().filter_map(|(_, address)| *address).chain(self.nvme.iter().copied())
    }
}

/// Reads a definition.
pub fn read(text: &str) -> Result<Guest, XmlError> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let os = xml::child(root, "os");
    let kind = os.and_then(|os| xml::child(os, "type"));
    let mut guest = Guest {
        virt_type: root.attribute("type").unwrap_or_default().to_owned(),
        arch: kind.and_then(|kind| kind.attribute("arch")).map(str::to_owned),
        machine: kind.and_then(|kind| kind.attribute("machine")).map(str::to_owned),
        has_loader: os.is_some_and(|os| xml::child(os, "loader").is_some() || os.attribute("firmware").is_some()),
        memory: xml::child(root, "memory").and_then(size),
        memory_parts: memory::parts(root),
        nodes: sets(root, "numatune", "nodeset"),
        cpus: sets(root, "cputune", "cpuset"),
        emulator_cpus: xml::child(root, "cputune")
            .and_then(|tune| xml::attribute(tune, "emulatorpin", "cpuset"))
            .map(|set| numbers(&set))
            .unwrap_or_default(),
        hugepages: hugepages(root),
        preallocated: preallocated(root),
        hard_limit: xml::child(root, "memtune").and_then(|tune| xml::child(tune, "hard_limit")).and_then(size),
        cpu: cpu::read(root),
        paths: paths::read(root),
        secrets: secrets(root),
        arguments: arguments::read(root),
        owner_label: owner_label(root),
        launch_security: xml::attribute(root, "launchSecurity", "type"),
        ..Guest::default()
    };
    match policy::read(root) {
        Ok(policy) => guest.policy = policy,
        Err(bad) => guest.bad_policy = Some(bad),
    }
    if let Some(vcpu) = xml::child(root, "vcpu").and_then(|vcpu| vcpu.attribute("cpuset")) {
        guest.cpus.extend(numbers(vcpu));
    }
    for device in xml::devices(&document) {
        add_device(&mut guest, device);
    }
    let named: Vec<HostPath> = guest.arguments.paths.drain(..).collect();
    guest.paths.extend(named);
    guest.viommu = guest.viommu.or_else(|| guest.arguments.viommu.clone());
    Ok(guest)
}

/// A size in bytes by libvirt's units; KiB is the default.
fn hugepages(root: Node<'_, '_>) -> Vec<u64> {
    let Some(pages) = xml::child(root, "memoryBacking").and_then(|backing| xml::child(backing, "hugepages")) else {
        return Vec::new();
    };
    let sizes: Vec<u64> = pages
        .children()
        .filter(|page| xml::is(*page, "page"))
        .filter_map(|page| {
            let size: u64 = page.attribute("size")?.parse().ok()?;
            size.checked_mul(unit(page.attribute("unit").unwrap_or("KiB"))?)
        })
        .collect();
    if sizes.is_empty() { vec![0] } else { sizes }
}

fn preallocated(root: Node<'_, '_>) -> bool {
    let Some(backing) = xml::child(root, "memoryBacking") else { return false };
    let immediate = xml::child(backing, "allocation").and_then(|how| how.attribute("mode")) == Some("immediate");
    immediate || xml::child(backing, "locked").is_some()
}

fn owner_label(root: Node<'_, '_>) -> Option<String> {
    let is = |node: &Node<'_, '_>, name: &str, value: &str| node.attribute(name) == Some(value);
    let labels = root.children().filter(|node| xml::is(*node, "seclabel"));
    let mut own = labels.filter(|node| is(node, "model", "dac") && is(node, "type", "static"));
    Some(xml::child(own.next()?, "label")?.text()?.trim().to_owned())
}

/// `<secret>` elements of disks, and the `secret` of a TPM's state.
fn secrets(root: Node<'_, '_>) -> BTreeSet<String> {
    let secrets = root.descendants().filter(|node| xml::is(*node, "secret") || node.has_attribute("secret"));
    secrets
        .filter_map(|node| ["uuid", "usage", "secret"].into_iter().find_map(|name| node.attribute(name)))
        .map(str::to_owned)
        .collect()
}

fn add_device(guest: &mut Guest, device: Node<'_, '_>) {
    if device.tag_name().namespace().is_some() {
        return;
    }
    let kind = device.attribute("type").unwrap_or_default().to_owned();
    let name = device.tag_name().name();
    let model = device.attribute("model").map(str::to_owned);
    match name {
        "emulator" => guest.emulator = device.text().map(|text| text.trim().to_owned()),
        "disk" => {
            if kind == "nvme" {
                guest.nvme.extend(xml::source_address(device).and_then(xml::address));
            }
            guest.disks.push(disk::read(device, kind));
        }
        "interface" if kind != "hostdev" => {
            let rom = xml::child(device, "rom");
            let own = rom.is_none_or(|rom| rom.attribute("enabled") != Some("no") && !rom.has_attribute("file"));
            guest.roms.extend(xml::attribute(device, "model", "type").filter(|_| own));
            guest.paths.extend(xml::attribute(device, "filterref", "filter").map(|filter| HostPath {
                path: format!("/etc/libvirt/nwfilter/{filter}.xml"),
                what: "network filter".to_owned(),
                need: Need::Exists,
            }));
            let model = xml::attribute(device, "model", "type");
            guest.models.extend(model.map(|model| (name.to_owned(), model)));
            guest.endpoints.extend(endpoint::interface(device, &kind));
            guest.interfaces.push(nic::read(device, kind));
        }
        "hostdev" if !matches!(kind.as_str(), "pci" | "mdev") => guest.local_hostdevs.push(kind),
        "hostdev" | "interface" if kind != "mdev" && !device.children().any(|child| xml::is(child, "address")) => {
            guest.unaddressed.push(xml::attribute(device, "alias", "name").unwrap_or_else(|| name.to_owned()));
        }
        "graphics" => {
            guest.models.insert((name.to_owned(), kind));
            guest.graphics.push(endpoint::graphics(device));
        }
        "video" => guest.models.extend(xml::attribute(device, "model", "type").map(|model| (name.to_owned(), model))),
        "iommu" => guest.viommu = model,
        "tpm" => {
            guest.models.extend(model.map(|model| (name.to_owned(), model)));
            guest.tpm = xml::attribute(device, "backend", "type");
        }
        "filesystem" => {
            guest.filesystems.push(xml::attribute(device, "driver", "type").unwrap_or_else(|| "path".to_owned()));
        }
        "shmem" => guest.shmem.push((
            device.attribute("name").unwrap_or_default().to_owned(),
            device.attribute("role") == Some("master"),
        )),
        "smartcard" => {
            guest.models.insert((name.to_owned(), device.attribute("mode").unwrap_or_default().to_owned()));
        }
        "sound" => guest.models.extend(model.map(|model| (name.to_owned(), model))),
        "memory" => guest.device_pages.extend(memory::pages(device)),
        "redirdev" => {
            guest.models.insert((name.to_owned(), kind));
        }
        "serial" | "console" | "parallel" | "channel" => {
            guest.endpoints.extend(endpoint::character(device, name, &kind));
        }
        "rng" => {
            guest.models.extend(model.map(|model| (name.to_owned(), model)));
            if let Some(backend) = xml::child(device, "backend") {
                let kind = backend.attribute("type").unwrap_or_default();
                guest.endpoints.extend(endpoint::character(backend, "random source", kind));
            }
        }
        _ => {}
    }
}

/// Every number in the attribute `name` of the children of `parent`.
fn sets(root: Node<'_, '_>, parent: &str, name: &str) -> BTreeSet<u32> {
    xml::child(root, parent)
        .into_iter()
        .flat_map(|parent| parent.children().filter(Node::is_element))
        .filter_map(|child| child.attribute(name))
        .flat_map(numbers)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pinning() {
        let guest = read(
            "<domain type='kvm'><os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type></os>\
             <cputune><vcpupin vcpu='0' cpuset='4-7,^5'/><emulatorpin cpuset='8'/></cputune>\
             <numatune><memory mode='strict' nodeset='1'/><memnode cellid='0' nodeset='3'/></numatune></domain>",
        )
        .unwrap();
        assert_eq!(guest.machine.as_deref(), Some("pc-q35-9.0"));
        assert_eq!(guest.nodes, BTreeSet::from([1, 3]));
        assert_eq!(guest.cpus, BTreeSet::from([4, 6, 7, 8]));
    }

    #[test]
    fn reads_what_ties_a_guest_to_its_host() {
        let guest = read(
            "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><memory unit='GiB'>4</memory>\
             <memoryBacking><hugepages><page size='2' unit='MiB'/></hugepages></memoryBacking>\
             <memtune><hard_limit unit='MB'>5</hard_limit></memtune><cpu mode='custom'><model>EPYC</model>\
             <feature policy='require' name='invtsc'/><feature policy='disable' name='x2apic'/></cpu><devices>\
             <disk type='file' device='cdrom'><source file='/i.iso'/><target dev='sda'/><readonly/></disk>\
             <interface type='bridge'><source bridge='br0'/></interface><hostdev type='usb'/><hostdev type='pci'/>\
             <graphics type='vnc' listen='10.0.0.1'><listen type='address' address='10.0.0.1'/></graphics>\
             <serial type='file'><source path='/log'/></serial><serial type='pty'><source path='/dev/pts/1'/></serial>\
             <tpm model='tpm-crb'><backend type='emulator'/></tpm><iommu model='intel'/>\
             </devices><qemu:override><qemu:device alias='hostdev0'><qemu:frontend>\
             <qemu:property name='enable-migration' type='bool' value='off'/></qemu:frontend></qemu:device></qemu:override>\
             </domain>",
        )
        .unwrap();
        assert_eq!((guest.memory, guest.hard_limit), (Some(4 << 30), Some(5_000_000)));
        assert_eq!(guest.hugepages, [2 << 20]);
        assert_eq!(guest.cpu.required().collect::<Vec<_>>(), ["invtsc"]);
        assert_eq!(guest.cpu.disabled(), BTreeSet::from(["x2apic"]));
        assert_eq!(guest.disks[0].source.as_deref(), Some("/i.iso"));
        assert!(guest.disks[0].readonly);
        assert_eq!(guest.interfaces[0].source.as_deref(), Some("br0"));
        assert_eq!((guest.local_hostdevs.len(), guest.unaddressed.len()), (1, 1));
        assert_eq!(guest.graphics[0].addresses, ["10.0.0.1"]);
        assert_eq!(guest.paths.iter().map(|path| path.path.as_str()).collect::<Vec<_>>(), ["/log"]);
        assert_eq!((guest.tpm.as_deref(), guest.viommu.as_deref()), (Some("emulator"), Some("intel")));
        assert_eq!(guest.arguments.overrides, [("hostdev0".into(), "enable-migration".into(), "off".into())]);
    }

    #[test]
    fn hostile_sets_are_bounded() {
        assert!(numbers("0-4294967295").len() <= 16_385);
        assert!(numbers("x,-,^,5-2").is_empty());
    }
}
