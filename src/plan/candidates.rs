//! Which devices of the destination may take the place of a guest's device, and why the others may not.

use std::collections::{BTreeSet, HashMap};

use super::codes;
use super::fit::Fit;
use super::kinds::{self, Kind, Kinds, profiles};
use super::matching::Cost;
use super::pair::{self, Pair};
use super::requests;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{AliasDoc, Declared, Device, Snapshot};
use crate::nova::scheduler::filters::{self, Step};
use crate::nova::scheduler::{Cells, Pools, Request, Tracked, Tracker};

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
    pub(super) kinds: Kinds,
    source_profile_of: Vec<usize>,
    /// Of both hosts; the source's come first.
    pub(super) aliases: Vec<AliasDoc>,
}

impl<'a> Planner<'a> {
    /// Prepares two hosts. `excluded` are devices of the destination not to be taken: claimed by other migrations.
    pub fn new(source: &'a Snapshot, destination: &'a Snapshot, excluded: &BTreeSet<PciAddress>) -> Self {
        let matched = Tracked::all(destination);
        let pools = Pools::new(matched.clone());
        let mut tracker = Tracker::new(matched);
        for device in destination.devices.iter().filter(|device| kinds::is_used(device)) {
            tracker.occupy(device.address);
        }
        Self {
            source,
            destination,
            kinds: Kinds::new(destination, &pools, excluded),
            pools,
            source_profile_of: profiles(source),
            tracker,
            aliases: requests::aliases(source, destination),
        }
    }

    /// Asks these kinds whether they may serve a flavor's request in the place of `held`.
    pub(super) fn ask_for_flavor(
        &self,
        kinds: &[usize],
        held: &'a Device,
        request: &Request,
        cells: &Cells,
        known: &mut Known,
        mut visit: impl FnMut(usize, &Kind, Fit),
    ) {
        let declared = !self.destination.config.device_specs.is_empty();
        let by_family = filters::is_by_family(request);
        let mut filtered = known.take_filtered(request);
        let mut pairs = self.pairs(held, known);
        let mut admins: Vec<Option<bool>> = Vec::new();
        for at in kinds {
            let kind = &self.kinds.list[*at];
            let mut fit = Fit::default();
            // Where nothing is declared the probe decides.
            if declared {
                match kind.pool {
                    None => fit.miss(codes::NO_DEVICE_SPEC),
                    Some((pool, family)) => {
                        let like = if by_family { family } else { pool };
                        fit = *slot(&mut filtered, like).get_or_insert_with(|| self.filter(pool, request, kind));
                    }
                }
            }
            if !filters::policy_allows(&request.numa_policy, kind.numa_node, cells) {
                fit.miss(codes::NUMA_POLICY);
            }
            fit = fit.and(pairs.fit(kind));
            // Settings of the PF can be changed; a VF that is right already comes first.
            if let Some(wanted) = &held.vf_admin
                && let Some(number) = kind.vf_admin
                && *slot(&mut admins, number).get_or_insert_with(|| {
                    let has = self.first(kind).vf_admin.as_ref();
                    has.is_some_and(|has| wanted != has && !pair::vf_admin_differences(wanted, has).is_empty())
                })
            {
                fit.unknown += 1;
            }
            visit(*at, kind, fit.and(kind.availability));
        }
        pairs.keep(known);
        known.keep_filtered(request, filtered);
    }

    /// Asks these kinds whether they may take a port in the place of `held`, and whether the port's state can move.
    pub(super) fn ask_for_port(
        &self,
        kinds: &[usize],
        held: &'a Device,
        known: &mut Known,
        mut visit: impl FnMut(usize, &Kind, Fit, bool),
    ) {
        let mut pairs = self.pairs(held, known);
        for at in kinds {
            let kind = &self.kinds.list[*at];
            let device = self.first(kind);
            let mut fit = Fit::default();
            if device.tags.physical_network != held.tags.physical_network {
                fit.miss(codes::PORT_NETWORK);
            }
            if device.dev_type != held.dev_type {
                fit.miss(codes::DEVICE_IDENTITY);
            }
            fit = fit.and(kind.availability);
            let pair = pairs.fit(kind);
            let migrates = port_may_migrate(held) && port_may_migrate(device) && pair.misses == 0;
            if migrates {
                fit.unknown += pair.unknown;
            } else if port_may_migrate(held) {
                // Better one whose state can move.
                fit.unknown += 1;
            }
            visit(*at, kind, fit, migrates);
        }
        pairs.keep(known);
    }

    /// The devices of the destination that are free and could take over the state of `held`, whatever was requested.
    pub fn takers(&self, held: &'a Device, known: &mut Known) -> Vec<usize> {
        let mut pairs = self.pairs(held, known);
        let mut takers = Vec::new();
        for kind in self.kinds.like(held).iter().map(|at| &self.kinds.list[*at]) {
            if pairs.fit(kind).and(kind.availability).misses == 0 {
                takers.extend(&kind.devices);
            }
        }
        pairs.keep(known);
        takers
    }

