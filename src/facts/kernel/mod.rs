//! What a host's kernel says: every PCI function, and the facts of the host that need no libvirt.
//!
//! Reads below a root and changes nothing. Knows nothing of other hosts, of libvirt and of printing.

#[cfg(feature = "openstack")]
mod certificates;
pub(crate) mod chain;
pub(crate) mod config_space;
mod cpu_list;
pub(crate) mod device;
pub(crate) mod devlink;
pub(crate) mod drivers;
pub(crate) mod ethtool;
pub(crate) mod facts;
mod limits;
mod listening;
pub(crate) mod mismatch;
mod mounts;
mod netlink;
mod network;
pub(crate) mod paths;
pub(crate) mod probe;
mod qcow2;
mod qemu_conf;
pub(crate) mod resource;
pub(crate) mod rtnetlink;
mod secrets;
pub(crate) mod sysfs;
pub(crate) mod uevent;
mod vendor;
pub(crate) mod vfio;
pub(crate) mod vpd;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::finding::{Finding, rules};
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::{DevType, Device};
use crate::model::snapshot::{Host, SCHEMA, Snapshot, Unknown, Via};
use device::Shared;
pub(crate) use probe::Probe;
use sysfs::Tree;

/// Why there are no devices where they are not wanted.
pub(crate) const NOT_ASKED: &str = "they were not asked for: the guest holds none";

const DEVICES: &str = "sys/bus/pci/devices";
/// Below this many devices another thread costs more than it brings.
const WORTH_A_THREAD: usize = 64;
/// Devices that a thread takes at a time.
const PART: usize = 32;
/// More threads than this only fight for the kernel's locks.
const MOST_THREADS: usize = 8;

rules! {
    /// An attribute of a device in sysfs is missing or is not what a kernel writes.
    ///
    /// # Meaning
    /// pvm reads a device's facts from its folder below /sys/bus/pci/devices. One of the attributes there is missing,
    /// empty, too long, a link, or has a text the kernel does not write. The facts that depend on it are listed as
    /// unknown, and checks on them are unknown too.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/ATTRIBUTE
    /// # Fix
    /// On a live machine this points to a device that has fallen off the bus (lspci then shows rev ff) or to a bug of
    /// its driver: reset or replace it. In a saved tree it points to an incomplete capture: capture it again.
    ATTRIBUTE = "device-attribute", Warning;

    /// A device was listed and gone when it was read.
    ///
    /// # Meaning
    /// A device disappeared between listing /sys/bus/pci/devices and reading its folder: VFs were being removed, or a
    /// device was unplugged. It is left out of the inventory.
    /// # Check by hand
    /// dmesg, and cat /sys/bus/pci/devices/PF/sriov_numvfs
    /// # Fix
    /// Run the command again.
    VANISHED = "device-vanished", Info;

    /// An entry of /sys/bus/pci/devices is not named as a PCI function.
    ///
    /// # Meaning
    /// Every entry of /sys/bus/pci/devices is a PCI address (dddd:bb:ss.f). Something else stands there, which no
    /// kernel does: the tree is not a true copy. The entry is left out.
    /// # Check by hand
    /// ls /sys/bus/pci/devices
    /// # Fix
    /// Capture the tree again.
    NOT_A_DEVICE = "not-a-pci-address", Warning;
}

