//! Which devices of the destination may take the place of a guest's device, and why the others may not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::matching::{Cost, Edge};
use super::nova::filters::{self, Step};
use super::nova::{Cells, Pools, Request, Tracked, Tracker};
use super::pair::{self, Answer, Pair};
use crate::pci::{PciAddress, PciId};
use crate::snapshot::{Declared, DevType, Device, Snapshot};

/// How a device of the destination answers to one of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fit {
    /// The first condition it does not meet.
    pub first: Option<&'static str>,
    /// How many it does not meet.
    pub misses: u32,
    /// Conditions that cannot be told.
    pub unknown: u32,
}

impl Fit {
    fn miss(&mut self, code: &'static str) {
        self.first = self.first.or(Some(code));
        self.misses += 1;
    }

    fn answer(&mut self, code: &'static str, answer: Answer) {
        match answer {
            Answer::Yes => {}
            Answer::No => self.miss(code),
            Answer::Unknown => self.unknown += 1,
        }
    }
}

/// What the planner knows of one PF of the destination.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    jobs: u32,
    busy: u32,
    /// Whether a guest has the PF itself.
    held: bool,
}

/// Two hosts, prepared for planning any number of guests.
#[derive(Debug)]
pub struct Planner<'a> {
    /// Where the guests run.
    pub source: &'a Snapshot,
    /// Where they would go.
    pub destination: &'a Snapshot,
    /// Nova's view of the destination: what guests use is taken.
    pub tracker: Tracker<'a>,
    /// All devices that a spec matches, also those in use, in Nova's pools.
    pools: Pools<'a>,
    pool_of: Vec<Option<usize>>,
    profile_of: Vec<usize>,
    source_profile_of: Vec<usize>,
    by_ids: HashMap<(Option<PciId>, Option<PciId>), Vec<usize>>,
    loads: HashMap<PciAddress, Load>,
    excluded: BTreeSet<PciAddress>,
}

impl<'a> Planner<'a> {
    /// Prepares two hosts. `excluded` are devices of the destination not to be taken: claimed by other migrations.
    pub fn new(source: &'a Snapshot, destination: &'a Snapshot, excluded: BTreeSet<PciAddress>) -> Self {
        let matched = Tracked::all(destination);
        let pools = Pools::new(matched.clone());
        let mut pool_by_address = HashMap::new();
        for (at, pool) in pools.list.iter().enumerate() {
            for device in &pool.devices {
                pool_by_address.insert(pools.devices[*device].address, at);
            }
        }
        let mut tracker = Tracker::new(matched);
        let mut by_ids: HashMap<_, Vec<usize>> = HashMap::new();
        let mut loads: HashMap<PciAddress, Load> = HashMap::new();
        for (index, device) in destination.devices.iter().enumerate() {
            let used = device.used_by.as_ref().is_some_and(|by| !by.is_empty());
            if used {
                tracker.occupy(device.address);
            }
            by_ids.entry((device.vendor_id, device.product_id)).or_default().push(index);
            match device.parent_addr {
                Some(pf) => {
                    let load = loads.entry(pf).or_default();
                    load.busy += u32::from(used);
                    load.jobs += u32::from(pair::is_migrating(device));
                }
                None => loads.entry(device.address).or_default().held |= used,
            }
        }
        Self {
            source,
            destination,
            pool_of: destination.devices.iter().map(|d| pool_by_address.get(&d.address).copied()).collect(),
            pools,
            profile_of: profiles(destination),
            source_profile_of: profiles(source),
            tracker,
            by_ids,
            loads,
            excluded,
        }
    }

    /// Devices of the destination worth asking: those of the same ids.
    pub fn like(&self, device: &Device) -> &[usize] {
        self.by_ids.get(&(device.vendor_id, device.product_id)).map_or(&[], Vec::as_slice)
    }

