//! What both hosts say before a guest is migrated, and what unfinished migrations keep of them.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters;
use super::sides::{Side, Sides};
use super::wanted::Wanted;
use crate::commands::hosts::Hosts;
use crate::commands::{Stop, storage};
use crate::facts::kernel::Parts;
use crate::facts::remote::way::{self, Between};
use crate::facts::{self, ErrorKind, GatherOptions, HostError, HostRef};
use crate::journal;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Domain, Host, Snapshot, Via};
use crate::preflight::terms::Copied;

/// What both hosts say.
#[derive(Debug)]
pub(super) struct Facts {
    /// Where the guest runs.
    pub(super) source: Snapshot,
    /// Where it goes.
    pub(super) destination: Snapshot,
    /// Index of the guest among the source's.
    pub(super) guest: usize,
    /// Both hosts' answers about the disks that are copied.
    pub(super) copies: BTreeMap<String, Copied>,
    /// Devices of the destination that others have, or are to get.
    pub(super) excluded: BTreeSet<PciAddress>,
}

impl Facts {
    pub(super) fn without(mut self, claims: &[journal::Claim], taken: &BTreeSet<PciAddress>) -> Self {
        let claimed = claimed(claims, self.destination.host.uuid.as_deref());
        self.excluded = claimed.chain(taken.iter().copied()).collect();
        self
    }

    /// The guest as the source's snapshot has it.
    pub(super) fn domain(&self) -> &Domain {
        &self.source.domains[self.guest]
    }

    /// Its XML as it is, without secrets.
    pub(super) fn xml(&self) -> &str {
        self.domain().xml.as_deref().unwrap_or_default()
    }
}

/// What unfinished migrations keep, wherever it is.
pub(super) fn claims(journals: &[journal::Listed]) -> Vec<journal::Claim> {
    let states: Vec<_> = journals.iter().filter_map(journal::Listed::state).collect();
    journal::claims(&states)
}

/// The devices among them that are on the host with this UUID, or may be.
pub(super) fn claimed<'a>(
    claims: &'a [journal::Claim],
    uuid: Option<&'a str>,
) -> impl Iterator<Item = PciAddress> + 'a {
    claims.iter().filter(move |claim| claim.may_be_on(uuid)).map(|claim| claim.device)
}

/// Reads both hosts.
pub(super) fn gather(hosts: &Hosts, sides: &Sides, wanted: &Wanted) -> Result<Facts, Stop> {
    let (asked, live, name) = match sides {
        Sides::Live { source, destination, guest, .. } => {
            ([&source.host, &destination.host], Some([source, destination]), guest.uuid.as_str())
        }
        Sides::Saved { source, destination } => ([source, destination], None, wanted.instance.as_str()),
    };
    let devices = sides.need_devices(wanted);
    let read = |at: usize| {
        let options = GatherOptions { parts: Parts { devices, ports: at == 1 }, ..hosts.options.clone() };
        snapshot(asked[at], live.map(|live| live[at]), &options)
    };
    let way = |via: [Via; 2], there: &Host| {
        let uri = Some(live?[1].hypervisor.uri()).filter(|_| !wanted.options.direct);
        let between = Between { source: asked[0], via, destination: asked[1], uri };
        way::ask(between, there, &hosts.options)
    };
    let is_here = way::is_here(asked[0]);
    let (source, there) = std::thread::scope(|scope| {
        let there = scope.spawn(|| {
            let there = read(1)?;
            let reach = if is_here { way([Via::Local, there.via], &there.host) } else { None };
            Ok::<_, Stop>((there, reach))
        });
        (read(0), there.join())
    });
    let mut source = source?;
    let (mut destination, mut reach) = there.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    let guest = source.find_domain(name).map_err(Stop::unknown)?;
    let domain = &source.domains[guest];
    if domain.xml.is_none() {
        return Err(Stop::unknown(format!("the XML of {} is not known", domain.name)));
    }
    let domain = domain.clone();
    // What takes its time on the network, all at once.
    let (via, there) = ([source.via, destination.via], destination.host.clone());
    std::thread::scope(|scope| {
        let asked_now = (!is_here).then(|| scope.spawn(|| way(via, &there)));
        scope.spawn(|| facts::remote::paths::add(&mut source, asked[0], &hosts.options, [&domain]));
        facts::remote::paths::add(&mut destination, asked[1], &hosts.options, [&domain]);
        if let Some([_, destination_side]) = live {
            facts::questions::ask(&mut destination, destination_side.hypervisor.as_ref(), [&domain]);
        }
        if let Some(asked_now) = asked_now {
            reach = asked_now.join().unwrap_or_default();
        }
    });
    if let Some(reach) = &mut reach {
        reach.from.clone_from(&source.host.name);
    }
    destination.host.reach = reach;
    parameters::known_by(&wanted.options, &source, &destination)?;
    let copies = storage::ask(asked, &hosts.options, &domain, &wanted.copies)?;
    Ok(Facts { source, destination, guest, copies, excluded: BTreeSet::new() })
}

fn snapshot(host: &HostRef, live: Option<&Side>, options: &GatherOptions) -> Result<Snapshot, Stop> {
    match (facts::gather_over(host, live.map(|side| side.hypervisor.as_ref()), options), live) {
        (Ok(mut snapshot), _) => {
            host.call(&mut snapshot);
            Ok(snapshot)
        }
        (Err(error), Some(live)) if error.kind() == ErrorKind::Unknown => Ok(by_libvirt(live, &error)),
        (Err(error), _) => Err(Stop::from(error)),
    }
}

/// What libvirt alone knows of a host whose own pvm did not answer: the rest is unknown, and preflight says so.
fn by_libvirt(side: &Side, error: &HostError) -> Snapshot {
    let schema = crate::model::snapshot::SCHEMA.to_owned();
    let mut snapshot = Snapshot { schema, via: Via::Libvirt, ..Snapshot::default() };
    snapshot.host.name.clone_from(&side.name);
    facts::libvirt::add(&mut snapshot, side.hypervisor.as_ref());
    snapshot.unknown.push(crate::model::snapshot::Unknown::new("devices", error.to_string()));
    snapshot
}
