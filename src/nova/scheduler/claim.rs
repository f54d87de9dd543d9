//! Nova's greedy claim and the states of its devices (`nova/pci/manager.py`, `nova/objects/pci_device.py`).

use std::collections::{HashMap, HashSet};

use super::filters::{self, Cells, Request};
use super::pools::{Emptied, Pools, Tracked};
use crate::model::pci::PciAddress;
use crate::model::snapshot::DevType;

/// State of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Free.
    Available,
    /// A guest has it.
    Allocated,
    /// Blocked by its PF or its VFs.
    Unavailable,
}

impl Status {
    /// Nova's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Allocated => "allocated",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What one request got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Alias of the request.
    pub alias: String,
    /// Devices in the order in which they were taken.
    pub devices: Vec<PciAddress>,
}

/// No pool is left for a request (`PciDeviceRequestFailed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no pool has enough devices for request {request}")]
pub struct RequestFailed {
    /// Index of the request.
    pub request: usize,
}

/// Devices of one host with their states.
#[derive(Debug, Clone)]
pub struct Tracker<'a> {
    /// Pools of the free devices.
    pub pools: Pools<'a>,
    status: Vec<Status>,
    parent: Vec<Option<usize>>,
    /// VFs of each PF, ascending by address.
    children: Vec<Vec<usize>>,
    by_address: HashMap<PciAddress, usize>,
}

impl<'a> Tracker<'a> {
    /// A tracker of `devices`, all free, in order of discovery.
    pub fn new(devices: Vec<Tracked<'a>>) -> Self {
        let by_address: HashMap<_, _> = devices.iter().enumerate().map(|(i, d)| (d.address, i)).collect();
        let parent: Vec<Option<usize>> = devices
            .iter()
            .map(|device| {
                let pf = *by_address.get(&device.parent?)?;
                (matches!(device.dev_type, DevType::Vf | DevType::Vdpa) && devices[pf].dev_type == DevType::Pf)
                    .then_some(pf)
            })
            .collect();
        let mut children = vec![Vec::new(); devices.len()];
        for (device, pf) in parent.iter().enumerate() {
            if let Some(pf) = pf {
                children[*pf].push(device);
            }
        }
        for list in &mut children {
            list.sort_by_key(|device| devices[*device].address);
        }
        let status = vec![Status::Available; devices.len()];
        Self { pools: Pools::new(devices), status, parent, children, by_address }
    }

    /// State of a device; `None` when Nova does not track it.
    pub fn status(&self, address: PciAddress) -> Option<Status> {
        self.by_address.get(&address).map(|device| self.status[*device])
    }

    /// Marks a device as held by somebody, so that it is in no pool.
    pub fn occupy(&mut self, address: PciAddress) {
        if let Some(device) = self.by_address.get(&address).copied()
            && self.pools.remove(device, Emptied::Stays)
        {
            self.remove_dependents(device);
            self.allocate(device);
        }
    }

    /// Whether the scheduler's filter lets the requests pass: it counts and knows nothing of PFs and their VFs.
    pub fn supports(&self, requests: &[Request], cells: &Cells) -> bool {
        let mut free: Vec<usize> = self.pools.list.iter().map(|pool| pool.devices.len()).collect();
        // A pool that the walk uses up is gone, even for a request that wants nothing.
        let mut dropped = HashSet::new();
        requests.iter().all(|request| {
            let Some(mut list) = filters::filter(&self.pools, request, cells, |at| free[at]) else { return false };
            list.retain(|at| !dropped.contains(at));
            let mut wanted = request.count;
            for at in &list {
                if free[*at] > wanted {
                    free[*at] -= wanted;
                    wanted = 0;
                } else {
                    wanted -= std::mem::take(&mut free[*at]);
                    dropped.insert(*at);
                }
                if wanted == 0 {
                    break;
                }
            }
            !list.is_empty()
        })
    }

