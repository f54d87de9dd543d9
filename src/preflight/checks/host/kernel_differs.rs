//! Kernels of one major version.

use super::prelude::*;

check! {
    /// The kernels of the hosts are of different major versions.
    ///
    /// # Meaning
    /// The format of a device's state belongs to the variant driver in the kernel. Drivers keep it compatible only as
    /// far as their authors say so.
    /// # Check by hand
    /// uname -r on both hosts.
    /// # Fix
    /// The same kernel series on both hosts.
    "kernel-differs": Warning, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = match both(hosts, "kernel", "its kernel version", |host| host.kernel.as_deref()) {
        Ok(kernels) => kernels,
        Err(unknown) => return unknown,
    };
    let verdict = match (version(s), version(d)) {
        (Some(a), Some(b)) if a.0 == b.0 => Verdict::pass(),
        _ => Verdict::fail(format!("the kernels differ: {s} and {d}")),
    };
    vec![verdict.facts(&s, &d)]
}
