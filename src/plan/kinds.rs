//! Devices of the destination grouped by what a guest can tell apart, so that each group is asked once and not each device.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::codes;
use super::fit::Fit;
use super::pair::{self, End};
use crate::model::pci::{PciAddress, PciId};
use crate::model::snapshot::device::VfAdmin;
use crate::model::snapshot::{DevType, Device, Snapshot};
use crate::nova::scheduler::Pools;

/// Devices that differ in nothing but their address.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Indexes of the devices, ascending.
    pub devices: Vec<usize>,
    /// Number of their PF, by its address; a device without one is its own.
    pub pf: usize,
    /// Number of their profile.
    pub profile: usize,
    /// Nova's pool and its family.
    pub pool: Option<(usize, usize)>,
    /// NUMA node.
    pub numa_node: Option<u32>,
    /// Number of what the PF enforces for them; none when that is not known.
    pub vf_admin: Option<usize>,
    /// What keeps them from being taken, whoever asks.
    pub availability: Fit,
    /// Migrations under way on the PF.
    pub jobs: u32,
    /// VFs in use on the PF.
    pub busy: u32,
}

/// All devices of a host in their kinds.
#[derive(Debug)]
pub(crate) struct Kinds {
    /// The kinds, by PF.
    pub list: Vec<Kind>,
    /// For each device its kind.
    pub of: Vec<usize>,
    by_ids: HashMap<(Option<PciId>, Option<PciId>), Vec<usize>>,
    by_network: BTreeMap<String, Vec<usize>>,
}

/// What tells two devices apart besides their address.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    pf: usize,
    profile: usize,
    pool: Option<usize>,
    numa_node: Option<u32>,
    availability: Fit,
    vf_admin: Option<usize>,
    /// A device whose tags no pool vouches for stands alone.
    alone: Option<usize>,
}

impl Kinds {
    /// Groups the devices of `host`, whose pools these are. `excluded` are not to be taken.
    pub(crate) fn new(host: &Snapshot, pools: &Pools<'_>, excluded: &BTreeSet<PciAddress>) -> Self {
        let mut pool_of: HashMap<PciAddress, usize> = HashMap::new();
        for (at, pool) in pools.list.iter().enumerate() {
            pool_of.extend(pool.devices.iter().map(|device| (pools.devices[*device].address, at)));
        }
        let profile_of = profiles(host);
        let pfs = Pfs::of(host);
        let mut admins: HashMap<&VfAdmin, usize> = HashMap::new();
        let mut known: HashMap<Key, usize> = HashMap::new();
        let mut list: Vec<Kind> = Vec::new();
        for (index, device) in host.devices.iter().enumerate() {
            let pool = pool_of.get(&device.address).copied();
            let pf = pfs.number_of[index];
            let next = admins.len();
            let key = Key {
                pf,
                profile: profile_of[index],
                pool,
                numa_node: device.numa_node,
                availability: availability(host, device, &pfs, pf, excluded),
                vf_admin: device.vf_admin.as_ref().map(|admin| *admins.entry(admin).or_insert(next)),
                alone: (pool.is_none() && !device.tags.is_empty()).then_some(index),
            };
            let load = pfs.loads[pf];
            let kind = Kind {
                devices: Vec::new(),
                pf,
                profile: key.profile,
                pool: pool.map(|at| (at, pools.list[at].family)),
                numa_node: key.numa_node,
                vf_admin: key.vf_admin,
                availability: key.availability,
                jobs: load.jobs,
                busy: load.busy,
            };
            let at = *known.entry(key).or_insert_with(|| {
                list.push(kind);
                list.len() - 1
            });
            list[at].devices.push(index);
        }
        list.sort_by_key(|kind| (kind.pf, kind.devices[0]));
        Self::indexed(host, list)
    }

    fn indexed(host: &Snapshot, list: Vec<Kind>) -> Self {
        let mut of = vec![0; host.devices.len()];
        let mut by_ids: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_network: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, kind) in list.iter().enumerate() {
            for device in &kind.devices {
                of[*device] = at;
            }
            let device = &host.devices[kind.devices[0]];
            by_ids.entry((device.vendor_id, device.product_id)).or_default().push(at);
            if let Some(network) = &device.tags.physical_network {
                by_network.entry(network.to_string()).or_default().push(at);
            }
        }
        Self { list, of, by_ids, by_network }
    }

    /// Kinds worth asking for a device's place: those of the same ids, by PF.
    pub(crate) fn like(&self, device: &Device) -> &[usize] {
        self.by_ids.get(&(device.vendor_id, device.product_id)).map_or(&[], Vec::as_slice)
    }

    /// Kinds worth asking for a port's place, by PF: those of its network, and those like it, so that a port without a
    /// network there is told what comes nearest.
    pub(crate) fn for_port(&self, device: &Device) -> Vec<usize> {
        let mut all = self.like(device).to_vec();
        if let Some(network) = &device.tags.physical_network {
            all.extend(self.by_network.get(&network.to_string()).into_iter().flatten());
            all.sort_unstable();
            all.dedup();
        }
        all
    }
}

