//! The devices of a host as a guest from elsewhere sees them: of VFs that are alike, a few stand for all.

use std::collections::{BTreeMap, BTreeSet};

use super::asks::Asks;
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::{Devlink, Migration, UsedBy, VfAdmin};
use crate::model::snapshot::{DevType, Device, Snapshot, Unknown};
use crate::plan::kinds::is_used;
use crate::plan::pair;

/// More kinds of VF than a PF has; a host with more is seen device by device.
const MOST_KINDS: usize = 64;

/// What stands for the devices of a host.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// The devices that are shown.
    pub list: Vec<Device>,
    /// For each of them the group that it stands for.
    pub group_of: Vec<usize>,
    /// For each group the host's devices, by index, as far as they may be taken.
    pub groups: Vec<Vec<usize>>,
}

impl Shown {
    /// Every device for which one of these stands.
    pub(super) fn all(&self, shown: &[usize]) -> impl Iterator<Item = usize> {
        self.groups(shown.iter()).into_iter().flatten().copied()
    }

    /// For how many devices these stand.
    pub(super) fn count<'s>(&self, shown: impl Iterator<Item = &'s usize>) -> usize {
        self.groups(shown).into_iter().map(Vec::len).sum()
    }

    fn groups<'s>(&self, shown: impl Iterator<Item = &'s usize>) -> Vec<&Vec<usize>> {
        let numbers: BTreeSet<usize> = shown.map(|at| self.group_of[*at]).collect();
        numbers.into_iter().map(|group| &self.groups[group]).collect()
    }
}

/// Who uses a VF: that decides what taking it costs, whatever else it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Free,
    Used,
    Unknown,
}

const USES: [Use; 3] = [Use::Free, Use::Used, Use::Unknown];

fn use_of(device: &Device) -> Use {
    match device.is_free() {
        Some(true) => Use::Free,
        Some(false) => Use::Used,
        None => Use::Unknown,
    }
}

/// One PF's VFs.
struct Port<'a> {
    pf: PciAddress,
    /// By index, ascending.
    vfs: Vec<usize>,
    /// Those that are alike but for who uses them.
    kinds: Vec<Vec<usize>>,
    /// How many are in use.
    busy: usize,
    /// How many of those are shown.
    shown_busy: usize,
    first: &'a Device,
}

/// A PF, a kind of its VFs and what they are used for, by number.
type Group = (usize, usize, usize);

/// What stands for the devices of `host`, for guests that hold at most [`Asks::devices`] of them.
///
/// Of the VFs of a PF that are alike as many are shown as one guest holds, free ones and used ones: a guest gets the lowest, and
/// those in use are named only where too few are free. The free ones are shown first: one that is in use costs more, so
/// that no guest has to choose between the two by address. What others use of a PF decides between PFs, so that as many
/// are shown in use as keep the PFs in this order.
pub(super) fn shown(host: &Snapshot, asks: &Asks) -> Shown {
    let Some(mut ports) = ports(host, asks) else { return each(host, asks) };
    for port in &mut ports {
        let most = asks.devices.max(1);
        port.shown_busy = port.kinds.iter().map(|kind| used(host, kind).count().min(most)).sum();
    }
    keep_order(host, asks, &mut ports);
    let mut chosen: Vec<(Device, Option<Group>, usize)> = Vec::new();
    for (at, device) in host.devices.iter().enumerate() {
        if !is_vf(device) {
            chosen.push((stranger(device, asks), None, at));
        }
    }
    let mut shown = Shown::default();
    let mut group_of: BTreeMap<Group, usize> = BTreeMap::new();
    for (number, port) in ports.iter().enumerate() {
        for (kind, alike) in port.kinds.iter().enumerate() {
            for (nth, wanted) in USES.into_iter().enumerate() {
                let these = alike.iter().copied().filter(|at| use_of(&host.devices[*at]) == wanted);
                let these: Vec<usize> = these.collect();
                if !these.is_empty() {
                    group_of.insert((number, kind, nth), shown.groups.len());
                    shown.groups.push(if wanted == Use::Used { Vec::new() } else { these });
                }
            }
        }
        // The addresses that are shown are the first of the PF's, which all hosts of a kind have.
        let places = port.vfs.iter().map(|at| host.devices[*at].address);
        for ((at, group), address) in port.shown(host, asks.devices.max(1)).into_iter().zip(places) {
            let device = Device { address, ..stranger(&host.devices[at], asks) };
            chosen.push((device, Some((number, group.0, group.1)), at));
        }
    }
    chosen.sort_by_key(|(device, _, _)| device.address);
    for (device, group, at) in chosen {
        shown.group_of.push(if let Some(group) = group {
            group_of[&group]
        } else {
            let may_be_taken = !is_used(&device);
            shown.groups.push(if may_be_taken { vec![at] } else { Vec::new() });
            shown.groups.len() - 1
        });
        shown.list.push(device);
    }
    shown
}

