//! Whether a host has the memory and the huge pages that a guest needs: for the checks, and for the classes of hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::context::name;
use crate::domain::guest::{Guest, MemoryPart};
use crate::model::size::bytes;
use crate::model::snapshot::Host;
use crate::plan::memory::{self, Place};

/// What is free of the memory that the guest may have on a host, and why that is too little if it is; an inner `None` where it
/// is not known, an outer one for a guest that needs no such memory.
#[expect(clippy::option_option, reason = "not needed and not known are apart")]
pub(super) fn memory(guest: &Guest, host: &Host) -> Option<Option<(u64, Option<String>)>> {
    let whole = guest.memory.filter(|_| guest.hugepages.is_empty())?;
    let bound = || guest.memory_parts.iter().filter(|part| !part.nodes.is_empty());
    let nodes: BTreeSet<u32> = bound().flat_map(|part| part.nodes.iter().copied()).collect();
    let cells = host.numa_cells.iter().flatten().filter(|cell| nodes.contains(&cell.id));
    let cells: Option<BTreeMap<Place, u64>> = cells.map(|cell| Some(((cell.id, None), cell.memory_free?))).collect();
    let sum = |bytes: &mut dyn Iterator<Item = u64>| bytes.fold(0, u64::saturating_add);
    let (wanted, free) = if nodes.is_empty() {
        (whole, host.memory_free)
    } else {
        (sum(&mut bound().map(|part| part.bytes)), cells.as_ref().map(|cells| sum(&mut cells.values().copied())))
    };
    let Some(free) = free else { return Some(None) };
    let cells = cells.unwrap_or_default();
    let limit = host.guest_limits.as_ref().and_then(|limits| limits.memory).filter(|limit| *limit < whole);
    let trouble = if let Some(limit) = limit {
        Some(format!(
            "the control group of guests on {} is limited to {}, the guest needs {}",
            name(host),
            bytes(limit),
            bytes(whole)
        ))
    } else if !nodes.is_empty() && free == 0 {
        // That the node is missing is said elsewhere.
        None
    } else if free < wanted {
        Some(format!("{} has {} free, the guest needs {}", name(host), bytes(free), bytes(wanted)))
    } else if !fit(bound(), &cells) {
        let free: Vec<String> = cells.iter().map(|((node, _), free)| format!("node {node} {}", bytes(*free))).collect();
        let free = free.join(", ");
        Some(format!("the guest's memory does not fit the NUMA nodes it is bound to; free on {}: {free}", name(host)))
    } else {
        None
    };
    Some(Some((free, trouble)))
}

/// Whether each part finds its memory on the nodes it is bound to while the others find theirs.
fn fit<'g>(parts: impl Iterator<Item = &'g MemoryPart>, cells: &BTreeMap<Place, u64>) -> bool {
    let places = |part: &MemoryPart| part.nodes.iter().map(|node| (*node, None)).collect();
    let parts: Vec<(BTreeSet<Place>, u64)> = parts.map(|part| (places(part), part.bytes)).collect();
    let mut demands = BTreeMap::new();
    for (places, bytes) in &parts {
        *demands.entry(places).or_default() += u128::from(*bytes);
    }
    memory::fits(&demands, cells)
}

/// How many bytes of huge pages of one size the guest needs, and how many a host has free for it, where these are too few; an
/// outer `None` where that is not known.
#[expect(clippy::option_option, reason = "not needed and not known are apart")]
pub(super) fn short_of_pages(guest: &Guest, host: &Host) -> Option<Option<(u64, u64)>> {
    let (cells, nodes) = (host.numa_cells.as_ref()?, &guest.nodes);
    let free = |page: u64| {
        let cells = cells.iter().filter(|cell| nodes.is_empty() || nodes.contains(&cell.id));
        let pages = cells.flat_map(|cell| &cell.hugepages).filter(|(size, _)| page == 0 || **size == page);
        pages.map(|(size, count)| size.saturating_mul(*count)).fold(0, u64::saturating_add)
    };
    let all = wanted_pages(guest).into_iter().map(|(page, wanted)| (wanted, free(page)));
    Some(all.into_iter().find(|(wanted, free)| free < wanted))
}

/// How much the guest wants of each size of pages, in bytes; 0 stands for the host's default size.
pub(super) fn wanted_pages(guest: &Guest) -> BTreeMap<u64, u64> {
    let mut wanted = BTreeMap::new();
    for (page, bytes) in &guest.device_pages {
        let sum: &mut u64 = wanted.entry(*page).or_default();
        *sum = sum.saturating_add(*bytes);
    }
    let of_devices = wanted.values().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
    if let (Some(memory), Some(page)) = (guest.memory, guest.hugepages.first()) {
        let sum = wanted.entry(*page).or_default();
        *sum = sum.saturating_add(memory.saturating_sub(of_devices));
    }
    wanted
}
