//! The destination's port has a link.

use super::prelude::*;

check! {
    /// The port of the destination's PF is down.
    ///
    /// # Meaning
    /// The guest arrives without a network.
    /// # Check by hand
    /// ip link show dev PF.
    /// # Fix
    /// ip link set PF up; check the cable and the switch.
    "pf-link": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let Some(pf) = device.pair.destination_pf else { return Vec::new() };
    let Some(link) = pf.link.as_deref() else { return Vec::new() };
    let netdev = pf.netdev.as_deref().map_or("the PF".into(), quoted);
    let verdict = if link == "down" {
        Verdict::fail(format!("{netdev} on {} is down", name(device.instance.destination())))
            .remedy(format!("ip link set {netdev} up"))
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&device.pair.source_pf.and_then(|pf| pf.link.as_deref()).unwrap_or("unknown"), &link)]
}