    /// What a claim would take for the requests, one after the other, without taking it. A host without any tracked device
    /// claims nothing and calls it success, as Nova's does.
    pub fn choose(&self, requests: &[Request], cells: &Cells) -> Result<Vec<Claimed>, RequestFailed> {
        if self.pools.devices.is_empty() {
            let nothing = requests.iter().map(|request| Claimed { alias: request.alias.clone(), devices: Vec::new() });
            return Ok(nothing.collect());
        }
        let mut chosen = Vec::new();
        let mut gone: HashSet<usize> = HashSet::new();
        let mut gone_in: HashMap<usize, usize> = HashMap::new();
        // Pools that lost their last device to the claim of its PF or VF, which not even a request for nothing finds.
        let mut dropped: HashSet<usize> = HashSet::new();
        for (index, request) in requests.iter().enumerate() {
            let gone_from = |at| if gone_in.is_empty() { 0 } else { gone_in.get(&at).copied().unwrap_or(0) };
            let free = |at: usize| self.pools.list[at].devices.len() - gone_from(at);
            let mut list =
                filters::filter(&self.pools, request, cells, free).ok_or(RequestFailed { request: index })?;
            list.retain(|at| !dropped.contains(at));
            if list.is_empty() {
                return Err(RequestFailed { request: index });
            }
            let mut taken = Vec::with_capacity(request.count);
            for at in list {
                if taken.len() == request.count {
                    break;
                }
                for device in self.pools.list[at].devices.iter().rev() {
                    if taken.len() == request.count {
                        break;
                    }
                    if gone.insert(*device) {
                        *gone_in.entry(at).or_default() += 1;
                        taken.push(*device);
                    }
                }
            }
            for dependent in taken.iter().flat_map(|device| self.dependents(*device)) {
                if self.status[dependent] == Status::Available
                    && gone.insert(dependent)
                    && let Some(at) = self.pools.holder(dependent)
                {
                    let gone = gone_in.entry(at).or_default();
                    *gone += 1;
                    if *gone == self.pools.list[at].devices.len() {
                        dropped.insert(at);
                    }
                }
            }
            let devices = taken.into_iter().map(|device| self.pools.devices[device].address).collect();
            chosen.push(Claimed { alias: request.alias.clone(), devices });
        }
        Ok(chosen)
    }

    /// Claims and allocates devices for the requests. Nothing is taken when one of them fails.
    pub fn claim(&mut self, requests: &[Request], cells: &Cells) -> Result<Vec<Claimed>, RequestFailed> {
        let chosen = self.choose(requests, cells)?;
        for address in chosen.iter().flat_map(|claimed| &claimed.devices) {
            self.occupy(*address);
        }
        Ok(chosen)
    }

    /// Frees what a claim got. A PF comes back when none of its VFs is in use, VFs come back with their PF.
    pub fn release(&mut self, claimed: &[Claimed]) {
        let mut devices: Vec<usize> = claimed
            .iter()
            .flat_map(|claim| &claim.devices)
            .filter_map(|address| self.by_address.get(address).copied())
            .collect();
        // Nova keeps its devices by address and frees them in that order.
        devices.sort_by_key(|device| self.pools.devices[*device].address);
        for device in devices {
            let mut freed = self.children[device].clone();
            if let Some(pf) = self.parent[device]
                && self.children[pf].iter().all(|vf| *vf == device || self.status[*vf] == Status::Available)
            {
                freed.push(pf);
            }
            freed.push(device);
            for free in freed {
                self.status[free] = Status::Available;
                self.pools.add(free);
            }
        }
    }

    fn allocate(&mut self, device: usize) {
        self.status[device] = Status::Allocated;
        if let Some(pf) = self.parent[device] {
            self.status[pf] = Status::Unavailable;
        }
        for vf in self.children[device].clone() {
            self.status[vf] = Status::Unavailable;
        }
    }

    /// The VFs of a PF, or the PF of a VF.
    fn dependents(&self, device: usize) -> impl Iterator<Item = usize> + '_ {
        self.children[device].iter().copied().chain(self.parent[device])
    }

    fn remove_dependents(&mut self, device: usize) {
        for dependent in self.dependents(device).collect::<Vec<_>>() {
            self.pools.remove(dependent, Emptied::Goes);
        }
    }
}
