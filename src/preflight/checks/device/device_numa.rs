//! The device's NUMA node and the guest's.

use super::prelude::*;

check! {
    /// The destination's device is not on the guest's NUMA nodes.
    ///
    /// # Meaning
    /// The guest's memory is bound to NUMA nodes (numatune, vcpupin). A device on another node works, but each of its
    /// transfers crosses the interconnect.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/numa_node.
    /// # Fix
    /// Free a device on the guest's nodes, or ask for numa_policy required in the alias.
    "device-numa": Info, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let nodes = &device.instance.plan.nodes;
    if nodes.is_empty() {
        return Vec::new();
    }
    let word = |node: Option<u32>| node.map_or("none".to_owned(), |node| node.to_string());
    let target = device.pair.destination;
    let verdict = match target.numa_node {
        Some(node) if nodes.contains(&node) => Verdict::pass(),
        node => Verdict::fail(format!(
            "{} is on NUMA node {}, the guest uses {}",
            target.address,
            word(node),
            nodes.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
        )),
    };
    vec![verdict.facts(&word(device.pair.source.numa_node), &word(target.numa_node))]
}