    /// The devices of the destination that are free and may take the port `held`, the best first.
    pub fn port_places(&self, held: &'a Device, known: &mut Known) -> Vec<PciAddress> {
        let all: Vec<usize> = (0..self.kinds.list.len()).collect();
        let mut found = Vec::new();
        self.ask_for_port(&all, held, known, |_, kind, fit, _| {
            if fit.misses == 0 {
                found.extend(kind.devices.iter().map(|at| (fit.unknown, self.destination.devices[*at].address)));
            }
        });
        found.sort_unstable();
        found.into_iter().map(|(_, address)| address).collect()
    }

    /// Devices of one profile of the source have the same takers.
    pub fn source_profile(&self, held: &Device) -> Option<usize> {
        let at = self.source.devices.binary_search_by_key(&held.address, |d| d.address).ok()?;
        Some(self.source_profile_of[at])
    }

    fn first(&self, kind: &Kind) -> &'a Device {
        &self.destination.devices[kind.devices[0]]
    }

    fn filter(&self, pool: usize, request: &Request, kind: &Kind) -> Fit {
        let undeclared = request.is_live_migratable() && self.first(kind).declared != Declared::Yes;
        let mut fit = Fit::default();
        match filters::removed_by(&self.pools.list[pool], request) {
            None => {}
            // The declaration is what keeps the device from the request.
            Some(Step::Spec) if undeclared => fit.miss(codes::DECLARED_MIGRATABLE),
            Some(Step::LiveMigratable) => fit.miss(codes::DECLARED_MIGRATABLE),
            Some(_) => fit.miss(codes::NOVA_FILTER),
        }
        fit
    }

    fn pairs(&self, held: &'a Device, known: &mut Known) -> Pairs<'_, 'a> {
        let profile = self.source_profile(held);
        let fits = profile.and_then(|profile| known.pairs.remove(&profile)).unwrap_or_default();
        Pairs { planner: self, held, profile, fits }
    }
}

/// What one device of the guest says to each profile of the destination.
struct Pairs<'p, 'a> {
    planner: &'p Planner<'a>,
    held: &'a Device,
    profile: Option<usize>,
    fits: Vec<Option<Fit>>,
}

impl Pairs<'_, '_> {
    fn fit(&mut self, kind: &Kind) -> Fit {
        let (planner, held) = (self.planner, self.held);
        *slot(&mut self.fits, kind.profile).get_or_insert_with(|| {
            let pair = Pair::new((planner.source, held), (planner.destination, planner.first(kind)));
            let mut fit = Fit::default();
            for rule in pair::RULES {
                fit.answer(rule.code, (rule.compare)(&pair));
            }
            fit
        })
    }

    fn keep(self, known: &mut Known) {
        // Devices without end that are all different are not worth remembering.
        if let Some(profile) = self.profile
            && known.pairs.len() * self.fits.len() < 1 << 22
        {
            known.pairs.insert(profile, self.fits);
        }
    }
}

/// Answers that are equal for many devices, kept over the guests of one run.
#[derive(Debug, Default)]
pub struct Known {
    /// For each request and each family of pools (or pool): whether it passes.
    filtered: HashMap<Request, Vec<Option<Fit>>>,
    /// For each profile of the source and each of the destination.
    pairs: HashMap<usize, Vec<Option<Fit>>>,
}

impl Known {
    fn take_filtered(&mut self, request: &Request) -> Vec<Option<Fit>> {
        self.filtered.get_mut(request).map(std::mem::take).unwrap_or_default()
    }

    fn keep_filtered(&mut self, request: &Request, answers: Vec<Option<Fit>>) {
        match self.filtered.get_mut(request) {
            Some(kept) => *kept = answers,
            None => {
                self.filtered.insert(request.clone(), answers);
            }
        }
    }
}

fn slot<T: Clone>(list: &mut Vec<Option<T>>, at: usize) -> &mut Option<T> {
    if list.len() <= at {
        list.resize(at + 1, None);
    }
    &mut list[at]
}

impl Kind {
    /// What taking one of them costs, when this is how they answer.
    pub(super) fn cost(&self, fit: Fit, cells: &Cells) -> Cost {
        let near = cells.guest.is_empty() || self.numa_node.is_some_and(|node| cells.guest.contains(&node));
        Cost {
            misses: fit.misses,
            unknown: fit.unknown,
            far: u32::from(!near),
            jobs: self.jobs,
            crowd: self.busy,
            taken: u32::from(self.availability.first == Some(codes::DEVICE_IN_USE)),
        }
    }
}

/// Whether the specs of both hosts let a port's state move: `live_migratable` and `physical_network` (the specification
/// asks for it, Nova detaches such ports nevertheless).
fn port_may_migrate(device: &Device) -> bool {
    device.declared == Declared::Yes && device.tags.physical_network.is_some()
}
