//! What an old machine type lacks.

use super::prelude::*;

check! {
    /// The machine type is older than what the device's state would like.
    ///
    /// # Meaning
    /// Machine types up to 9.2 send device state over one connection only (no multifd), those up to 9.0 also compare
    /// vendor-specific capabilities byte for byte.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, os/type machine.
    /// # Fix
    /// A machine type of 10.0 at the next start of the guest.
    "machine-version": Info, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    let Some(machine) = instance.guest.machine.as_deref() else { return Vec::new() };
    let Some(of) = machine.rsplit('-').next().and_then(version) else { return Vec::new() };
    vec![if of <= (9, 0, u64::MAX) {
        Verdict::fail(format!(
            "{machine}: vendor-specific capabilities must be equal, device state takes one connection"
        ))
    } else if of < (10, 0, 0) {
        Verdict::fail(format!("{machine}: device state takes one connection"))
    } else {
        Verdict::pass()
    }]
}
