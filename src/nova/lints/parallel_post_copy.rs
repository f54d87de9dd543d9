//! Parallel connections together with post-copy.

use super::{Subject, option_span};
use crate::model::finding::Finding;
use crate::nova::config::options::{PARALLEL_CONNECTIONS, POST_COPY};

lint! {
    /// Parallel connections are used together with post-copy, which QEMU bears from 10.1 on only.
    ///
    /// # Meaning
    /// With live_migration_parallel_connections above 1 and post-copy permitted, a guest whose migration switches to
    /// post-copy under a QEMU older than 10.1 ends shut off on the destination. Nova's documentation says so; nova-compute
    /// does not check it.
    /// # Check by hand
    /// grep -nE 'live_migration_(parallel_connections|permit_post_copy)' FILE; virsh version
    /// # Fix
    /// live_migration_permit_post_copy = false or live_migration_parallel_connections = 1 in [libvirt], or QEMU 10.1 on
    /// every host.
    "parallel-post-copy": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let option = subject.config.options.get("libvirt.live_migration_parallel_connections");
    let Some(connections) = option.and_then(|option| option.value.as_u64()).filter(|count| *count > 1) else { return };
    let Some(span) = option_span(subject, &PARALLEL_CONNECTIONS).filter(|_| subject.config.is_on(&POST_COPY)) else {
        return;
    };
    let qemu = subject.host.and_then(|host| host.host.qemu.as_deref());
    if qemu.and_then(super::versions::numbers).is_some_and(|has| has >= [10, 1, 0]) {
        return;
    }
    let of = qemu.map_or_else(|| "a QEMU older than 10.1".to_owned(), |qemu| format!("QEMU {qemu} of this host"));
    found.push(
        Finding::new(&RULE, format!("{connections} parallel connections and post-copy: {of} loses the guest"))
            .at(span, "with live_migration_permit_post_copy")
            .remedy("live_migration_permit_post_copy = false, or live_migration_parallel_connections = 1"),
    );
}
