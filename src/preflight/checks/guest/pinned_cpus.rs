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
    if let Some(outside) = emulator_outside(instance) {
        return vec![outside];
    }
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

/// libvirt pins the emulator while it is still in the daemon's own group.
fn emulator_outside(instance: &Instance<'_>) -> Option<Verdict> {
    let host = instance.destination();
    let (wanted, own) = (&instance.guest.emulator_cpus, host.guest_limits.as_ref()?.daemon_cpus.as_ref()?);
    let list: Vec<String> = wanted.iter().map(u32::to_string).collect();
    (!wanted.is_empty() && wanted.iter().all(|cpu| !own.contains(cpu))).then(|| {
        let text =
            format!("libvirtd of {} is kept off CPU {}, where the emulator is pinned", name(host), list.join(", "));
        Verdict::fail(text).remedy(format!("AllowedCPUs= of libvirtd.service, or of its slice, on {}", name(host)))
    })
}
