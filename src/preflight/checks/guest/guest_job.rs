//! No other job.

use super::prelude::*;

check! {
    /// A job of libvirt is running on the guest.
    ///
    /// # Meaning
    /// A domain has one job at a time: another migration, a dump, a backup or a block job keeps it.
    /// # Check by hand
    /// virsh domjobinfo DOMAIN; virsh blockjob DOMAIN DISK.
    /// # Fix
    /// Wait for it, or virsh domjobabort DOMAIN.
    "guest-job": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.domain.job.as_deref() {
        Some("none") => Verdict::pass(),
        Some(job) => Verdict::fail(format!("the job {job} is running on the guest")),
        None => Verdict::unknown("whether a job is running on the guest is not known"),
    }]
}
