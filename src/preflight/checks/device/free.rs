//! Who has the destination's device already: one row for each kind of user.

use super::prelude::*;
use crate::model::snapshot::device::UsedBy;
use crate::plan::codes::{DEVICE_CLAIMED, DEVICE_IN_USE, DEVICE_OPEN, PF_IN_USE};

check! {
    /// A guest of the destination has the device.
    ///
    /// # Meaning
    /// A device belongs to one guest, running or defined: a defined one takes it at its next start. libvirt itself
    /// keeps no reservations.
    /// # Check by hand
    /// virsh dumpxml DOMAIN for each domain, also those that are shut off.
    /// # Fix
    /// Detach it from that guest, or add VFs.
    DEVICE_IN_USE: Error, Device(in_use), rechecked;

    /// Another migration has claimed the device.
    ///
    /// # Meaning
    /// Another pvm on this machine is bringing a guest to this device.
    /// # Check by hand
    /// pvm recover lists migrations.
    /// # Fix
    /// Wait for it, or finish it with pvm recover.
    DEVICE_CLAIMED: Error, Device(claimed);

    /// A process of the destination has the device open.
    ///
    /// # Meaning
    /// A VFIO device can be opened once. Programs such as DPDK or SPDK applications hold it without libvirt knowing:
    /// QEMU then fails with "Device or resource busy".
    /// # Check by hand
    /// fuser /dev/vfio/GROUP.
    /// # Fix
    /// Stop that process.
    DEVICE_OPEN: Error, Device(open), rechecked;

    /// A guest of the destination has the PF itself.
    ///
    /// # Meaning
    /// While a guest holds the PF, its VFs cannot be used.
    /// # Check by hand
    /// virsh dumpxml DOMAIN for each domain of the destination.
    /// # Fix
    /// Detach the PF from that guest.
    PF_IN_USE: Error, Device(pf_in_use)
}

/// Fails if somebody has it.
fn free(users: &[&str], message: &str, remedy: &str) -> Vec<Verdict> {
    vec![if users.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{message} {}", users.join(", "))).remedy(remedy)
    }]
}

fn names(users: &[UsedBy]) -> Vec<&str> {
    users.iter().map(|user| user.name.as_str()).collect()
}

fn in_use(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let Some(users) = &target.used_by else {
        return vec![
            Verdict::unknown(format!("who uses {} is not known", target.address))
                .remedy("take a snapshot of the destination with its domains: libvirt must answer there"),
        ];
    };
    let message = format!("{} belongs to the guest", target.address);
    free(&names(users), &message, "detach it from that guest, or add VFs")
}

fn claimed(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let claims: Vec<&str> = target.claimed_by.iter().map(String::as_str).collect();
    let message = format!("{} is claimed by the migration", target.address);
    free(&claims, &message, "wait for it, or finish it with pvm recover")
}

fn open(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let processes: Vec<&str> = target.open_by.iter().flatten().map(String::as_str).collect();
    free(&processes, &format!("{} is open in", target.address), "stop that process")
}

fn pf_in_use(device: &DevicePair<'_>) -> Vec<Verdict> {
    let Some(pf) = device.pair.destination_pf else { return Vec::new() };
    let users = pf.used_by.as_deref().unwrap_or_default();
    free(&names(users), &format!("the PF {} belongs to the guest", pf.address), "detach the PF from that guest")
}
