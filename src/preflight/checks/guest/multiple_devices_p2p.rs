//! Several devices can be stopped together.

use super::prelude::*;
use crate::plan::Role;

check! {
    /// Several devices move and one of them lacks peer-to-peer support.
    ///
    /// # Meaning
    /// With more than one migrating device QEMU needs each to be able to stop while others still talk to it (P2P):
    /// "Multiple VFIO devices migration is supported only if all of them support P2P migration".
    /// # Check by hand
    /// cat /sys/kernel/debug/vfio/ADDRESS/migration/features, word p2p.
    /// # Fix
    /// A guest with one such device, or devices whose driver has P2P.
    "multiple-devices-p2p": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let moving: Vec<_> =
        instance.plan.held.iter().filter(|held| held.role != Role::Port || held.port_migrates).collect();
    if moving.len() < 2 {
        return Vec::new();
    }
    let mut verdicts = Vec::new();
    for device in moving.iter().flat_map(|held| [held.device, held.target]).flatten() {
        match &device.migration.flags {
            Some(flags) if flags.iter().any(|flag| flag == "p2p") => {}
            Some(_) => {
                verdicts.push(Verdict::fail(format!("{} has no P2P support", device.address)).about(&device.address));
            }
            None => verdicts.push(
                Verdict::unknown(format!("whether {} has P2P support is not known", device.address))
                    .about(&device.address),
            ),
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
