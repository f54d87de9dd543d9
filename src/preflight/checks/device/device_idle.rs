//! The host itself does not use the device.

use super::prelude::*;

check! {
    /// The host uses the device's network interface.
    ///
    /// # Meaning
    /// A VF that is still bound to its network driver on the destination is taken from the host when the guest starts.
    /// If the interface is up, somebody may be using it: a bond, a bridge, a container.
    /// # Check by hand
    /// ip link show master; ip addr show dev NETDEV.
    /// # Fix
    /// ip link set NETDEV down, or choose other VFs in device_spec.
    "device-idle": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let (Some(netdev), Some("up")) = (&target.netdev, target.link.as_deref()) else { return vec![Verdict::pass()] };
    vec![
        Verdict::fail(format!("{} is {netdev} on {}, and up", target.address, name(device.instance.destination())))
            .remedy(format!("ip link set {} down", quoted(netdev))),
    ]
}
