//! The destination has no free device of the port's physical network, or not.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "port-network",
        severity: Severity::Error,
        summary: "the destination has no free device of the port's physical network",
        page: "A port is attached again to a VF of the same physical network.\n\nBy hand: grep physical_network in the \
               device_spec of the destination.\n\nRemedy: add physical_network to the device_spec of VFs on that \
               network.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("port-network") {
        Verdict::fail(format!(
            "the destination has no free device of the port's physical network: {}",
            device.pair.destination.address
        ))
        .remedy("add physical_network to the device_spec of VFs on that network.")
    } else {
        Verdict::pass()
    }]
}
