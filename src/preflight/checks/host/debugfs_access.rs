//! debugfs answers for devices.

use super::prelude::*;

check! {
    /// A host cannot be asked through debugfs.
    ///
    /// # Meaning
    /// debugfs is the only way to ask a bound device whether it can migrate without disturbing it. Without it (no
    /// CONFIG_VFIO_DEBUGFS, a kernel before 6.8, lockdown, or no root) facts of devices are unknown.
    /// # Check by hand
    /// ls /sys/kernel/debug/vfio as root.
    /// # Fix
    /// mount -t debugfs none /sys/kernel/debug, take snapshots as root, or a kernel with CONFIG_VFIO_DEBUGFS.
    "debugfs-access": Info, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> = [&hosts.source.host, &hosts.destination.host]
        .into_iter()
        .filter(|host| host.debugfs == Some(false))
        .map(|host| {
            let lockdown = host.lockdown.as_deref().unwrap_or("none");
            Verdict::fail(format!("{} has no debugfs for VFIO (lockdown {lockdown})", name(host)))
        })
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
