//! One page size.

use super::prelude::*;

check! {
    /// The hosts have different page sizes.
    ///
    /// # Meaning
    /// Kernels with 4 KiB and 64 KiB pages (arm64) track dirty memory in different units: QEMU refuses the stream, and
    /// devices refuse the page size of their dirty log.
    /// # Check by hand
    /// getconf PAGESIZE on both hosts.
    /// # Fix
    /// A kernel with the same page size.
    "page-size": Error, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    // x86 has one page size, whoever tells it.
    let x86 = |host: &crate::model::snapshot::Host| host.arch.as_deref() == Some("x86_64") && host.page_size.is_none();
    if x86(&hosts.source.host) || x86(&hosts.destination.host) {
        return vec![Verdict::pass()];
    }
    equal(hosts, "page_size", "page size", |host| host.page_size)
}