/// Every device by itself, with its own address.
fn each(host: &Snapshot, asks: &Asks) -> Shown {
    let list: Vec<Device> = host.devices.iter().map(|device| stranger(device, asks)).collect();
    Shown { group_of: (0..list.len()).collect(), groups: (0..list.len()).map(|at| vec![at]).collect(), list }
}

fn is_vf(device: &Device) -> bool {
    device.dev_type == DevType::Vf && device.parent_addr.is_some()
}

/// The VFs by PF; none where devices depend on each other, or are of too many kinds.
fn ports<'a>(host: &'a Snapshot, asks: &Asks) -> Option<Vec<Port<'a>>> {
    let mut ports: Vec<Port<'a>> = Vec::new();
    let mut number_of: BTreeMap<PciAddress, usize> = BTreeMap::new();
    for (at, device) in host.devices.iter().enumerate() {
        if !device.iommu_group_members.is_empty() {
            return None;
        }
        // A function whose parent is a VF, or that has a parent and is none, is odd enough to be looked at by itself.
        let Some(pf) = device.parent_addr else { continue };
        if device.dev_type != DevType::Vf || host.device(pf).is_some_and(|pf| pf.parent_addr.is_some()) {
            return None;
        }
        let number = *number_of.entry(pf).or_insert_with(|| {
            ports.push(Port { pf, vfs: Vec::new(), kinds: Vec::new(), busy: 0, shown_busy: 0, first: device });
            ports.len() - 1
        });
        let port = &mut ports[number];
        port.vfs.push(at);
        port.busy += usize::from(is_used(device));
        let is_like = |kind: &Vec<usize>| alike(&host.devices[kind[0]], device, asks);
        match port.kinds.iter().position(is_like) {
            Some(kind) => port.kinds[kind].push(at),
            None if port.kinds.len() == MOST_KINDS => return None,
            None => port.kinds.push(vec![at]),
        }
    }
    ports.sort_by_key(|port| port.pf);
    Some(ports)
}

fn used<'a>(host: &'a Snapshot, kind: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
    kind.iter().copied().filter(|at| use_of(&host.devices[*at]) == Use::Used)
}

impl Port<'_> {
    /// The VFs that are shown, each with its kind and use, in the order in which they are shown.
    fn shown(&self, host: &Snapshot, most: usize) -> Vec<(usize, (usize, usize))> {
        let mut chosen = Vec::new();
        for (kind, alike) in self.kinds.iter().enumerate() {
            for (nth, wanted) in USES.into_iter().enumerate() {
                let these = alike.iter().copied().filter(|at| use_of(&host.devices[*at]) == wanted);
                chosen.extend(these.take(most).map(|at| (at, (kind, nth))));
            }
        }
        let all_used =
            || self.kinds.iter().enumerate().flat_map(|(kind, alike)| used(host, alike).map(move |at| (at, kind)));
        let missing = self.shown_busy - chosen.iter().filter(|(_, (_, nth))| USES[*nth] == Use::Used).count();
        let more: Vec<_> =
            all_used().filter(|(at, _)| chosen.iter().all(|(known, _)| known != at)).take(missing).collect();
        chosen.extend(more.into_iter().map(|(at, kind)| (at, (kind, 1))));
        // One that is in use costs more than another, whatever it misses else: see `Cost`.
        let kept = |nth: &usize| USES[*nth] != Use::Used;
        let kinds: BTreeSet<usize> =
            chosen.iter().filter(|(_, (_, nth))| kept(nth)).map(|(_, (kind, _))| *kind).collect();
        chosen.sort_by_key(|(at, (_, nth))| (!kept(nth), if kinds.len() > 1 { 0 } else { *nth }, *at));
        chosen
    }
}

