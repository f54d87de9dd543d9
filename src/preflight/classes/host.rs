//! A host as a guest from elsewhere sees it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::asks::Asks;
use super::devices::{self, Shown};
use crate::domain::guest;
use crate::model::identity;
use crate::model::snapshot::host::{Host, NumaCell};
use crate::model::snapshot::{Domain, Snapshot, Unknown};
use crate::preflight::room::{memory, short_of_pages};

/// The destination's name: no host is called so, nor is a guest.
const THERE: &str = "/there";

/// The UUID of a destination whose own tells it from others.
const THERE_UUID: &str = "7468e7e0-0000-4000-8000-000000000001";

/// An address that no host has (RFC 5737), for one that is the host's own.
const OWN_ADDRESS: &str = "192.0.2.1";

/// Which memory a host has, apart from the rest: it is told by what it is enough for.
#[derive(Debug, Clone)]
struct Memory {
    whole: Option<u64>,
    free: Option<u64>,
    cells: Option<Vec<NumaCell>>,
}

impl Memory {
    fn take(host: &mut Host) -> Self {
        let memory = Self { whole: host.memory.take(), free: host.memory_free.take(), cells: host.numa_cells.clone() };
        for cell in host.numa_cells.iter_mut().flatten() {
            (cell.memory_total, cell.memory_free) = (None, None);
            cell.hugepages.clear();
        }
        memory
    }

    fn give(self, host: &mut Host) {
        (host.memory, host.memory_free, host.numa_cells) = (self.whole, self.free, self.cells);
    }
}

/// A destination.
#[derive(Debug)]
pub(super) struct Destination {
    /// What guests see of it.
    pub snapshot: Snapshot,
    /// What is equal for destinations that are equal to every guest.
    pub key: Vec<u8>,
    /// What stands for its devices; the devices themselves are in the snapshot.
    pub shown: Shown,
}

/// How `host` looks as a destination.
///
/// Everything is kept that is not named here; what is changed, and why it makes no difference, stands beside it.
pub(super) fn destination(real: &Snapshot, asks: &Asks) -> Destination {
    let mut shown = devices::shown(real, asks);
    let mut snapshot = frame(real, asks);
    snapshot.devices = std::mem::take(&mut shown.list);
    snapshot.domains = domains(real, asks);
    let host = &mut snapshot.host;
    // A pair of hosts with one name, or with one UUID, is judged by itself.
    THERE.clone_into(&mut host.name);
    if host.uuid.as_deref().is_some_and(identity::identifies) {
        host.uuid = Some(THERE_UUID.to_owned());
    }
    // Of memory a guest asks whether it is enough.
    let memory = Memory::take(host);
    let mut key = serde_json::to_vec(&snapshot).unwrap_or_default();
    for shape in &asks.shapes {
        let free = memory_of(shape, &real.host);
        key.extend(format!("{free:?}").into_bytes());
    }
    memory.give(&mut snapshot.host);
    Destination { snapshot, key, shown }
}

/// What is equal for hosts whose guests get the same answers as far as the host decides.
pub(super) fn source_key(real: &Snapshot, asks: &Asks) -> Vec<u8> {
    let mut snapshot = frame(real, asks);
    let host = &mut snapshot.host;
    // Nothing is asked of the memory that guests leave, nor of the ports.
    let _ = Memory::take(host);
    (host.listening, host.udp) = (None, None);
    host.name.clear();
    if host.uuid.as_deref().is_some_and(identity::identifies) {
        host.uuid = Some(String::new());
    }
    serde_json::to_vec(&snapshot).unwrap_or_default()
}

/// Whether the memory is enough, and the huge pages; `None` where that is not asked or not known.
#[expect(clippy::option_option, reason = "not needed and not known are apart")]
fn memory_of(shape: &guest::Guest, host: &Host) -> (Option<Option<bool>>, Option<bool>) {
    let enough = memory(shape, host).map(|known| known.map(|(_, lack)| lack.is_none()));
    (enough, short_of_pages(shape, host).map(|short| short.is_none()))
}

/// Everything of a host but its devices and guests, as either end of a migration.
pub(super) fn frame(real: &Snapshot, asks: &Asks) -> Snapshot {
    let Snapshot {
        // How and when the document was made is compared by `clock-skew` alone, which weighs nothing.
        schema: _,
        pvm_version: _,
        taken_at: _,
        via,
        privileged,
        fixture,
        host,
        config,
        devices: _,
        domains: _,
        // What pvm said of the host by itself, and what Placement would be told or holds, is nothing to a guest.
        placement: _,
        placement_held: _,
        findings: _,
        unknown,
    } = real;
    Snapshot {
        via: *via,
        privileged: *privileged,
        fixture: *fixture,
        host: host_of(host, asks),
        config: config.clone(),
        unknown: nameless(unknown),
        ..Snapshot::default()
    }
}

