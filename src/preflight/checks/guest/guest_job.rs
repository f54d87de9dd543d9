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
    let guest = quoted(&instance.domain.name);
    let mirrored = instance.guest.disks.iter().find_map(|disk| Some((&disk.target, disk.mirror.as_ref()?)));
    vec![match (instance.domain.job.as_deref(), mirrored) {
        (_, Some((target, job))) => Verdict::fail(format!("the block job {job} is running on disk {target}"))
            .remedy(format!("virsh blockjob {guest} {} --abort, or --pivot once it is ready", quoted(target))),
        (Some("none"), None) => Verdict::pass(),
        (Some(job), None) => Verdict::fail(format!("the job {job} is running on the guest")),
        (None, None) => Verdict::unknown("cannot tell whether a job is running on the guest"),
    }]
}
