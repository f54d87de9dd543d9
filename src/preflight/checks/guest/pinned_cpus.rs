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
    let allowed = host.guest_limits.as_ref().and_then(|limits| limits.cpus.as_ref());
    let barred: Vec<String> = allowed
        .map_or(Vec::new(), |allowed| cpus.iter().filter(|cpu| !allowed.contains(cpu)).map(u32::to_string).collect());
    let message = || format!("control groups keep guests of {} off CPU {}", name(host), barred.join(", "));
    vec![if lacking.is_empty() && barred.len() == cpus.len() {
        Verdict::fail(message()).remedy("AllowedCPUs= of the slice machine.slice, or cpuset.cpus of the group")
    } else if lacking.is_empty() && !barred.is_empty() {
        // A thread that has another one besides starts nevertheless.
        Verdict::unknown(message())
    } else if lacking.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{} has no CPU {}", name(host), lacking.join(", ")))
    }]
}
