//! No memory shared with others.

use super::prelude::*;

check! {
    /// The guest shares memory with other guests.
    ///
    /// # Meaning
    /// A shared-memory device belongs to all its peers; libvirt migrates only the master role.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element shmem.
    /// # Fix
    /// virsh detach-device DOMAIN FILE --live, with the shmem element in FILE.
    "shared-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let shared = &instance.guest.shmem;
    vec![if shared.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("shared memory: {}", shared.join(", ")))
    }]
}
