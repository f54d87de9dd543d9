//! The destination has the memory.

use super::prelude::*;
use crate::preflight::room::memory;

check! {
    /// The destination has too little free memory.
    ///
    /// # Meaning
    /// With VFIO devices all of the guest's memory is pinned when it starts on the destination, on the NUMA nodes it is
    /// bound to.
    /// # Check by hand
    /// virsh -c URI freecell --all.
    /// # Fix
    /// Move or stop another guest.
    "guest-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (host, whole) = (instance.destination(), instance.guest.memory.unwrap_or(0));
    let (free, trouble) = match memory(instance.guest, host) {
        None => return Vec::new(),
        Some(None) => return vec![missing(host, "memory_free", "its free memory")],
        Some(Some(known)) => known,
    };
    if let Some(verdict) = unmappable(instance, whole) {
        return vec![verdict];
    }
    // Without host devices memory is taken as the guest uses it.
    let all_at_once = instance.has_vfio() || instance.guest.preallocated;
    let verdict = match trouble {
        None => Verdict::pass(),
        Some(why) if all_at_once => Verdict::fail(why),
        Some(why) => Verdict::fail(why).weighing(Severity::Warning),
    };
    vec![verdict.facts(&bytes(whole), &bytes(free))]
}

/// What QEMU maps besides the guest's memory: its program and stacks, and for emulated CPUs the code that it makes.
const OWN: u64 = 256 << 20;
const OWN_EMULATED: u64 = 1280 << 20;

/// A limit of what a process may map, which is below the guest's memory and QEMU itself.
fn unmappable(instance: &Instance<'_>, memory: u64) -> Option<Verdict> {
    let host = instance.destination();
    let limit = host.guest_limits.as_ref()?.address_space?;
    let own = if instance.guest.virt_type == "qemu" { OWN_EMULATED } else { OWN };
    let wanted = memory.saturating_add(own);
    (limit < wanted).then(|| {
        Verdict::fail(format!(
            "libvirt's processes on {} may map {} each, QEMU with this guest needs some {}",
            name(host),
            bytes(limit),
            bytes(wanted)
        ))
        .remedy(format!("LimitAS and LimitDATA of libvirt's service on {}", name(host)))
    })
}
