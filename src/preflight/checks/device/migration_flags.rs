//! The same phases of migration.

use super::prelude::*;
use crate::plan::codes::MIGRATION_FLAGS;

check! {
    /// The devices do not support the same phases of migration.
    ///
    /// # Meaning
    /// A device that streams while the guest runs (pre-copy) sends data that one without cannot load. The other way round
    /// the migration hangs, because the destination waits for initial data that never comes; from QEMU 11.1 with a machine
    /// type of 11.1 on it moves, and the guest is paused for longer. Peer-to-peer support decides whether several devices
    /// can move together.
    /// # Check by hand
    /// cat /sys/kernel/debug/vfio/ADDRESS/migration/features as root (Linux 6.18).
    /// # Fix
    /// The same driver and firmware on both hosts.
    MIGRATION_FLAGS: Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (s, d) = (show(device.pair.source), show(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    let answer = match pair::flags(&device.pair) {
        Answer::Unknown if pair::precopy_alone(&device.pair) => by_machine_type(device),
        answer => answer,
    };
    vec![
        Verdict::answer(
            answer,
            || format!("the phases of migration differ: {s} and {d}"),
            || match &device.instance.guest.machine {
                Some(machine) if pair::precopy_alone(&device.pair) => {
                    format!("only {target} has pre-copy, and whether {machine} does without it is not known")
                }
                _ => format!("the migration flags of {address} or {target} are not known"),
            },
        )
        .facts(&s, &d),
    ]
}

/// Whether the guest's machine type lets the source do without pre-copy.
fn by_machine_type(device: &DevicePair<'_>) -> Answer {
    let machine = device.instance.guest.machine.as_deref();
    match machine.and_then(|machine| pair::source_asks(machine.rsplit('-').next()?)) {
        Some(true) => device.pair.source_asks,
        Some(false) => Answer::No,
        None => Answer::Unknown,
    }
}

fn show(device: &Device) -> String {
    device.migration.flags.as_ref().map_or("unknown".to_owned(), |flags| flags.join(","))
}
