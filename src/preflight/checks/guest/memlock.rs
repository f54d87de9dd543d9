//! The guest's memory may be locked.

use super::prelude::*;

check! {
    /// The limit of locked memory is too small for the guest.
    ///
    /// # Meaning
    /// All memory of a guest with VFIO devices is locked. libvirt sets the limit to the guest's memory and 1 GiB, or to
    /// hard_limit when that is given: too small a one fails on the destination with "VFIO_MAP_DMA failed: Cannot
    /// allocate memory".
    /// # Check by hand
    /// virsh memtune DOMAIN.
    /// # Fix
    /// virsh memtune DOMAIN --hard-limit SIZE, or without one.
    "memlock": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(memory) = instance.guest.memory.filter(|_| instance.has_vfio()) else { return Vec::new() };
    let needed = memory.saturating_add(1 << 30);
    let mut verdicts = Vec::new();
    if let Some(limit) = instance.guest.hard_limit.filter(|limit| *limit < needed) {
        verdicts.push(Verdict::fail(format!("hard_limit is {}, the guest needs {}", bytes(limit), bytes(needed))));
    }
    if let Some(limit) = instance.destination().memlock.filter(|limit| *limit < needed) {
        verdicts.push(Verdict::fail(format!(
            "{} locks {} at most, the guest needs {}",
            name(instance.destination()),
            bytes(limit),
            bytes(needed)
        )));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
