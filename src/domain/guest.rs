//! What a guest needs of its host besides host devices.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::xml::{self, XmlError};

/// What a definition asks of the host it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guest {
    /// `kvm`, `qemu`, …
    pub virt_type: String,
    /// Architecture.
    pub arch: Option<String>,
    /// Machine type.
    pub machine: Option<String>,
    /// Path of the emulator.
    pub emulator: Option<String>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Host NUMA nodes its memory is bound to.
    pub nodes: BTreeSet<u32>,
    /// Host CPUs its threads are pinned to.
    pub cpus: BTreeSet<u32>,
    /// Sizes of the huge pages it wants in bytes; 0 stands for the host's default size.
    pub hugepages: Vec<u64>,
    /// `memtune`'s hard limit in bytes.
    pub hard_limit: Option<u64>,
    /// CPU.
    pub cpu: GuestCpu,
    /// `launchSecurity` type.
    pub launch_security: Option<String>,
    /// Disks.
    pub disks: Vec<Disk>,
    /// Interfaces that are no host devices.
    pub interfaces: Vec<Nic>,
    /// Addresses graphics servers listen on.
    pub listens: Vec<String>,
    /// Files, sockets and devices of the host it uses besides disks: what for, and the path.
    pub paths: Vec<(String, String)>,
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
    /// Shared-memory devices.
    pub shmem: Vec<String>,
    /// Overridden QEMU properties as `(alias, property, value)`.
    pub overrides: Vec<(String, String, String)>,
    /// Arguments handed to QEMU past libvirt.
    pub qemu_args: Vec<String>,
}

/// What the guest wants of the CPU.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuestCpu {
    /// `custom`, `host-model`, `host-passthrough`, `maximum`.
    pub mode: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Required features.
    pub required: BTreeSet<String>,
    /// Whether a TSC frequency is fixed.
    pub tsc_frequency: bool,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// `vda`.
    pub target: String,
    /// `disk`, `cdrom`, `floppy`, `lun`.
    pub device: String,
    /// `file`, `block`, `network`, `volume`, …
    pub kind: String,
    /// Format of the image: `raw`, `qcow2`, …
    pub format: Option<String>,
    /// Path, volume or remote name; none for an empty drive.
    pub source: Option<String>,
    /// Storage pool of a volume.
    pub pool: Option<String>,
    /// Cache mode.
    pub cache: Option<String>,
    /// Whether writes are thrown away.
    pub transient: bool,
    /// Whether it is read-only.
    pub readonly: bool,
    /// Whether libvirt drops a missing medium instead of refusing the migration.
    pub may_be_missing: bool,
}

/// An interface that is no host device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nic {
    /// `bridge`, `network`, `direct`, `vhostuser`, `vdpa`, …
    pub kind: String,
    /// Bridge, network, host interface or socket.
    pub source: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// MTU.
    pub mtu: Option<u32>,
}

const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

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
        memory: xml::child(root, "memory").and_then(size),
        nodes: sets(root, "numatune", "nodeset"),
        cpus: sets(root, "cputune", "cpuset"),
        hugepages: hugepages(root),
        hard_limit: xml::child(root, "memtune").and_then(|tune| xml::child(tune, "hard_limit")).and_then(size),
        cpu: cpu(root),
        launch_security: attribute(root, "launchSecurity", "type"),
        ..Guest::default()
    };
    for (what, name) in [("loader", "loader"), ("NVRAM", "nvram"), ("kernel", "kernel"), ("initrd", "initrd")] {
        if let Some(path) = os.and_then(|os| xml::text_of(os, name)) {
            guest.paths.push((what.to_owned(), path.to_owned()));
        }
    }
    if let Some(vcpu) = xml::child(root, "vcpu").and_then(|vcpu| vcpu.attribute("cpuset")) {
        guest.cpus.extend(numbers(vcpu));
    }
    for device in xml::devices(&document) {
        add_device(&mut guest, device);
    }
    for node in root.children().filter(|node| node.tag_name().namespace() == Some(QEMU)) {
        add_qemu(&mut guest, node);
    }
    Ok(guest)
}

fn attribute(node: Node<'_, '_>, element: &str, name: &str) -> Option<String> {
    xml::child(node, element)?.attribute(name).map(str::to_owned)
}

/// A size in bytes by libvirt's units; KiB is the default.
fn size(node: Node<'_, '_>) -> Option<u64> {
    let number: u64 = node.text()?.trim().parse().ok()?;
    number.checked_mul(unit(node.attribute("unit").unwrap_or("KiB"))?)
}

fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    })
}

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

fn cpu(root: Node<'_, '_>) -> GuestCpu {
    let Some(cpu) = xml::child(root, "cpu") else { return GuestCpu::default() };
    let features = cpu.children().filter(|feature| xml::is(*feature, "feature"));
    GuestCpu {
        mode: cpu.attribute("mode").map(str::to_owned),
        model: xml::text_of(cpu, "model").map(str::to_owned),
        required: features
            .filter(|feature| matches!(feature.attribute("policy"), Some("require" | "force") | None))
            .filter_map(|feature| feature.attribute("name").map(str::to_owned))
            .collect(),
        tsc_frequency: xml::child(root, "clock").is_some_and(|clock| {
            clock.children().any(|timer| timer.attribute("name") == Some("tsc") && timer.has_attribute("frequency"))
        }),
    }
}

