//! One page size.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "page-size",
        severity: Severity::Error,
        summary: "the hosts have different page sizes",
        page: "Kernels with 4 KiB and 64 KiB pages (arm64) track dirty memory in different units: QEMU refuses the \
               stream, and devices refuse the page size of their dirty log.\n\nBy hand: getconf PAGESIZE on both \
               hosts.\n\nRemedy: a kernel with the same page size.",
    },
    Run::Hosts(run),
);

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    // x86 has one page size, whoever tells it.
    let x86 = |host: &crate::model::snapshot::Host| host.arch.as_deref() == Some("x86_64") && host.page_size.is_none();
    if x86(&hosts.source.host) || x86(&hosts.destination.host) {
        return vec![Verdict::pass()];
    }
    equal(hosts, "page_size", "page size", |host| host.page_size)
}
