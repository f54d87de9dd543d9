//! The pinned CPUs exist.

use super::prelude::*;

check! {
    /// The destination lacks CPUs the guest is pinned to.
    ///
    /// # Meaning
    /// CPU pinning is carried over as it is written: CPUs of the destination by the same numbers ("cannot set CPU
    /// affinity").
    /// # Check by hand
    /// lscpu --extended.
    /// # Fix
    /// virsh vcpupin before the migration, or a destination with the same CPUs.
    "pinned-cpus": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let cpus = &instance.guest.cpus;
    if cpus.is_empty() {
        return Vec::new();
    }
    let host = instance.destination();
    let Some(cells) = &host.numa_cells else { return vec![missing(host, "numa_cells", "its CPUs")] };
    let lacking: Vec<String> =
        cpus.iter().filter(|cpu| !cells.iter().any(|cell| cell.cpus.contains(cpu))).map(u32::to_string).collect();
    vec![if lacking.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{} has no CPU {}", name(host), lacking.join(", ")))
    }]
}
