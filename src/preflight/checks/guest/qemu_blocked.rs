//! QEMU lets the guest migrate.

use super::prelude::*;

check! {
    /// QEMU says that the guest cannot migrate.
    ///
    /// # Meaning
    /// The running QEMU knows every reason why it cannot migrate, and tells them without any effect: a device without
    /// migration, several devices without peer-to-peer, a vIOMMU, ... libvirt asks the same. An nvme disk blocks up to QEMU
    /// 11.0; from 11.1 on it migrates, but for what QEMU then names.
    /// # Check by hand
    /// virsh qemu-monitor-command DOMAIN '{"execute": "query-migrate"}', blocked-reasons.
    /// # Fix
    /// Remove the reason; most need a restart of the guest.
    "qemu-blocked": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.domain.is_active() {
        return Vec::new();
    }
    match &instance.domain.blocked_reasons {
        Some(reasons) if reasons.is_empty() => vec![Verdict::pass()],
        Some(reasons) => reasons.iter().map(|reason| Verdict::fail(format!("QEMU: {reason}"))).collect(),
        None => vec![
            Verdict::unknown("QEMU was not queried for migration blockers")
                .remedy("virsh qemu-monitor-command DOMAIN '{\"execute\": \"query-migrate\"}'"),
        ],
    }
}
