//! One guest between two hosts: which device it gets for each it has, or why there is none.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::candidates::{Known, Planner};
use super::codes;
use super::fit::Fit;
use super::kinds::Kind;
use super::map::moved;
use super::matching::{self, Problem, Shortlist};
use super::requests::{self, Asked, RequestError};
use crate::domain::guest::{self, Guest};
use crate::model::device_move::{Action, DeviceMove};
use crate::model::pci::PciAddress;
use crate::model::snapshot::{DevType, Device, Domain, Hostdev, HostdevKind};
use crate::nova::scheduler::precheck::{self, Services};
use crate::nova::scheduler::{Cells, Request};

/// No guest has more; a list that is longer is not a guest's.
pub(crate) const MOST_HOSTDEVS: usize = 512;

/// What the operator says about a guest.
#[derive(Debug, Clone, Default)]
pub struct Wishes<'a> {
    /// What the flavor asks for, `ALIAS:N,…`.
    pub request: Option<&'a str>,
    /// Plain host devices that are ports.
    pub ports: &'a [PciAddress],
    /// The requests Nova stored for the guest.
    pub stored: Option<&'a [Request]>,
    /// The map of a saved plan: each device gets the one that it says, or none.
    pub map: Option<&'a [DeviceMove]>,
}

/// Which device of the destination may take the place of one of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Any that fits.
    Free,
    /// The one with this index, which a saved plan names; `None` when there is no such device.
    Fixed(Option<usize>),
}

impl Choice {
    /// Those of `devices`, which are ascending, that may be taken.
    fn among(self, devices: &[usize]) -> &[usize] {
        match self {
            Self::Free => devices,
            Self::Fixed(device) => {
                let at = device.and_then(|device| devices.binary_search(&device).ok());
                at.map_or(&[], |at| &devices[at..=at])
            }
        }
    }
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
    /// Which device may take its place.
    pub(super) choice: Choice,
    /// What takes its place; when there is no map, what comes nearest.
    pub target: Option<&'a Device>,
    /// Whether a port's state can move to `target`.
    pub port_migrates: bool,
    /// The first condition that `target` does not meet.
    pub missed: Option<&'static str>,
}

impl Held<'_> {
    /// Whether a place is looked for.
    fn is_planned(&self) -> bool {
        self.device.is_some() && self.role != Role::Unaccounted
    }
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
    pub map: Option<Vec<DeviceMove>>,
    /// Why there is none.
    pub unmet: Option<Unmet>,
    /// What Nova would do.
    pub nova: NovaAnswer,
    /// NUMA nodes of the destination the guest will use.
    pub nodes: BTreeSet<u32>,
    /// The guest's definition, when it can be read.
    pub guest: Option<Guest>,
}

