//! One guest between two hosts: which device it gets for each it has, or why there is none.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::candidates::{Fit, Known, Planner};
use super::map::{Action, MapEntry};
use super::matching::{self, Problem};
use super::nova::precheck::{self, Services};
use super::nova::{Cells, Request};
use super::requests::{self, Asked, RequestError};
use crate::domain::guest;
use crate::pci::PciAddress;
use crate::snapshot::{DevType, Device, Domain, Hostdev, HostdevKind};

/// No guest has more; a list that is longer is not a guest's.
pub const MOST_HOSTDEVS: usize = 512;

/// What the operator says about a guest.
#[derive(Debug, Clone, Default)]
pub struct Wishes<'a> {
    /// What the flavor asks for, `ALIAS:N,…`.
    pub request: Option<&'a str>,
    /// Plain host devices that are ports.
    pub ports: &'a [PciAddress],
    /// The requests Nova stored for the guest.
    pub stored: Option<&'a [Request]>,
}

/// What a host device of the guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves this request of the flavor.
    Flavor(usize),
    /// A port: it does not block.
    Port,
    /// Nobody asked for it.
    Unaccounted,
}

/// One host device of the guest.
#[derive(Debug, Clone)]
pub struct Held<'a> {
    /// In the guest's XML.
    pub hostdev: &'a Hostdev,
    /// Its address on the source.
    pub address: PciAddress,
    /// What the source knows of it.
    pub device: Option<&'a Device>,
    /// What it is.
    pub role: Role,
    /// What takes its place; when there is no map, what comes nearest.
    pub target: Option<&'a Device>,
    /// Whether a port's state can move to `target`.
    pub port_migrates: bool,
    /// The first condition that `target` does not meet.
    pub missed: Option<&'static str>,
}

/// Requests that cannot be met together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Unmet {
    /// Aliases with the number of devices, or the devices of a guest without aliases.
    pub requests: Vec<String>,
    /// How many devices of the destination each condition removed, by code.
    pub removed_by: BTreeMap<String, usize>,
}

/// What Nova would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NovaAnswer {
    /// `ok`, `precheck-failed`, `no-devices` or `no-requests`.
    pub verdict: String,
    /// Pairs as Nova's claim would choose them.
    pub map: Vec<(PciAddress, PciAddress)>,
    /// Why not.
    pub reason: Option<String>,
}

/// The plan of one guest.
#[derive(Debug, Clone)]
pub struct InstancePlan<'a> {
    /// The guest.
    pub domain: &'a Domain,
    /// What it asks for.
    pub asked: Result<Asked, RequestError>,
    /// Its PCI host devices in the order of its XML.
    pub held: Vec<Held<'a>>,
    /// The map; `None` when there is none.
    pub map: Option<Vec<MapEntry>>,
    /// Why there is none.
    pub unmet: Option<Unmet>,
    /// What Nova would do.
    pub nova: NovaAnswer,
    /// NUMA nodes of the destination the guest will use.
    pub nodes: BTreeSet<u32>,
}

