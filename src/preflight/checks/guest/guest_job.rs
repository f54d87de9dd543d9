//! No other job.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "guest-job",
        severity: Severity::Error,
        summary: "a job of libvirt is running on the guest",
        page: "A domain has one job at a time: another migration, a dump, a backup or a block job keeps it.\n\nBy hand: \
               virsh domjobinfo DOMAIN; virsh blockjob DOMAIN DISK.\n\nRemedy: wait for it, or virsh domjobabort \
               DOMAIN.",
    },
    Run::Instance(run),
).rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.domain.job.as_deref() {
        Some("none") => Verdict::pass(),
        Some(job) => Verdict::fail(format!("the job {job} is running on the guest")),
        None => Verdict::unknown("whether a job is running on the guest is not known"),
    }]
}
