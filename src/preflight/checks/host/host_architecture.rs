//! One architecture.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "host-architecture",
        severity: Severity::Error,
        summary: "the hosts have different architectures",
        page: "A guest cannot continue on another kind of CPU.\n\nBy hand: uname -m on both hosts.\n\nRemedy: a \
               destination of the same architecture.",
    },
    Run::Hosts(run),
)
.rechecked();

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "arch", "architecture", |host| host.arch.as_deref())
}