impl<'a> Planner<'a> {
    /// Plans one guest of the source.
    pub fn plan(&self, domain: &'a Domain, wishes: &Wishes<'_>, known: &mut Known) -> InstancePlan<'a> {
        if domain.hostdevs.len() > MOST_HOSTDEVS {
            return InstancePlan {
                domain,
                asked: Ok(Asked { origin: requests::Origin::Implicit, requests: Vec::new() }),
                held: Vec::new(),
                map: None,
                unmet: None,
                nova: NovaAnswer::default(),
                nodes: BTreeSet::new(),
            };
        }
        let asked = requests::asked(domain, self.source, self.destination, wishes.request, wishes.stored);
        let requests: &[Request] = asked.as_ref().map_or(&[], |asked| &asked.requests);
        let mut held = self.held(domain, requests, wishes.ports);
        let nodes = self.guest_nodes(domain);
        let host_cells = self.destination.host.numa_cells.as_deref().unwrap_or_default();
        let cells = Cells::new(nodes.iter().copied().collect(), host_cells);
        let nova = self.nova_answer(&held, requests, &cells);
        let (map, unmet) = self.assign(&mut held, requests, &cells, known);
        let map = if asked.is_ok() { map } else { None };
        InstancePlan { domain, asked, held, map, unmet, nova, nodes }
    }

    /// The guest's host devices and what each of them is.
    fn held(&self, domain: &'a Domain, requests: &[Request], ports: &[PciAddress]) -> Vec<Held<'a>> {
        let mut held: Vec<Held<'a>> = domain
            .hostdevs
            .iter()
            .filter_map(|hostdev| {
                let address = hostdev.source?;
                let device = self.source.device(address);
                let interface = matches!(hostdev.kind, HostdevKind::Interface | HostdevKind::Network);
                let role = if interface || ports.contains(&address) { Role::Port } else { Role::Unaccounted };
                Some(Held { hostdev, address, device, role, target: None, port_migrates: false, missed: None })
            })
            .collect();
        let slots: Vec<usize> =
            requests.iter().enumerate().flat_map(|(at, r)| std::iter::repeat_n(at, r.count.min(held.len()))).collect();
        let mut plain: Vec<usize> = (0..held.len()).filter(|at| held[*at].role == Role::Unaccounted).collect();
        // What may be a port is the first to be left over.
        plain.sort_by_key(|at| held[*at].device.is_some_and(looks_like_port));
        let edges: Vec<Vec<usize>> = plain
            .iter()
            .map(|at| {
                let Some(device) = held[*at].device else { return Vec::new() };
                (0..slots.len()).filter(|slot| requests::describes(&requests[slots[*slot]].spec, device)).collect()
            })
            .collect();
        for (at, slot) in plain.into_iter().zip(matching::maximum(&edges)) {
            held[at].role = match slot {
                Some(slot) => Role::Flavor(slots[slot]),
                None if held[at].device.is_some_and(looks_like_port) => Role::Port,
                None => Role::Unaccounted,
            };
        }
        held
    }

    /// NUMA nodes of the destination that the guest's definition binds it to.
    fn guest_nodes(&self, domain: &Domain) -> BTreeSet<u32> {
        let Some(guest) = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok()) else { return BTreeSet::new() };
        if !guest.nodes.is_empty() {
            return guest.nodes;
        }
        let cells = self.destination.host.numa_cells.iter().flatten();
        cells.filter(|cell| cell.cpus.iter().any(|cpu| guest.cpus.contains(cpu))).map(|cell| cell.id).collect()
    }

    fn assign(
        &self,
        held: &mut [Held<'a>],
        requests: &[Request],
        cells: &Cells,
        known: &mut Known,
    ) -> (Option<Vec<MapEntry>>, Option<Unmet>) {
        let mut loose = Problem::default();
        let mut fits: Vec<Vec<(usize, Fit, bool)>> = Vec::new();
        let mut planned: Vec<usize> = Vec::new();
        let mut blocked = false;
        for (at, held) in held.iter().enumerate() {
            let answers = match (held.role, held.device) {
                (Role::Flavor(request), Some(device)) => {
                    let numbered = (known.number(&requests[request]), &requests[request]);
                    let like = self.like(device).iter();
                    like.map(|i| (*i, self.fit(device, numbered, cells, *i, known), true)).collect()
                }
                (Role::Port, Some(device)) => self.port_candidates(device, known),
                (Role::Unaccounted, _) | (_, None) => {
                    blocked = true;
                    continue;
                }
            };
            loose.edges.push(answers.iter().map(|(i, fit, _)| self.edge(*i, *fit, cells)).collect());
            loose.group.push(self.group(held));
            fits.push(answers);
            planned.push(at);
        }
        let strict = Problem {
            edges: loose.edges.iter().map(|l| l.iter().filter(|e| e.cost.misses == 0).copied().collect()).collect(),
            group: loose.group.clone(),
        };
        let (edges, unmet) = match matching::solve(&strict) {
            Ok(edges) => (edges, None),
            Err(together) => {
                let unmet = unmet(held, requests, &strict, &fits, &planned, &together);
                // The nearest miss tells which condition to mend.
                (matching::solve(&loose).unwrap_or_default(), Some(unmet))
            }
        };
        for (at, edge) in edges.iter().enumerate() {
            let held = &mut held[planned[at]];
            held.target = Some(&self.destination.devices[edge.device]);
            if let Some((_, fit, migrates)) = fits[at].iter().find(|(i, _, _)| *i == edge.device) {
                held.port_migrates = *migrates;
                held.missed = fit.first;
            }
        }
        if unmet.is_some() || blocked {
            return (None, unmet);
        }
        let map = held.iter().filter_map(|held| {
            let action =
                if held.role == Role::Port && !held.port_migrates { Action::Reattach } else { Action::Migrate };
            let alias = match held.role {
                Role::Flavor(request) => Some(requests[request].alias.clone()),
                Role::Port | Role::Unaccounted => None,
            };
            Some(MapEntry::new(held.hostdev, held.address, held.target?, action, alias))
        });
        (Some(map.collect()), None)
    }

    fn port_candidates(&self, device: &Device, known: &mut Known) -> Vec<(usize, Fit, bool)> {
        let network = device.tags.get("physical_network");
        // Devices like it are asked as well, so that a port without a network there is told what comes nearest.
        let mut of_network = self.like(device).to_vec();
        if network.is_some() {
            of_network.extend(
                (0..self.destination.devices.len())
                    .filter(|i| self.destination.devices[*i].tags.get("physical_network") == network),
            );
            of_network.sort_unstable();
            of_network.dedup();
        }
        of_network
            .into_iter()
            .map(|i| {
                let (fit, migrates) = self.port_fit(device, i, known);
                (i, fit, migrates)
            })
            .collect()
    }

    fn group(&self, held: &Held<'_>) -> usize {
        let pf = held.device.and_then(|device| device.parent_addr).unwrap_or(held.address);
        self.source.devices.binary_search_by_key(&pf, |d| d.address).unwrap_or_else(|at| usize::MAX - at)
    }

    /// What Nova's pre-check and claim would answer. It pairs a request's devices with the claimed ones in order of address.
    fn nova_answer(&self, held: &[Held<'_>], requests: &[Request], cells: &Cells) -> NovaAnswer {
        let ports = held.iter().filter(|h| h.role == Role::Port).count();
        if requests.is_empty() && ports == 0 {
            return NovaAnswer { verdict: "no-requests".to_owned(), ..NovaAnswer::default() };
        }
        if let Err(refused) = precheck::check(requests, ports, Services::default()) {
            let reason = Some(refused.to_string());
            return NovaAnswer { verdict: "precheck-failed".to_owned(), reason, ..NovaAnswer::default() };
        }
        match self.tracker.choose(requests, cells) {
            Err(failed) => NovaAnswer {
                verdict: "no-devices".to_owned(),
                reason: Some(format!("no pool has enough devices for {}", label(&requests[failed.request]))),
                ..NovaAnswer::default()
            },
            Ok(claimed) => {
                let mut map = Vec::new();
                for (index, claim) in claimed.iter().enumerate() {
                    let mut mine: Vec<PciAddress> =
                        held.iter().filter(|h| h.role == Role::Flavor(index)).map(|h| h.address).collect();
                    mine.sort_unstable();
                    map.extend(mine.into_iter().zip(claim.devices.iter().copied()));
                }
                NovaAnswer { verdict: "ok".to_owned(), map, reason: None }
            }
        }
    }
}

/// Ports that are plain host devices: direct-physical and InfiniBand ones.
fn looks_like_port(device: &Device) -> bool {
    device.dev_type == DevType::Pf || device.tags.contains_key("physical_network")
}

fn label(request: &Request) -> String {
    if request.alias.is_empty() {
        "a device like the guest's".to_owned()
    } else {
        format!("{}:{}", request.alias, request.count)
    }
}

/// Most requests for which every set of them is tried.
const MOST_SETS: usize = 12;

/// The smallest set of requests that cannot be met together, out of `together`, which cannot.
fn unmet(
    held: &[Held<'_>],
    requests: &[Request],
    problem: &Problem,
    fits: &[Vec<(usize, Fit, bool)>],
    planned: &[usize],
    together: &[usize],
) -> Unmet {
    // A flavor's request is met or not as a whole; a port and a device without an alias stand for themselves.
    let key = |at: usize| match held[planned[at]].role {
        Role::Flavor(request) if !requests[request].alias.is_empty() => (request, usize::MAX),
        Role::Flavor(_) | Role::Port | Role::Unaccounted => (usize::MAX, at),
    };
    let keys: Vec<_> = together.iter().map(|at| key(*at)).collect::<BTreeSet<_>>().into_iter().collect();
    let members =
        |set: &[(usize, usize)]| -> Vec<usize> { (0..planned.len()).filter(|at| set.contains(&key(*at))).collect() };
    let mut smallest = keys.clone();
    if keys.len() <= MOST_SETS {
        let mut sets: Vec<u32> = (1..1u32 << keys.len()).collect();
        sets.sort_by_key(|set| (set.count_ones(), *set));
        let chosen = |set: u32| -> Vec<(usize, usize)> {
            keys.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, key)| *key).collect()
        };
        if let Some(set) = sets.into_iter().map(chosen).find(|set| !matching::feasible(problem, &members(set))) {
            smallest = set;
        }
    } else {
        for key in &keys {
            let without: Vec<_> = smallest.iter().copied().filter(|other| other != key).collect();
            if !matching::feasible(problem, &members(&without)) {
                smallest = without;
            }
        }
    }
    let mut removed_by: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (device, fit, _) in members(&smallest).into_iter().flat_map(|at| &fits[at]) {
        if let Some(code) = fit.first {
            removed_by.entry(code.to_owned()).or_default().insert(*device);
        }
    }
    Unmet {
        requests: smallest
            .iter()
            .map(|(request, at)| match requests.get(*request) {
                Some(request) => label(request),
                None => held[planned[*at]].address.to_string(),
            })
            .collect(),
        removed_by: removed_by.into_iter().map(|(code, devices)| (code, devices.len())).collect(),
    }
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