/// Why a host's tree could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The root is not a folder that can be opened.
    #[error("cannot read {}", root.display())]
    Root {
        /// The root.
        root: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No list of PCI devices.
    #[error("cannot list the PCI devices of {}", root.display())]
    NoDevices {
        /// The root.
        root: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Opens the tree below `root`.
pub(crate) fn open(root: &Path) -> Result<Tree, InventoryError> {
    Tree::open(root).map_err(|source| InventoryError::Root { root: root.to_owned(), source })
}

/// What takes its time and is not always wanted.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Devices, one by one.
    pub devices: bool,
    /// The ports that somebody has.
    pub ports: bool,
}

/// Reads all that the kernel says below `root`: host facts and, if they are wanted, taken ports and devices. Configuration and domains are not
/// in it yet; once they are, [`conclude`] ends it.
pub(crate) fn read(root: &Path, probe: Probe, parts: Parts) -> Result<Snapshot, InventoryError> {
    let tree = open(root)?;
    let mut snapshot = Snapshot {
        schema: SCHEMA.to_owned(),
        pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: if tree.is_fixture() { String::new() } else { facts::now() },
        via: Via::Local,
        privileged: rustix::process::geteuid().is_root(),
        fixture: tree.is_fixture(),
        host: facts::read(&tree),
        ..Snapshot::default()
    };
    if parts.ports {
        snapshot.host.listening = listening::read(&tree, listening::Protocol::Tcp);
        snapshot.host.udp = listening::read(&tree, listening::Protocol::Udp);
    }
    if !tree.is_fixture() {
        let found = paths::look(root, paths::STANDARD);
        (snapshot.host.paths, snapshot.host.path_details) = (found.paths, found.details);
    }
    if !parts.devices {
        snapshot.unknown.push(Unknown::new("devices", NOT_ASKED));
        return Ok(snapshot);
    }
    read_devices(&tree, root, probe, &mut snapshot)?;
    if tree.is_fixture() {
        for fact in ["vf_admin", "devlink"] {
            snapshot.unknown.push(Unknown::new(fact, "a saved tree does not say it"));
        }
    } else {
        ask_kernel(&mut snapshot);
    }
    Ok(snapshot)
}

/// What sysfs does not say, and the running kernel does when it is asked.
fn ask_kernel(snapshot: &mut Snapshot) {
    if let Err(error) = rtnetlink::add(&mut snapshot.devices) {
        snapshot.unknown.push(Unknown::new("vf_admin", format!("the kernel's netlink cannot be asked: {error}")));
    }
    devlink::add(snapshot);
    ethtool::add(&mut snapshot.devices);
}

/// Draws the conclusions that need everything: what the devices answered, and what does not fit together.
pub(crate) fn conclude(snapshot: &mut Snapshot, probe: Probe) {
    let Snapshot { devices, domains, host, .. } = snapshot;
    if probe != Probe::None {
        probe::qemu(devices, domains);
    }
    for device in devices {
        probe::conclude(device, host, probe);
    }
    chain::forge(snapshot);
    let found = mismatch::find(snapshot);
    snapshot.findings.extend(found);
}

fn read_devices(tree: &Tree, root: &Path, probe: Probe, snapshot: &mut Snapshot) -> Result<(), InventoryError> {
    let names = match tree.node(DEVICES).and_then(|node| node.names()) {
        Ok(names) => names,
        // A machine without PCI has sysfs nevertheless, and an empty list is an answer.
        Err(e) if e.kind() == io::ErrorKind::NotFound && tree.has("sys/bus") => Vec::new(),
        Err(source) => return Err(InventoryError::NoDevices { root: root.to_owned(), source }),
    };
    let mut addresses: Vec<PciAddress> = Vec::with_capacity(names.len());
    for name in &names {
        match name.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => snapshot
                .findings
                .push(Finding::new(&NOT_A_DEVICE, format!("{DEVICES} has an entry {name:?}, which is no PCI address"))),
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let debugfs = probe != Probe::None && snapshot.host.debugfs == Some(true);
    let shared = Shared { vfio_devs: vfio_devs(tree), debugfs, groups: tree.node("sys/kernel/iommu_groups").ok() };
    let mut layouts = HashMap::new();
    let found = in_parallel(&addresses, |address| device::read(tree, *address, &shared));
    for (address, read) in addresses.into_iter().zip(found) {
        match read {
            Ok(read) => {
                if !read.odd.is_empty() {
                    snapshot
                        .findings
                        .push(Finding::new(&ATTRIBUTE, format!("{address}: {}", read.odd.join("; "))).device(&address));
                }
                if let Some(layout) = read.vf_layout {
                    layouts.insert(address, layout);
                }
                snapshot.devices.push(read.device);
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => snapshot.findings.push(
                Finding::new(&VANISHED, format!("{address} was gone when it was read; it is left out"))
                    .device(&address),
            ),
            Err(e) => snapshot
                .findings
                .push(Finding::new(&ATTRIBUTE, format!("{address} cannot be read: {e}")).device(&address)),
        }
    }
    network::uses(tree, &mut snapshot.devices);
    number_vfs(tree, &mut snapshot.devices, &layouts);
    connect_groups(&mut snapshot.devices);
    let no_aliases = snapshot.host.why_unknown("vfio_aliases").map(str::to_owned);
    for device in &mut snapshot.devices {
        if let Some(why) = &no_aliases {
            device.unknown.push(Unknown::new("candidate_driver", why.as_str()));
        }
        device.candidate_driver = candidate(&snapshot.host, device);
        device.socket = device.numa_node.and_then(|node| facts::socket_of(&snapshot.host, node));
    }
    Ok(())
}

fn candidate(host: &Host, device: &Device) -> Option<String> {
    drivers::candidate(host.vfio_aliases.as_ref()?, device.modalias.as_ref()?).map(str::to_owned)
}

/// Does the same to every item, on several threads where they are many; the answers come in the items' order.
fn in_parallel<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cpus.min(MOST_THREADS).min(items.len() / WORTH_A_THREAD).max(1);
    if threads == 1 {
        return items.iter().map(each).collect();
    }
    // Small parts, taken by whoever is idle: on a busy machine one thread may get half the time of another.
    let (parts, taken) = (items.chunks(PART).collect::<Vec<_>>(), AtomicUsize::new(0));
    let work = || -> Vec<(usize, Vec<R>)> {
        std::iter::from_fn(|| {
            let index = taken.fetch_add(1, Ordering::Relaxed);
            Some((index, parts.get(index)?.iter().map(&each).collect()))
        })
        .collect()
    };
    let mut done = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for worker in workers {
            match worker.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, part)| part).collect()
}

/// `/sys/class/vfio-dev/vfioN` points to `…/ADDRESS/vfio-dev/vfioN`.
fn vfio_devs(tree: &Tree) -> HashMap<PciAddress, String> {
    let Ok(class) = tree.node("sys/class/vfio-dev") else { return HashMap::new() };
    let names = class.names().unwrap_or_default();
    let owners = in_parallel(&names, |name| class.target(name).ok()?.rsplit('/').nth(2)?.parse().ok());
    owners.into_iter().zip(names).filter_map(|(address, name)| Some((address?, name))).collect()
}

/// Gives every VF its number: from the PF's routing-id layout, which defines it, else from the PF's `virtfnN` links.
fn number_vfs(tree: &Tree, devices: &mut [Device], layouts: &HashMap<PciAddress, (u32, u32)>) {
    let mut from_links: HashMap<PciAddress, HashMap<PciAddress, u32>> = HashMap::new();
    for device in devices.iter_mut().filter(|d| d.dev_type == DevType::Vf) {
        let Some(parent) = device.parent_addr else { continue };
        device.vf_index =
            layouts.get(&parent).and_then(|layout| index_by_layout(parent, device.address, *layout)).or_else(|| {
                from_links.entry(parent).or_insert_with(|| virtfns(tree, parent)).get(&device.address).copied()
            });
        if device.vf_index.is_none() {
            device.unknown.push(Unknown::new("vf_index", format!("no virtfn link of {parent} points to it")));
        }
    }
}

/// PCI Express 5.0, 9.2.1.2: the routing id of VF n is that of the PF plus offset plus n times stride.
fn index_by_layout(pf: PciAddress, vf: PciAddress, (offset, stride): (u32, u32)) -> Option<u32> {
    let routing_id = |a: PciAddress| u32::from(a.bus) << 8 | u32::from(a.slot) << 3 | u32::from(a.function);
    let distance = routing_id(vf).checked_sub(routing_id(pf))?.checked_sub(offset)?;
    match stride {
        0 => (distance == 0).then_some(0),
        stride => (pf.domain == vf.domain && distance % stride == 0).then_some(distance / stride),
    }
}

fn virtfns(tree: &Tree, pf: PciAddress) -> HashMap<PciAddress, u32> {
    let Ok(node) = tree.node(&format!("{DEVICES}/{pf}")) else { return HashMap::new() };
    let names = node.names().unwrap_or_default();
    names
        .iter()
        .filter_map(|name| {
            let index = name.strip_prefix("virtfn")?.parse().ok()?;
            Some((node.link(name).ok()??.parse().ok()?, index))
        })
        .collect()
}

/// Tells every device who shares its IOMMU group.
fn connect_groups(devices: &mut [Device]) {
    let mut groups: BTreeMap<u32, Vec<PciAddress>> = BTreeMap::new();
    for device in devices.iter() {
        if let Some(group) = device.iommu_group {
            groups.entry(group).or_default().push(device.address);
        }
    }
    groups.retain(|_, members| members.len() > 1);
    for device in devices {
        let Some(members) = device.iommu_group.and_then(|group| groups.get(&group)) else { continue };
        device.iommu_group_members = members.iter().copied().filter(|a| *a != device.address).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_hands_keep_the_order() {
        let items: Vec<u32> = (0..10_000).collect();
        assert_eq!(in_parallel(&items, |n| n * 2), items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(in_parallel(&items[..3], |n| n + 1), [1, 2, 3]);
    }

    #[test]
    fn vf_numbers_follow_offset_and_stride() {
        let at = |text: &str| text.parse::<PciAddress>().unwrap();
        assert_eq!(index_by_layout(at("01:00.0"), at("01:10.4"), (128, 2)), Some(2));
        assert_eq!(index_by_layout(at("01:00.0"), at("02:00.1"), (1, 1)), Some(256));
        assert_eq!(index_by_layout(at("01:00.0"), at("01:10.1"), (128, 2)), None);
        assert_eq!(index_by_layout(at("01:00.0"), at("00:10.1"), (1, 1)), None);
        assert_eq!(index_by_layout(at("01:00.0"), at("01:00.1"), (1, 0)), Some(0));
    }
}
