//! No memory shared with others.

use super::prelude::*;

check! {
    /// The guest shares memory with other guests.
    ///
    /// # Meaning
    /// A shared-memory device belongs to all its peers; QEMU migrates it only in the role of the master, with its content
    /// and without its peers, which stay on the source.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element shmem.
    /// # Fix
    /// virsh detach-device DOMAIN FILE --live, with the shmem element in FILE.
    "shared-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let named = |master: bool| -> Vec<&str> {
        let these = instance.guest.shmem.iter().filter(|(_, role)| *role == master);
        these.map(|(name, _)| name.as_str()).collect()
    };
    vec![match (&named(false)[..], &named(true)[..]) {
        ([], []) => Verdict::pass(),
        ([], masters) => Verdict::fail(format!("the peers of shared memory {} stay behind", masters.join(", ")))
            .weighing(Severity::Warning),
        (peers, _) => Verdict::fail(format!("shared memory: {}", peers.join(", "))),
    }]
}