/// Shows so many VFs in use that PFs which may serve the same device stay in the order of what is in use on them. Of two PFs the
/// order is all that counts; of more, sums may be compared, so that the counts stay unless it does not matter which PF
/// is taken.
fn keep_order(host: &Snapshot, asks: &Asks, ports: &mut [Port<'_>]) {
    let mut families: Vec<Vec<usize>> = Vec::new();
    for at in 0..ports.len() {
        let (mine, others): (Vec<_>, Vec<_>) = families
            .into_iter()
            .partition(|family| family.iter().any(|other| may_compete(host, &ports[*other], &ports[at])));
        families = others;
        let mut joined = mine.concat();
        joined.push(at);
        families.push(joined);
    }
    for family in families {
        if family.len() > 2 && !is_indifferent(host, asks, ports, &family) {
            for at in family {
                ports[at].shown_busy = ports[at].busy;
            }
            continue;
        }
        let mut least = 0;
        for busy in family.iter().map(|at| ports[*at].busy).collect::<BTreeSet<_>>() {
            let equal: Vec<usize> = family.iter().copied().filter(|at| ports[*at].busy == busy).collect();
            let shown = equal.iter().map(|at| ports[*at].shown_busy).max().unwrap_or(0).max(least);
            for at in equal {
                ports[at].shown_busy = shown;
            }
            least = shown + 1;
        }
    }
}

/// Whether a guest's device may get a VF of either.
fn may_compete(host: &Snapshot, one: &Port<'_>, other: &Port<'_>) -> bool {
    let kinds = |port: &Port<'_>| -> Vec<usize> { port.kinds.iter().map(|kind| kind[0]).collect() };
    kinds(one).into_iter().any(|one| {
        kinds(other).into_iter().any(|other| {
            let (one, other) = (&host.devices[one], &host.devices[other]);
            let network = &one.tags.physical_network;
            (one.vendor_id, one.product_id) == (other.vendor_id, other.product_id)
                || (network.is_some() && *network == other.tags.physical_network)
        })
    })
}

/// Whether it is all the same on which of these PFs a guest's devices are.
fn is_indifferent(host: &Snapshot, asks: &Asks, ports: &[Port<'_>], family: &[usize]) -> bool {
    let placeless = |device: &Device| Device {
        address: PciAddress::default(),
        parent_addr: None,
        numa_node: None,
        socket: None,
        used_by: None,
        ..stranger(device, asks)
    };
    let view = |port: &Port<'_>| {
        let pf = host.device(port.pf);
        let takes = pf.and_then(|pf| pair::slots(&host.host, pf)).unwrap_or(usize::MAX);
        (pf.map(placeless), placeless(port.first), port.kinds.len(), takes >= asks.devices)
    };
    let first = view(&ports[family[0]]);
    first.2 == 1 && first.3 && family.iter().all(|at| view(&ports[*at]) == first)
}

/// A device as a guest from elsewhere sees it. Everything is kept but what only sentences name, and what is each device's own and
/// no rule compares.
pub(super) fn stranger(device: &Device, asks: &Asks) -> Device {
    let nameless = |list: &[Unknown]| -> Vec<Unknown> { facts(list).map(|fact| Unknown::new(fact, "")).collect() };
    let number = |is: bool, word: &str| is.then(|| word.to_owned());
    let migration = Migration {
        state: under_way(device.migration.state.as_ref()).cloned(),
        unknown: nameless(&device.migration.unknown),
        ..device.migration.clone()
    };
    Device {
        // Numbers that the kernel gives as devices come; that there is one counts.
        vf_index: None,
        iommu_group: device.iommu_group.map(|_| 0),
        vfio_dev: number(device.vfio_dev.is_some(), "vfio0"),
        cdev: number(device.cdev.is_some(), "/dev/vfio/devices/vfio0"),
        // The PF's interface has the same name on hosts of a kind; a VF's has its number in it.
        netdev: if is_vf(device) { number(device.netdev.is_some(), "vf") } else { device.netdev.clone() },
        // Each card has its own, and no rule compares them.
        vpd: None,
        // Who it is only the sentence says.
        used_by: emptiness(device.used_by.as_deref()).map(|free| vec![UsedBy::default(); usize::from(!free)]),
        open_by: emptiness(device.open_by.as_deref()).map(|free| vec![String::new(); usize::from(!free)]),
        claimed_by: number(device.claimed_by.is_some(), ""),
        devlink: portless(device.devlink.as_ref()),
        vf_admin: admin(device.vf_admin.as_ref(), asks),
        migration,
        unknown: nameless(&device.unknown),
        ..device.clone()
    }
}

/// Whether two VFs of a PF are the same to a stranger but for their addresses and who uses them. Each field is named: one that
/// is added is not forgotten here.
fn alike(one: &Device, other: &Device, asks: &Asks) -> bool {
    let Device {
        address: _,
        vendor_id,
        product_id,
        subsystem_vendor_id,
        subsystem_device_id,
        class,
        revision,
        modalias,
        dev_type,
        parent_addr,
        vf_index: _,
        sriov,
        numa_node,
        socket,
        iommu_group,
        iommu_group_type,
        iommu_group_members,
        driver,
        driver_override,
        candidate_driver,
        vfio_dev,
        cdev,
        bars,
        rom,
        msix,
        capabilities,
        pcie,
        reset_methods,
        vpd: _,
        netdev,
        link,
        netdev_use,
        mtu,
        physical_network,
        firmware,
        devlink,
        vf_admin,
        vendor,
        spec_index,
        tags,
        declared,
        migration,
        used_by: _,
        open_by,
        claimed_by,
        unknown,
    } = one;
    *vendor_id == other.vendor_id
        && *product_id == other.product_id
        && *subsystem_vendor_id == other.subsystem_vendor_id
        && *subsystem_device_id == other.subsystem_device_id
        && *class == other.class
        && *revision == other.revision
        && *modalias == other.modalias
        && *dev_type == other.dev_type
        && *parent_addr == other.parent_addr
        && *sriov == other.sriov
        && *numa_node == other.numa_node
        && *socket == other.socket
        && iommu_group.is_some() == other.iommu_group.is_some()
        && *iommu_group_type == other.iommu_group_type
        && *iommu_group_members == other.iommu_group_members
        && *driver == other.driver
        && *driver_override == other.driver_override
        && *candidate_driver == other.candidate_driver
        && vfio_dev.is_some() == other.vfio_dev.is_some()
        && cdev.is_some() == other.cdev.is_some()
        && *bars == other.bars
        && *rom == other.rom
        && *msix == other.msix
        && *capabilities == other.capabilities
        && *pcie == other.pcie
        && *reset_methods == other.reset_methods
        && netdev.is_some() == other.netdev.is_some()
        && *link == other.link
        && *netdev_use == other.netdev_use
        && *mtu == other.mtu
        && *physical_network == other.physical_network
        && *firmware == other.firmware
        && (*devlink == other.devlink || portless(devlink.as_ref()) == portless(other.devlink.as_ref()))
        && (*vf_admin == other.vf_admin || admin(vf_admin.as_ref(), asks) == admin(other.vf_admin.as_ref(), asks))
        && *vendor == other.vendor
        && *spec_index == other.spec_index
        && *tags == other.tags
        && *declared == other.declared
        && migrates_alike(migration, &other.migration)
        && emptiness(open_by.as_deref()) == emptiness(other.open_by.as_deref())
        && claimed_by.is_some() == other.claimed_by.is_some()
        && facts(unknown).eq(facts(&other.unknown))
}

fn migrates_alike(one: &Migration, other: &Migration) -> bool {
    let Migration { variant_driver, supported, flags, state_size, dirty_tracking, state, asked, chain, unknown } = one;
    *variant_driver == other.variant_driver
        && *supported == other.supported
        && *flags == other.flags
        && *state_size == other.state_size
        && *dirty_tracking == other.dirty_tracking
        && (*state == other.state || under_way(state.as_ref()) == under_way(other.state.as_ref()))
        && *asked == other.asked
        && *chain == other.chain
        && facts(unknown).eq(facts(&other.unknown))
}

fn emptiness<T>(list: Option<&[T]>) -> Option<bool> {
    list.map(<[T]>::is_empty)
}

fn facts(list: &[Unknown]) -> impl Iterator<Item = &str> {
    list.iter().map(|unknown| &*unknown.fact)
}

/// A state word of a migration under way; whichever other state the device is in is nothing to a stranger.
fn under_way(state: Option<&String>) -> Option<&String> {
    state.filter(|state| pair::is_migrating_state(state))
}

/// Without the number of the VF's port, which only a command names.
fn portless(devlink: Option<&Devlink>) -> Option<Devlink> {
    devlink.map(|devlink| Devlink { port: None, ..devlink.clone() })
}

/// With the MAC only if one of the guests has it: it differs from all others, whichever it is.
fn admin(admin: Option<&VfAdmin>, asks: &Asks) -> Option<VfAdmin> {
    let known = |mac: &String| if asks.macs.contains(mac) { mac.clone() } else { String::new() };
    admin.map(|admin| VfAdmin { mac: admin.mac.as_ref().map(known), ..admin.clone() })
}
