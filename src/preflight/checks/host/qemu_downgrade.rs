//! The destination's QEMU is not older.

use super::prelude::*;

check! {
    /// The destination's QEMU is older than the source's.
    ///
    /// # Meaning
    /// QEMU keeps the format of its state from older to newer versions. The other way is not supported: it can fail at
    /// the end, with the guest already paused.
    /// # Check by hand
    /// virsh -c URI version on both hosts.
    /// # Fix
    /// Upgrade the destination first.
    "qemu-downgrade": Warning, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    not_older(hosts, "qemu", "QEMU", |host| host.qemu.as_deref())
}