    /// How well a device of the destination answers a flavor's request, with its number, in the place of `held`.
    pub fn fit(
        &self,
        held: &Device,
        request: (usize, &Request),
        cells: &Cells,
        index: usize,
        known: &mut Known,
    ) -> Fit {
        let (id, request) = request;
        let device = &self.destination.devices[index];
        let mut fit = Fit::default();
        if let Some(code) = self.removed_by_nova(id, request, index, known) {
            fit.miss(code);
        }
        if !filters::policy_allows(&request.numa_policy, device.numa_node, cells) {
            fit.miss("numa-policy");
        }
        let pair = self.pair_fit(held, index, known);
        fit.first = fit.first.or(pair.first);
        fit.misses += pair.misses;
        fit.unknown += pair.unknown;
        // Settings of the PF can be changed; a VF that is right already comes first.
        if let (Some(s), Some(d)) = (&held.vf_admin, &device.vf_admin)
            && s != d
            && !pair::vf_admin_differences(s, d).is_empty()
        {
            fit.unknown += 1;
        }
        self.add_availability(device, &mut fit);
        fit
    }

    /// How well a device of the destination answers a port in the place of `held`, and whether the port's state can move.
    pub fn port_fit(&self, held: &Device, index: usize, known: &mut Known) -> (Fit, bool) {
        let device = &self.destination.devices[index];
        let mut fit = Fit::default();
        if device.tags.get("physical_network") != held.tags.get("physical_network") {
            fit.miss("port-network");
        }
        if device.dev_type != held.dev_type {
            fit.miss("device-identity");
        }
        self.add_availability(device, &mut fit);
        let both = port_may_migrate(held) && port_may_migrate(device);
        let pair = self.pair_fit(held, index, known);
        let migrates = both && pair.misses == 0;
        if migrates {
            fit.unknown += pair.unknown;
        } else if port_may_migrate(held) {
            // Better one whose state can move.
            fit.unknown += 1;
        }
        (fit, migrates)
    }

    /// Whether a device of the destination is free and could take over the state of `held`, whatever was requested.
    pub fn could_take(&self, held: &Device, index: usize, known: &mut Known) -> bool {
        let mut fit = self.pair_fit(held, index, known);
        self.add_availability(&self.destination.devices[index], &mut fit);
        fit.misses == 0
    }

    /// The edge for a device with this fit.
    pub fn edge(&self, index: usize, fit: Fit, cells: &Cells) -> Edge {
        let device = &self.destination.devices[index];
        let pf = device.parent_addr.unwrap_or(device.address);
        let load = self.loads.get(&pf).copied().unwrap_or_default();
        let near = cells.guest.is_empty() || device.numa_node.is_some_and(|node| cells.guest.contains(&node));
        Edge {
            device: index,
            pf: self.destination.devices.binary_search_by_key(&pf, |d| d.address).unwrap_or(usize::MAX - index),
            cost: Cost {
                misses: fit.misses,
                unknown: fit.unknown,
                far: u32::from(!near),
                jobs: load.jobs,
                crowd: load.busy,
            },
        }
    }

    fn add_availability(&self, device: &Device, fit: &mut Fit) {
        match &device.used_by {
            Some(by) if by.is_empty() => {}
            Some(_) => fit.miss("device-in-use"),
            None => fit.unknown += 1,
        }
        if device.claimed_by.is_some() || self.excluded.contains(&device.address) {
            fit.miss("device-claimed");
        }
        if device.open_by.as_ref().is_some_and(|by| !by.is_empty()) {
            fit.miss("device-open");
        }
        if device.parent_addr.and_then(|pf| self.loads.get(&pf)).is_some_and(|load| load.held) {
            fit.miss("pf-in-use");
        }
        if !device.iommu_group_members.is_empty() && !pair::group_in_use(self.destination, device).is_empty() {
            fit.miss("iommu-group");
        }
        let own = self.loads.get(&device.address).is_some_and(|load| load.busy > 0);
        if device.dev_type == DevType::Pf && own {
            fit.miss("device-in-use");
        }
    }

