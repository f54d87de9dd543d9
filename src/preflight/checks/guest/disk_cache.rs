//! Disks without a host cache.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "disk-cache",
        severity: Severity::Warning,
        summary: "a disk uses the host's page cache",
        page: "With cache modes other than none and directsync data may be in the source's memory when the destination \
               reads. Newer QEMU drops the cache by itself; older libvirt refuses.\n\nBy hand: virsh dumpxml DOMAIN, \
               disk/driver cache.\n\nRemedy: cache='none' at the next start.",
    },
    Run::Instance(run),
)
.rechecked();

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
