//! The address the destination advertises can be reached.

use super::prelude::*;

check! {
    /// The destination advertises an address that only it can reach.
    ///
    /// # Meaning
    /// Without a migration URI the destination tells the source its own host name. "localhost" and 127.0.0.0/8 lead the
    /// source to itself: libvirt refuses ("migration requires an FQDN"), or the guest is sent to the wrong host.
    /// # Check by hand
    /// hostname --fqdn and getent hosts NAME on the destination.
    /// # Fix
    /// migrate_uri in pvm.yaml, migration_host in qemu.conf of the destination, or a host name that resolves to its
    /// real address.
    "migration-address": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    let endpoint = &host.migration;
    let Some(address) = endpoint.address.as_deref().or(endpoint.hostname.as_deref()) else {
        return vec![missing(host, "migration.hostname", "where migrations may come in")];
    };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let local = bare.starts_with("127.") || bare == "::1" || bare == "localhost" || bare.starts_with("localhost.");
    let verdict = if local || bare.is_empty() {
        Verdict::fail(format!("{} advertises {address} for migrations", name(host)))
            .remedy("migrate_uri: tcp://ADDRESS for this host in pvm.yaml, or migration_host in its qemu.conf")
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&"", &address)]
}
