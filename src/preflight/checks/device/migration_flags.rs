//! The same phases of migration.

use super::prelude::*;

check! {
    /// The devices do not support the same phases of migration.
    ///
    /// # Meaning
    /// A device that streams while the guest runs (pre-copy) sends data that one without cannot load, and the other way
    /// round the guest is paused for longer than planned. Peer-to-peer support decides whether several devices can move
    /// together.
    /// # Check by hand
    /// cat /sys/kernel/debug/vfio/ADDRESS/migration/features as root (Linux 6.18).
    /// # Fix
    /// The same driver and firmware on both hosts.
    "migration-flags": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (show(device.pair.source), show(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    vec![
        judge(
            pair::flags(&device.pair),
            || format!("the flags differ: {s} and {d}"),
            || format!("the migration flags of {address} or {target} are not known"),
        )
        .facts(&s, &d),
    ]
}

fn show(device: &Device) -> String {
    device.migration.flags.as_ref().map_or("unknown".to_owned(), |flags| flags.join(","))
}
