//! A lock manager guards the disks.

use super::prelude::*;
use crate::domain::guest::Disk;

check! {
    /// Nothing keeps a guest from writing to its disks from two hosts.
    ///
    /// # Meaning
    /// When the answer at switchover is lost, a guest may run on both hosts. Only a lock manager (virtlockd, sanlock)
    /// or the storage itself then keeps its disks whole.
    /// # Check by hand
    /// grep lock_manager /etc/libvirt/qemu.conf.
    /// # Fix
    /// lock_manager = "lockd" in qemu.conf on both hosts.
    "lock-manager": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    // Nobody can damage what is only read.
    let written = |disk: &Disk| !disk.readonly && !matches!(disk.device.as_str(), "cdrom" | "floppy");
    if !instance.guest.disks.iter().any(written) {
        return Vec::new();
    }
    let hosts = [instance.source(), instance.destination()];
    let [s, d] = hosts.map(|host| host.lock_manager.as_deref().unwrap_or("unknown"));
    let mut verdicts: Vec<Verdict> = hosts
        .into_iter()
        .filter_map(|host| match host.lock_manager.as_deref() {
            Some("none") => Some(
                Verdict::fail(format!("{} has no disk lock manager", name(host)))
                    .remedy("lock_manager = \"lockd\" in qemu.conf"),
            ),
            Some(_) => None,
            None => Some(missing(host, "lock_manager", "its disk lock manager")),
        })
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(&s, &d)).collect()
}
