//! Source and destination are two hosts.

use super::prelude::*;

check! {
    /// Source and destination are the same host.
    ///
    /// # Meaning
    /// libvirt tells hosts apart by their UUIDs and refuses to migrate a guest to the host it is on. Cheap and cloned
    /// boards come with the same SMBIOS UUID.
    /// # Check by hand
    /// virsh -c URI capabilities, element host/uuid, on both hosts.
    /// # Fix
    /// Set host_uuid in libvirtd.conf (or virtqemud.conf) of one host and restart the daemon.
    "same-host": Error, Hosts(run), rechecked, never_ignored
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = match both(hosts, "uuid", "its host UUID", |host| host.uuid.as_deref()) {
        Ok(uuids) => uuids,
        Err(unknown) => return unknown,
    };
    let verdict = if s.eq_ignore_ascii_case(d) {
        Verdict::fail(format!("both hosts have the UUID {s}"))
            .remedy("set host_uuid in virtqemud.conf or libvirtd.conf of one host and restart the daemon")
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&s, &d)]
}