/// What is known of one PF.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    jobs: u32,
    busy: u32,
    /// Whether a guest has the PF itself.
    held: bool,
}

/// The PFs of a host, numbered by address.
struct Pfs {
    /// For each device the number of its PF, or its own.
    number_of: Vec<usize>,
    loads: Vec<Load>,
}

impl Pfs {
    fn of(host: &Snapshot) -> Self {
        let pf = |device: &Device| device.parent_addr.unwrap_or(device.address);
        let mut addresses: Vec<PciAddress> = host.devices.iter().map(pf).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let number = |device: &Device| addresses.partition_point(|address| *address < pf(device));
        let number_of: Vec<usize> = host.devices.iter().map(number).collect();
        let mut loads = vec![Load::default(); addresses.len()];
        for (device, pf) in host.devices.iter().zip(&number_of) {
            let used = is_used(device);
            let load = &mut loads[*pf];
            if device.parent_addr.is_some() {
                load.busy += u32::from(used);
                load.jobs += u32::from(pair::is_migrating(device));
            } else {
                load.held |= used;
            }
        }
        Self { number_of, loads }
    }
}

/// Whether a domain uses the device; unknown is not said here.
pub(crate) fn is_used(device: &Device) -> bool {
    device.used_by.as_ref().is_some_and(|by| !by.is_empty())
}

fn availability(host: &Snapshot, device: &Device, pfs: &Pfs, pf: usize, excluded: &BTreeSet<PciAddress>) -> Fit {
    let mut fit = Fit::default();
    match &device.used_by {
        Some(by) if by.is_empty() => {}
        Some(_) => fit.miss(codes::DEVICE_IN_USE),
        None => fit.unknown += 1,
    }
    if device.claimed_by.is_some() || excluded.contains(&device.address) {
        fit.miss(codes::DEVICE_CLAIMED);
    }
    if device.open_by.as_ref().is_some_and(|by| !by.is_empty()) {
        fit.miss(codes::DEVICE_OPEN);
    }
    if device.parent_addr.is_some() && pfs.loads[pf].held {
        fit.miss(codes::PF_IN_USE);
    }
    if !device.iommu_group_members.is_empty() && !pair::group_in_use(host, device).is_empty() {
        fit.miss(codes::IOMMU_GROUP);
    }
    if device.dev_type == DevType::Pf && device.parent_addr.is_none() && pfs.loads[pf].busy > 0 {
        fit.miss(codes::DEVICE_IN_USE);
    }
    fit
}

/// For each device the number of its profile: devices of one profile give the same answer to every rule of a pair.
pub(crate) fn profiles(host: &Snapshot) -> Vec<usize> {
    /// Of one parameter-set id, which a VF may have from its PF, the first device of each profile.
    type Family<'a> = Vec<(usize, End<'a>)>;
    let mut known: BTreeMap<Option<&str>, Family<'_>> = BTreeMap::new();
    let mut count = 0;
    let mut of: Vec<usize> = Vec::with_capacity(host.devices.len());
    let mut last: Option<(usize, End<'_>, Option<&str>)> = None;
    for device in &host.devices {
        let end = End::of(host, device);
        let psid = pair::psid_of(device, end.pf);
        if let Some((number, like, of_psid)) = last
            && of_psid == psid
            && pair::alike(like, end)
        {
            of.push(number);
            continue;
        }
        let family = known.entry(psid).or_default();
        let number = if let Some((number, _)) = family.iter().find(|(_, other)| pair::alike(*other, end)) {
            *number
        } else {
            count += 1;
            // A family with many kinds is hostile or odd; each further device is then a kind of its own.
            if family.len() < 64 {
                family.push((count - 1, end));
            }
            count - 1
        };
        of.push(number);
        last = Some((number, end, psid));
    }
    of
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_whose_pfs_offer_other_services_are_of_two_profiles() {
        let at = |text: &str| text.parse::<PciAddress>().unwrap();
        let pf = |address, services: &str| Device {
            address: at(address),
            vendor: [("cfg_services".to_owned(), services.into())].into(),
            ..Device::default()
        };
        let vf = |address, parent| Device {
            address: at(address),
            parent_addr: Some(at(parent)),
            candidate_driver: Some("qat_vfio_pci".to_owned()),
            ..Device::default()
        };
        let host = |second| Snapshot {
            devices: vec![
                pf("0000:01:00.0", "sym"),
                vf("0000:01:00.1", "0000:01:00.0"),
                pf("0000:02:00.0", second),
                vf("0000:02:00.1", "0000:02:00.0"),
            ],
            ..Snapshot::default()
        };
        // What is answered for one of a profile is taken for the others.
        let of = |second| profiles(&host(second));
        assert_eq!(of("sym")[1], of("sym")[3]);
        assert_ne!(of("dc")[1], of("dc")[3]);
    }
}
