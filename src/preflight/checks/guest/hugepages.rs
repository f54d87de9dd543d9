//! The destination has the huge pages.

use std::collections::BTreeMap;

use super::prelude::*;
use crate::domain::guest::Guest;
use crate::model::snapshot::Host;

check! {
    /// The destination has too few free huge pages of the guest's size.
    ///
    /// # Meaning
    /// Huge pages are reserved at boot or by the administrator; the guest needs pages of its size, on its NUMA nodes, for its
    /// memory and for memory devices that name a page size.
    /// # Check by hand
    /// cat /sys/devices/system/node/node*/hugepages/*/free_hugepages.
    /// # Fix
    /// On the destination: echo COUNT >/sys/devices/system/node/nodeN/hugepages/hugepages-2048kB/nr_hugepages
    /// (1048576kB for pages of 1 GiB).
    "hugepages": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if wanted(instance.guest).is_empty() {
        return Vec::new();
    }
    let host = instance.destination();
    let Some(short) = short_of_pages(instance.guest, host) else {
        return vec![missing(host, "numa_cells", "its huge pages")];
    };
    // Every host with huge pages for guests has them mounted; an older snapshot of either host does not say so.
    let mounted = |host: &Host| host.mounts.iter().flatten().any(|mount| mount.fs == "hugetlbfs");
    if mounted(instance.source()) && host.mounts.is_some() && !mounted(host) {
        let message = format!("no hugetlbfs is mounted on {}: libvirt has no huge pages for guests there", name(host));
        return vec![Verdict::fail(message).remedy(format!(
            "mount -t hugetlbfs hugetlbfs /dev/hugepages and a restart of libvirtd, on {}",
            name(host)
        ))];
    }
    vec![short.map_or_else(Verdict::pass, |(wanted, free)| {
        Verdict::fail(format!(
            "{} has {} in free huge pages, the guest needs {}",
            name(host),
            bytes(free),
            bytes(wanted)
        ))
    })]
}

/// How many bytes of huge pages of one size the guest needs, and how many a host has free for it, where these are too few; an
/// outer `None` where that is not known.
#[expect(clippy::option_option, reason = "not needed and not known are apart")]
pub(in crate::preflight) fn short_of_pages(guest: &Guest, host: &Host) -> Option<Option<(u64, u64)>> {
    let (cells, nodes) = (host.numa_cells.as_ref()?, &guest.nodes);
    let free = |page: u64| {
        let cells = cells.iter().filter(|cell| nodes.is_empty() || nodes.contains(&cell.id));
        let pages = cells.flat_map(|cell| &cell.hugepages).filter(|(size, _)| page == 0 || **size == page);
        pages.map(|(size, count)| size.saturating_mul(*count)).fold(0, u64::saturating_add)
    };
    let all = wanted(guest).into_iter().map(|(page, wanted)| (wanted, free(page)));
    Some(all.into_iter().find(|(wanted, free)| free < wanted))
}

/// How much the guest wants of each size of pages, in bytes; 0 stands for the host's default size.
fn wanted(guest: &Guest) -> BTreeMap<u64, u64> {
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
