//! Packets fit through the destination's port.

use super::prelude::*;

check! {
    /// The MTU of the destination's PF is smaller.
    ///
    /// # Meaning
    /// A guest that sends packets as large as the source's port took them sends them into a black hole.
    /// # Check by hand
    /// ip link show dev PF on both hosts.
    /// # Fix
    /// ip link set PF mtu SIZE.
    "pf-mtu": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let mtu = |pf: Option<&Device>| pf.and_then(|pf| pf.mtu);
    let (Some(s), Some(d)) = (mtu(device.pair.source_pf), mtu(device.pair.destination_pf)) else { return Vec::new() };
    let netdev = device.pair.destination_pf.and_then(|pf| pf.netdev.as_deref()).unwrap_or("PF");
    let verdict = if d < s {
        Verdict::fail(format!("the MTU of {netdev} is {d}, on the source it is {s}")).remedy(format!(
            "on {}: ip link set {} mtu {s}",
            name(device.instance.destination()),
            quoted(netdev)
        ))
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&s, &d)]
}
