//! The PF stays with the host.

use super::prelude::*;

check! {
    /// A guest of the destination has the PF itself.
    ///
    /// # Meaning
    /// While a guest holds the PF, its VFs cannot be used.
    /// # Check by hand
    /// virsh dumpxml DOMAIN for each domain of the destination.
    /// # Fix
    /// Detach the PF from that guest.
    "pf-in-use": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let Some(pf) = device.pair.destination_pf else { return Vec::new() };
    let users: Vec<&str> = pf.used_by.iter().flatten().map(|by| by.name.as_str()).collect();
    vec![if users.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the PF {} belongs to the guest {}", pf.address, users.join(", ")))
    }]
}