impl<'a> Planner<'a> {
    /// Plans one guest of the source.
    pub fn plan(&self, domain: &'a Domain, wishes: &Wishes<'_>, known: &mut Known) -> InstancePlan<'a> {
        let guest = domain.xml.as_deref().and_then(|xml| guest::read(xml).ok());
        if domain.hostdevs.len() > MOST_HOSTDEVS {
            return InstancePlan {
                domain,
                asked: Ok(Asked { origin: requests::Origin::Implicit, requests: Vec::new() }),
                held: Vec::new(),
                map: None,
                unmet: None,
                nova: NovaAnswer::default(),
                nodes: BTreeSet::new(),
                guest,
            };
        }
        let asked = requests::asked(domain, self.source, &self.aliases, wishes.request, wishes.stored);
        let requests: &[Request] = asked.as_ref().map_or(&[], |asked| &asked.requests);
        let mut held = self.held(domain, requests, wishes);
        let nodes = guest.as_ref().map_or_else(BTreeSet::new, |guest| self.guest_nodes(guest));
        let host_cells = self.destination.host.numa_cells.as_deref().unwrap_or_default();
        let cells = Cells::new(nodes.iter().copied().collect(), host_cells);
        let nova = self.nova_answer(&held, requests, &cells);
        let (map, unmet) = self.assign(&mut held, requests, &cells, known);
        let map = if asked.is_ok() { map } else { None };
        InstancePlan { domain, asked, held, map, unmet, nova, nodes, guest }
    }

    /// The guest's host devices and what each of them is.
    fn held(&self, domain: &'a Domain, requests: &[Request], wishes: &Wishes<'_>) -> Vec<Held<'a>> {
        let mut held: Vec<Held<'a>> = domain
            .hostdevs
            .iter()
            .filter_map(|hostdev| {
                let address = hostdev.source?;
                let device = self.source.device(address);
                let interface = matches!(hostdev.kind, HostdevKind::Interface | HostdevKind::Network);
                let role = if interface || wishes.ports.contains(&address) { Role::Port } else { Role::Unaccounted };
                let choice = wishes.map.map_or(Choice::Free, |map| self.fixed(map, address));
                Some(Held { hostdev, address, device, role, choice, target: None, port_migrates: false, missed: None })
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

    /// Where a saved plan puts the device at `address`.
    fn fixed(&self, map: &[DeviceMove], address: PciAddress) -> Choice {
        let planned = map.iter().find(|moved| moved.source == address).map(|moved| moved.destination);
        let devices = &self.destination.devices;
        Choice::Fixed(planned.and_then(|planned| devices.binary_search_by_key(&planned, |d| d.address).ok()))
    }

    /// NUMA nodes of the destination that the guest's definition binds it to.
    fn guest_nodes(&self, guest: &Guest) -> BTreeSet<u32> {
        if !guest.nodes.is_empty() {
            return guest.nodes.clone();
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
    ) -> (Option<Vec<DeviceMove>>, Option<Unmet>) {
        let planned: Vec<usize> = (0..held.len()).filter(|at| held[*at].is_planned()).collect();
        let mut strict = Problem::default();
        for at in &planned {
            let mut places = Shortlist::new(planned.len());
            self.ask(&held[*at], None, requests, cells, known, |_, kind, fit, _| {
                if fit.misses == 0 {
                    places.offer(kind.pf, kind.cost(fit, cells), held[*at].choice.among(&kind.devices));
                }
            });
            strict.edges.push(places.places());
            strict.group.push(self.group(&held[*at]));
        }
        let (edges, unmet) = match matching::solve(&strict) {
            Ok(edges) => (edges, None),
            Err(together) => {
                let smallest = smallest(held, requests, &strict, &planned, &together);
                let unmet = self.unmet(held, requests, cells, known, &smallest);
                (self.nearest(held, requests, cells, known, strict.group).unwrap_or_default(), Some(unmet))
            }
        };
        for (at, edge) in planned.iter().zip(&edges) {
            let mut answer = None;
            let kind = self.kinds.of[edge.device];
            self.ask(&held[*at], Some(kind), requests, cells, known, |_, _, fit, migrates| {
                answer = Some((fit.first, migrates));
            });
            let held = &mut held[*at];
            held.target = Some(&self.destination.devices[edge.device]);
            (held.missed, held.port_migrates) = answer.unwrap_or_default();
        }
        let blocked = planned.len() < held.len();
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
            Some(moved(held.hostdev, held.address, held.target?, action, alias))
        });
        (Some(map.collect()), None)
    }

    /// Asks every kind of device on the destination that may take the place of `held`, or `only` this one: its index, what
    /// it answers, and whether the state moves. Kinds come by PF.
    pub(super) fn ask(
        &self,
        held: &Held<'a>,
        only: Option<usize>,
        requests: &[Request],
        cells: &Cells,
        known: &mut Known,
        mut visit: impl FnMut(usize, &Kind, Fit, bool),
    ) {
        let Some(device) = held.device else { return };
        let mut kinds = match held.role {
            Role::Flavor(_) => Cow::Borrowed(self.kinds.like(device)),
            Role::Port => Cow::Owned(self.kinds.for_port(device)),
            Role::Unaccounted => return,
        };
        let mut stranger = Fit::default();
        if let Choice::Fixed(place) = held.choice {
            let place = place.map(|place| self.kinds.of[place]);
            // Whatever a plan says: a device that the planner would not even ask is none of this kind.
            if place.is_some_and(|kind| !kinds.contains(&kind)) {
                stranger.miss(codes::DEVICE_IDENTITY);
            }
            kinds = Cow::Owned(place.into_iter().collect());
        }
        if let Some(only) = only {
            kinds = Cow::Owned(vec![only]);
        }
        match held.role {
            Role::Flavor(request) => {
                self.ask_for_flavor(&kinds, device, &requests[request], cells, known, |at, kind, fit| {
                    visit(at, kind, stranger.and(fit), true);
                });
            }
            Role::Port | Role::Unaccounted => {
                self.ask_for_port(&kinds, device, known, |at, kind, fit, migrates| {
                    visit(at, kind, stranger.and(fit), migrates);
                });
            }
        }
    }

    /// The assignment that misses the fewest conditions: it tells which of them to mend.
    fn nearest(
        &self,
        held: &[Held<'a>],
        requests: &[Request],
        cells: &Cells,
        known: &mut Known,
        group: Vec<usize>,
    ) -> Option<Vec<matching::Edge>> {
        let mut edges = Vec::new();
        for held in held.iter().filter(|held| held.is_planned()) {
            let mut places = Shortlist::new(group.len());
            self.ask(held, None, requests, cells, known, |_, kind, fit, _| {
                places.offer(kind.pf, kind.cost(fit, cells), held.choice.among(&kind.devices));
            });
            edges.push(places.places());
        }
        matching::solve(&Problem { edges, group }).ok()
    }

    /// What is to be said of devices that cannot be placed together, by index among the guest's.
    fn unmet(
        &self,
        held: &[Held<'a>],
        requests: &[Request],
        cells: &Cells,
        known: &mut Known,
        smallest: &Smallest,
    ) -> Unmet {
        let mut removed_by: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
        for at in &smallest.members {
            self.ask(&held[*at], None, requests, cells, known, |at, _, fit, _| {
                if let Some(code) = fit.first {
                    removed_by.entry(code).or_default().insert(at);
                }
            });
        }
        let fixed = smallest.members.iter().any(|at| held[*at].choice != Choice::Free);
        let devices = |kinds: BTreeSet<usize>| {
            if fixed { kinds.len() } else { kinds.iter().map(|at| self.kinds.list[*at].devices.len()).sum() }
        };
        Unmet {
            requests: smallest.labels.clone(),
            removed_by: removed_by.into_iter().map(|(code, kinds)| (code.to_owned(), devices(kinds))).collect(),
        }
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
    device.dev_type == DevType::Pf || device.tags.physical_network.is_some()
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

/// Requests that cannot be met together.
struct Smallest {
    /// The guest's devices they are about, by index.
    members: Vec<usize>,
    /// Their names.
    labels: Vec<String>,
}

/// The smallest set of requests that cannot be met together, out of `together`, which cannot.
fn smallest(
    held: &[Held<'_>],
    requests: &[Request],
    problem: &Problem,
    planned: &[usize],
    together: &[usize],
) -> Smallest {
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
    let name = |(request, at): &(usize, usize)| match requests.get(*request) {
        Some(request) => label(request),
        None => held[planned[*at]].address.to_string(),
    };
    Smallest {
        members: members(&smallest).into_iter().map(|at| planned[at]).collect(),
        labels: smallest.iter().map(name).collect(),
    }
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
