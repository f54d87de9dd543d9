//! The destination has the memory.

use std::collections::{BTreeMap, BTreeSet};

use super::prelude::*;
use crate::domain::guest::{Guest, MemoryPart};
use crate::model::snapshot::Host;
use crate::plan::memory::{self, Place};

check! {
    /// The destination has too little free memory.
    ///
    /// # Meaning
    /// With VFIO devices all of the guest's memory is pinned when it starts on the destination, on the NUMA nodes it is
    /// bound to.
    /// # Check by hand
    /// virsh -c URI freecell --all.
    /// # Fix
    /// Move or stop another guest.
    "guest-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (host, whole) = (instance.destination(), instance.guest.memory.unwrap_or(0));
    let (free, trouble) = match memory(instance.guest, host) {
        None => return Vec::new(),
        Some(None) => return vec![missing(host, "memory_free", "its free memory")],
        Some(Some(known)) => known,
    };
    if let Some(verdict) = unmappable(instance, whole) {
        return vec![verdict];
    }
    // Without host devices memory is taken as the guest uses it.
    let all_at_once = instance.has_vfio() || instance.guest.preallocated;
    let verdict = match trouble {
        None => Verdict::pass(),
        Some(why) if all_at_once => Verdict::fail(why),
        Some(why) => Verdict::fail(why).weighing(Severity::Warning),
    };
    vec![verdict.facts(&bytes(whole), &bytes(free))]
}

/// What is free of the memory that the guest may have on a host, and why that is too little if it is; an inner `None` where it
/// is not known, an outer one for a guest that needs no such memory.
#[expect(clippy::option_option, reason = "not needed and not known are apart")]
pub(in crate::preflight) fn memory(guest: &Guest, host: &Host) -> Option<Option<(u64, Option<String>)>> {
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

/// What QEMU maps besides the guest's memory: its program and stacks, and for emulated CPUs the code that it makes.
const OWN: u64 = 256 << 20;
const OWN_EMULATED: u64 = 1280 << 20;

/// A limit of what a process may map, which is below the guest's memory and QEMU itself.
fn unmappable(instance: &Instance<'_>, memory: u64) -> Option<Verdict> {
    let host = instance.destination();
    let limit = host.guest_limits.as_ref()?.address_space?;
    let own = if instance.guest.virt_type == "qemu" { OWN_EMULATED } else { OWN };
    let wanted = memory.saturating_add(own);
    (limit < wanted).then(|| {
        Verdict::fail(format!(
            "libvirt's processes on {} may map {} each, QEMU with this guest needs some {}",
            name(host),
            bytes(limit),
            bytes(wanted)
        ))
        .remedy(format!("LimitAS and LimitDATA of libvirt's service on {}", name(host)))
    })
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
