//! The NUMA policy of the request forbids the device, or not.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "numa-policy",
        severity: Severity::Error,
        summary: "the NUMA policy of the request forbids the device",
        page: "With numa_policy required only devices on the guest's NUMA nodes count, with legacy those and devices of \
               no node, with socket those of the same socket.\n\nBy hand: cat \
               /sys/bus/pci/devices/ADDRESS/numa_node.\n\nRemedy: free a device on the guest's nodes, or another policy \
               in the alias or flavor.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("numa-policy") {
        Verdict::fail(format!("the NUMA policy of the request forbids the device: {}", device.pair.destination.address))
            .remedy("free a device on the guest's nodes, or another policy in the alias or flavor.")
    } else {
        Verdict::pass()
    }]
}
