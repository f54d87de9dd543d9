//! The destination has the huge pages.

use super::prelude::*;
use crate::model::snapshot::Host;
use crate::preflight::room::{short_of_pages, wanted_pages};

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
    if wanted_pages(instance.guest).is_empty() {
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