    fn removed_by_nova(&self, id: usize, request: &Request, index: usize, known: &mut Known) -> Option<&'static str> {
        if self.destination.config.device_specs.is_empty() {
            // Nothing is declared here: the probe decides.
            return None;
        }
        let Some(at) = self.pool_of[index] else { return Some("no-device-spec") };
        *known.pools.entry((id, at)).or_insert_with(|| match filters::removed_by(&self.pools.list[at], request) {
            None => None,
            Some(Step::Spec) if self.undeclared(index, request) => Some("declared-migratable"),
            Some(Step::LiveMigratable) => Some("declared-migratable"),
            Some(_) => Some("nova-filter"),
        })
    }

    /// Whether the declaration is what keeps a device from a request that asks for live-migratable ones.
    fn undeclared(&self, index: usize, request: &Request) -> bool {
        request.is_live_migratable() && self.destination.devices[index].declared != Declared::Yes
    }

    fn pair_fit(&self, held: &Device, index: usize, known: &mut Known) -> Fit {
        let source = self.source.devices.binary_search_by_key(&held.address, |d| d.address);
        let key = (source.map_or(usize::MAX, |at| self.source_profile_of[at]), self.profile_of[index]);
        if let Some(fit) = known.pairs.get(&key) {
            return *fit;
        }
        let pair = Pair::new((self.source, held), (self.destination, &self.destination.devices[index]));
        let mut fit = Fit::default();
        for rule in pair::RULES {
            fit.answer(rule.code, (rule.compare)(&pair));
        }
        known.pairs.insert(key, fit);
        fit
    }
}

/// Answers that are equal for many devices, kept over the guests of one run.
#[derive(Debug, Default)]
pub struct Known {
    requests: HashMap<Request, usize>,
    pools: HashMap<(usize, usize), Option<&'static str>>,
    pairs: HashMap<(usize, usize), Fit>,
}

impl Known {
    /// The number of a request; equal requests have equal numbers.
    pub fn number(&mut self, request: &Request) -> usize {
        if let Some(number) = self.requests.get(request) {
            return *number;
        }
        let number = self.requests.len();
        self.requests.insert(request.clone(), number);
        number
    }
}

/// Whether the specs of both hosts let a port's state move: `live_migratable` and `physical_network` (the specification
/// asks for it, Nova detaches such ports all the same).
fn port_may_migrate(device: &Device) -> bool {
    device.declared == Declared::Yes && device.tags.contains_key("physical_network")
}

/// For each device the number of its profile: devices of one profile give the same answer to every rule of a pair.
fn profiles(snapshot: &Snapshot) -> Vec<usize> {
    let mut known: BTreeMap<Option<PciAddress>, Vec<usize>> = BTreeMap::new();
    let mut of: Vec<usize> = Vec::with_capacity(snapshot.devices.len());
    for (index, device) in snapshot.devices.iter().enumerate() {
        let family = known.entry(device.parent_addr).or_default();
        let like = family.iter().copied().find(|other| alike(&snapshot.devices[*other], device));
        of.push(like.unwrap_or(index));
        // A family with many kinds is hostile or odd; each further device is then a kind of its own.
        if like.is_none() && family.len() < 64 {
            family.push(index);
        }
    }
    of
}

fn alike(a: &Device, b: &Device) -> bool {
    a.vendor_id == b.vendor_id
        && a.product_id == b.product_id
        && a.subsystem_vendor_id == b.subsystem_vendor_id
        && a.subsystem_device_id == b.subsystem_device_id
        && a.class == b.class
        && a.revision == b.revision
        && a.dev_type == b.dev_type
        && a.driver == b.driver
        && a.candidate_driver == b.candidate_driver
        && a.vfio_dev.is_some() == b.vfio_dev.is_some()
        && a.migration.variant_driver == b.migration.variant_driver
        && a.migration.supported == b.migration.supported
        && a.migration.flags == b.migration.flags
        && a.bars == b.bars
        && a.msix == b.msix
        && a.why_unknown("msix") == b.why_unknown("msix")
        && a.capabilities == b.capabilities
        && a.firmware == b.firmware
        && a.vendor == b.vendor
}
