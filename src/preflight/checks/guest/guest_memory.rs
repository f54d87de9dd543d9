//! The destination has the memory.

use super::prelude::*;

check! {
    /// The destination has too little free memory.
    ///
    /// # Meaning
    /// With VFIO devices all of the guest's memory is pinned when it starts on the destination, on the NUMA nodes it is
    /// bound to.
    /// # Check by hand
    /// virsh -c URI freecell --all.
    /// # Fix
    /// Move or stop another guest.
    "guest-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(wanted) = instance.guest.memory else { return Vec::new() };
    if !instance.guest.hugepages.is_empty() {
        return Vec::new();
    }
    let host = instance.destination();
    let nodes = &instance.guest.nodes;
    let cells = host.numa_cells.iter().flatten().filter(|cell| nodes.contains(&cell.id));
    let free =
        if nodes.is_empty() { host.memory_free } else { cells.map(|cell| cell.memory_free).sum::<Option<u64>>() };
    let Some(free) = free else { return vec![missing(host, "memory_free", "its free memory")] };
    let exists = nodes.is_empty() || free > 0;
    let limit = host.guest_limits.as_ref().and_then(|limits| limits.memory).filter(|limit| *limit < wanted);
    let all_at_once = instance.has_vfio() || instance.guest.preallocated;
    vec![
        if let Some(limit) = limit {
            let verdict = Verdict::fail(format!(
                "the control group of guests on {} is limited to {}, the guest needs {}",
                name(host),
                bytes(limit),
                bytes(wanted)
            ));
            if all_at_once { verdict } else { verdict.weighing(Severity::Warning) }
        } else if !exists {
            // That the node is missing is said elsewhere.
            Verdict::pass()
        } else if free < wanted {
            let verdict =
                Verdict::fail(format!("{} has {} free, the guest needs {}", name(host), bytes(free), bytes(wanted)));
            // Without host devices memory is taken as the guest uses it.
            if all_at_once { verdict } else { verdict.weighing(Severity::Warning) }
        } else {
            Verdict::pass()
        }
        .facts(&bytes(wanted), &bytes(free)),
    ]
}
