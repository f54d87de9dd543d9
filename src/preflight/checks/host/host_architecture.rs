//! One architecture.

use super::prelude::*;

check! {
    /// The hosts have different architectures.
    ///
    /// # Meaning
    /// A guest cannot continue on another kind of CPU.
    /// # Check by hand
    /// uname -m on both hosts.
    /// # Fix
    /// A destination of the same architecture.
    "host-architecture": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "arch", "architecture", |host| host.arch.as_deref())
}
