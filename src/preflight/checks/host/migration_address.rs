//! The address the destination advertises can be reached.

use super::prelude::*;
use crate::model::snapshot::Host;

check! {
    /// The source cannot use the address that the destination advertises.
    ///
    /// # Meaning
    /// Without a migration URI the destination tells the source its own host name. "localhost" and 127.0.0.0/8 lead the
    /// source to itself: libvirt refuses ("migration requires an FQDN"), or the guest is sent to the wrong host. A name has
    /// to mean the destination on the source, where pvm looks it up if it can.
    /// # Check by hand
    /// hostname --fqdn on the destination, getent ahosts NAME on both hosts.
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
    let listens = endpoint.listen.as_deref().filter(|address| is_elsewhere(host, address));
    let verdict = if let Some(address) = listens {
        Verdict::fail(format!("QEMU on {} listens on {address} for migrations, which is no address of it", name(host)))
            .remedy(format!("migration_address = \"::\" in qemu.conf of {}", name(host)))
    } else if local || bare.is_empty() {
        Verdict::fail(format!("{} advertises {address} for migrations", name(host)))
            .remedy("migrate_uri: tcp://ADDRESS for this host in pvm.yaml, or migration_host in its qemu.conf")
    } else if let Some(Attempt { to, works: Some(false), why }) = looked_up(host) {
        let source = name(&hosts.source.host);
        Verdict::fail(format!("{source} does not know {to}, the address of {} for migrations: {why}", name(host)))
            .remedy(format!("{}, or migrate_uri for it in pvm.yaml", entry(host, to, &source)))
    } else {
        Verdict::pass()
    };
    vec![verdict.facts(&"", &address)]
}

/// Whether QEMU cannot listen there.
fn is_elsewhere(host: &Host, address: &str) -> bool {
    let ip = address.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let bound = ip.ok().filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).map(|ip| ip.to_string());
    bound.is_some_and(|ip| host.addresses.as_ref().is_some_and(|own| !own.contains(&ip)))
}

fn looked_up(host: &Host) -> Option<&Attempt> {
    host.reach.as_ref()?.name.as_ref()
}

/// The line that makes a name known, where the host has one address that it can mean.
fn entry(host: &Host, wanted: &str, source: &str) -> String {
    let own = |address: &&String| !is_loopback(address) && !address.starts_with("fe80:");
    let addresses: Vec<&String> = host.addresses.iter().flatten().filter(own).collect();
    match addresses[..] {
        [one] => format!("'{one} {wanted}' in /etc/hosts of {source}"),
        _ => format!("a record of {wanted} that {source} finds"),
    }
}
