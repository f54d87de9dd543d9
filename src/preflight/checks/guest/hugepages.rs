//! The destination has the huge pages.

use super::prelude::*;

check! {
    /// The destination has too few free huge pages of the guest's size.
    ///
    /// # Meaning
    /// Huge pages are reserved at boot or by the administrator; the guest needs pages of its size, on its NUMA nodes.
    /// # Check by hand
    /// cat /sys/devices/system/node/node*/hugepages/*/free_hugepages.
    /// # Fix
    /// On the destination: echo COUNT >/sys/devices/system/node/nodeN/hugepages/hugepages-2048kB/nr_hugepages
    /// (1048576kB for pages of 1 GiB).
    "hugepages": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (Some(wanted), [first, ..]) = (instance.guest.memory, instance.guest.hugepages.as_slice()) else {
        return Vec::new();
    };
    let host = instance.destination();
    let Some(cells) = &host.numa_cells else { return vec![missing(host, "numa_cells", "its huge pages")] };
    let nodes = &instance.guest.nodes;
    let free: u64 = cells
        .iter()
        .filter(|cell| nodes.is_empty() || nodes.contains(&cell.id))
        .flat_map(|cell| &cell.hugepages)
        .filter(|(size, _)| *first == 0 || *size == first)
        .map(|(size, count)| size.saturating_mul(*count))
        .fold(0, u64::saturating_add);
    vec![if free < wanted {
        Verdict::fail(format!(
            "{} has {} in free huge pages, the guest needs {}",
            name(host),
            bytes(free),
            bytes(wanted)
        ))
    } else {
        Verdict::pass()
    }]
}
