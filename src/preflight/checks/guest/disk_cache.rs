//! Disks without a host cache.

use super::prelude::*;

check! {
    /// A disk uses the host's page cache.
    ///
    /// # Meaning
    /// With cache modes other than none and directsync data may be in the source's memory when the destination reads.
    /// Newer QEMU drops the cache by itself; older libvirt refuses.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, disk/driver cache.
    /// # Fix
    /// cache='none' at the next start.
    "disk-cache": Warning, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let cached: Vec<&str> = instance
        .guest
        .disks
        .iter()
        .filter(|disk| disk.kind != "network" || disk.cache.as_deref() == Some("unsafe"))
        .filter(|disk| matches!(disk.cache.as_deref(), Some("writeback" | "writethrough" | "unsafe")))
        .map(|disk| disk.target.as_str())
        .collect();
    vec![if cached.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("cached disks: {}", cached.join(", ")))
    }]
}