/// That a fact is missing counts; the sentence that says why has names in it.
fn nameless(list: &[Unknown]) -> Vec<Unknown> {
    list.iter().map(|unknown| Unknown::new(unknown.fact.clone(), "")).collect()
}

fn host_of(real: &Host, asks: &Asks) -> Host {
    let mut host = real.clone();
    host.unknown = nameless(&real.unknown);
    // By which way its facts came is said by `via`.
    host.uri = None;
    host.clock = None;
    // Where migrations may come in is each host's own; that it is another host's, or loopback, is kept.
    let endpoint = &mut host.migration;
    for place in [&mut endpoint.hostname, &mut endpoint.address].into_iter().flatten() {
        if is_own(place, &real.name) && !asks.addresses.contains(place) {
            OWN_ADDRESS.clone_into(place);
        }
    }
    let is_listened = |address: &String| endpoint.listen.as_deref().is_some_and(|listen| bare(listen) == address);
    let is_named = |address: &String| asks.addresses.contains(address);
    if let Some(addresses) = &mut host.addresses {
        addresses.retain(|address| is_named(address) || is_listened(address));
        addresses.sort();
        if let Some(at) = addresses.iter().position(|address| is_listened(address) && !is_named(address)) {
            OWN_ADDRESS.clone_into(&mut addresses[at]);
            endpoint.listen = Some(OWN_ADDRESS.to_owned());
        }
    }
    // Of names that are many, those that a guest names.
    if let Some(interfaces) = &mut host.interfaces {
        interfaces.retain(|name| asks.interfaces.contains(name));
        interfaces.sort();
    }
    if let Some(bridges) = &mut host.bridges {
        bridges.retain(|bridge| asks.interfaces.contains(&bridge.name));
    }
    let (migration, consoles) = (host.migration.ports, host.display_ports);
    if let Some(listening) = &mut host.listening {
        let is_short = |range: Option<(u16, u16)>, wanted: usize, all: &[SocketAddr]| {
            let taken: BTreeSet<u16> = all.iter().map(SocketAddr::port).collect();
            range.filter(|(first, last)| {
                (*first..=*last).filter(|port| !taken.contains(port)).take(wanted).count() < wanted
            })
        };
        // Ports of a range are all the same as long as enough of them are free.
        let short = [is_short(migration, 1, listening), is_short(consoles, asks.consoles, listening)];
        let counts = |port: u16| short.iter().flatten().any(|(first, last)| (*first..=*last).contains(&port));
        listening.retain(|there| asks.ports.contains(&there.port()) || counts(there.port()));
        listening.sort();
    }
    if let Some(udp) = &mut host.udp {
        udp.retain(|there| asks.ports.contains(&there.port()));
        udp.sort();
    }
    host
}

fn bare(address: &str) -> &str {
    address.trim_start_matches('[').trim_end_matches(']')
}

/// Whether an address is one by which this host alone is reached: an IP address that is not loopback, or a name that begins with
/// the host's.
fn is_own(address: &str, name: &str) -> bool {
    if let Ok(ip) = bare(address).parse::<IpAddr>() {
        return !ip.is_loopback() && !ip.is_unspecified();
    }
    let rest = address.strip_prefix(name).filter(|_| !name.is_empty() && !name.starts_with("localhost"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The guests of a destination: who owns them, and which of them have ports that a guest's definition fixes. One with the name or
/// UUID of a guest is a case by itself.
fn domains(real: &Snapshot, asks: &Asks) -> Vec<Domain> {
    let owners: BTreeSet<&Option<String>> = real.domains.iter().map(|domain| &domain.owner).collect();
    let owned = |owner: &Option<String>| Domain { name: THERE.to_owned(), owner: owner.clone(), ..Domain::default() };
    let has_port = |domain: &&Domain| {
        let found = domain.xml.as_deref().filter(|_| domain.is_active()).and_then(|xml| guest::read(xml).ok());
        found.is_some_and(|guest| guest.graphics.iter().flat_map(|g| &g.taken).any(|port| asks.graphics.contains(port)))
    };
    let mut all: Vec<Domain> = owners.into_iter().map(owned).collect();
    if !asks.graphics.is_empty() {
        let with_port = real.domains.iter().filter(has_port);
        let kept = |domain: &Domain| Domain {
            name: THERE.to_owned(),
            state: domain.state.clone(),
            xml: domain.xml.clone(),
            ..Domain::default()
        };
        all.extend(with_port.map(kept));
    }
    all
}
