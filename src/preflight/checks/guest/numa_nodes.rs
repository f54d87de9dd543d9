//! The NUMA nodes exist.

use super::prelude::*;

check! {
    /// The destination lacks NUMA nodes the guest is bound to.
    ///
    /// # Meaning
    /// Memory binding is carried over as it is written: nodes of the destination by the same numbers.
    /// # Check by hand
    /// numactl --hardware.
    /// # Fix
    /// Change numatune at the next start, or a destination with the same nodes.
    "numa-nodes": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let nodes = &instance.guest.nodes;
    if nodes.is_empty() {
        return Vec::new();
    }
    let host = instance.destination();
    let Some(cells) = &host.numa_cells else { return vec![missing(host, "numa_cells", "its NUMA nodes")] };
    let lacking: Vec<String> =
        nodes.iter().filter(|node| !cells.iter().any(|cell| cell.id == **node)).map(u32::to_string).collect();
    vec![if lacking.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{} has no NUMA node {}", name(host), lacking.join(", ")))
    }]
}
