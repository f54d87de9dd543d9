//! The map decides which device is taken.

use super::prelude::*;
use crate::model::snapshot::HostdevKind;

check! {
    /// The destination's network pool would choose the device.
    ///
    /// # Meaning
    /// An interface of type network over a pool of VFs (forward mode hostdev) gets whichever VF the destination's pool
    /// has: pvm cannot choose one that fits.
    /// # Check by hand
    /// virsh net-dumpxml NETWORK.
    /// # Fix
    /// Interfaces of type hostdev.
    "network-pool-device": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let pooled: Vec<&str> = instance
        .domain
        .hostdevs
        .iter()
        .filter(|hostdev| hostdev.kind == HostdevKind::Network)
        .filter_map(|hostdev| hostdev.network.as_deref())
        .collect();
    vec![if pooled.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("devices come from the networks {}", pooled.join(", ")))
    }]
}