fn add_device(guest: &mut Guest, device: Node<'_, '_>) {
    if device.tag_name().namespace().is_some() {
        return;
    }
    let kind = device.attribute("type").unwrap_or_default().to_owned();
    match device.tag_name().name() {
        "emulator" => guest.emulator = device.text().map(|text| text.trim().to_owned()),
        "disk" => guest.disks.push(disk(device, kind)),
        "interface" if kind != "hostdev" => guest.interfaces.push(nic(device, kind)),
        "hostdev" if !matches!(kind.as_str(), "pci" | "mdev") => guest.local_hostdevs.push(kind),
        "hostdev" | "interface" if kind != "mdev" && !device.children().any(|child| xml::is(child, "address")) => {
            let name = attribute(device, "alias", "name");
            guest.unaddressed.push(name.unwrap_or_else(|| device.tag_name().name().to_owned()));
        }
        "graphics" => guest.listens.extend(listens(device)),
        "iommu" => guest.viommu = device.attribute("model").map(str::to_owned),
        "tpm" => guest.tpm = attribute(device, "backend", "type"),
        "filesystem" => {
            guest.filesystems.push(attribute(device, "driver", "type").unwrap_or_else(|| "path".to_owned()));
            let path = attribute(device, "source", "dir");
            guest.paths.extend(path.map(|path| ("shared directory".to_owned(), path)));
        }
        "shmem" => guest.shmem.push(device.attribute("name").unwrap_or_default().to_owned()),
        name @ ("serial" | "console" | "parallel" | "channel") => {
            // libvirt makes the sockets of channels itself, in its own directory.
            if matches!(kind.as_str(), "file" | "dev" | "pipe") {
                let path = attribute(device, "source", "path");
                guest.paths.extend(path.map(|path| (name.to_owned(), path)));
            }
        }
        "rng" => {
            let backend = xml::child(device, "backend").filter(|backend| backend.attribute("model") == Some("random"));
            let path = backend.and_then(|backend| backend.text()).map(|path| path.trim().to_owned());
            guest.paths.extend(path.map(|path| ("random source".to_owned(), path)));
        }
        _ => {}
    }
}

fn disk(device: Node<'_, '_>, kind: String) -> Disk {
    let source = xml::child(device, "source");
    let named = |name: &str| source.and_then(|source| source.attribute(name)).map(str::to_owned);
    Disk {
        target: attribute(device, "target", "dev").unwrap_or_default(),
        device: device.attribute("device").unwrap_or("disk").to_owned(),
        source: ["file", "dev", "dir", "name", "volume", "path"].into_iter().find_map(named),
        pool: named("pool"),
        format: attribute(device, "driver", "type"),
        cache: attribute(device, "driver", "cache"),
        transient: xml::child(device, "transient").is_some(),
        readonly: xml::child(device, "readonly").is_some(),
        may_be_missing: source.is_some_and(|s| matches!(s.attribute("startupPolicy"), Some("optional" | "requisite"))),
        kind,
    }
}

fn nic(device: Node<'_, '_>, kind: String) -> Nic {
    let source = xml::child(device, "source");
    let named = |name: &str| source.and_then(|source| source.attribute(name)).map(str::to_owned);
    Nic {
        source: ["bridge", "network", "dev", "path", "name"].into_iter().find_map(named),
        mac: attribute(device, "mac", "address"),
        mtu: attribute(device, "mtu", "size").and_then(|mtu| mtu.parse().ok()),
        kind,
    }
}

fn listens(graphics: Node<'_, '_>) -> Vec<String> {
    let children = graphics.children().filter(|listen| xml::is(*listen, "listen"));
    let mut all: Vec<String> = children
        .filter(|listen| listen.attribute("type") == Some("address"))
        .filter_map(|listen| listen.attribute("address").map(str::to_owned))
        .collect();
    all.extend(graphics.attribute("listen").map(str::to_owned).filter(|address| !all.contains(address)));
    all
}

fn add_qemu(guest: &mut Guest, node: Node<'_, '_>) {
    let text = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap_or_default().to_owned();
    for element in node.descendants().filter(|element| element.tag_name().namespace() == Some(QEMU)) {
        match element.tag_name().name() {
            "arg" => guest.qemu_args.push(text(element, "value")),
            "property" => {
                let device = element.ancestors().find(|above| above.tag_name().name() == "device");
                let alias = device.map(|device| text(device, "alias")).unwrap_or_default();
                guest.overrides.push((alias, text(element, "name"), text(element, "value")));
            }
            _ => {}
        }
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

/// Largest CPU or node number worth listing; Linux has no machine with more.
const MOST: u32 = 16_384;

/// libvirt's sets of numbers: `0-3,^2,8`.
pub fn numbers(text: &str) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (excluded, part) = part.strip_prefix('^').map_or((false, part), |rest| (true, rest));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else { continue };
        for number in first..=last.min(MOST) {
            if excluded {
                set.remove(&number);
            } else {
                set.insert(number);
            }
        }
    }
    set
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
        assert_eq!(guest.cpu.required, BTreeSet::from(["invtsc".to_owned()]));
        assert_eq!(guest.disks[0].source.as_deref(), Some("/i.iso"));
        assert!(guest.disks[0].readonly);
        assert_eq!(guest.interfaces[0].source.as_deref(), Some("br0"));
        assert_eq!((guest.local_hostdevs.len(), guest.unaddressed.len()), (1, 1));
        assert_eq!(guest.listens, ["10.0.0.1"]);
        assert_eq!(guest.paths, [("serial".to_owned(), "/log".to_owned())]);
        assert_eq!((guest.tpm.as_deref(), guest.viommu.as_deref()), (Some("emulator"), Some("intel")));
        assert_eq!(guest.overrides, [("hostdev0".into(), "enable-migration".into(), "off".into())]);
    }

    #[test]
    fn hostile_sets_are_bounded() {
        assert!(numbers("0-4294967295").len() <= 16_385);
        assert!(numbers("x,-,^,5-2").is_empty());
    }
}
