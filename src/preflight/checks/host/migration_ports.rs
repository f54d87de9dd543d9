//! A port is left for the migration's data.

use super::prelude::*;

check! {
    /// No port of the destination is left for migrations to come in.
    ///
    /// # Meaning
    /// QEMU on the destination listens on a free port of migration_port_min to migration_port_max (qemu.conf; 49152 to
    /// 49215) for each migration. Other guests and programs may have them all ("Unable to find an unused port in range
    /// 'migration'"). Whether a firewall lets the source through to them is not known beforehand.
    /// # Check by hand
    /// ss -ltn on the destination.
    /// # Fix
    /// Another range in qemu.conf, or stop what listens there.
    "migration-ports": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    // Where only libvirt was asked, the attempt shows it, as it does for firewalls.
    let (Some((first, last)), Some(listening)) = (host.migration.ports, &host.listening) else { return Vec::new() };
    let is_free = |port: &u16| !listening.iter().any(|there| there.port() == *port);
    vec![if (first..=last).any(|port| is_free(&port)) {
        Verdict::pass()
    } else {
        Verdict::fail(format!("all ports for migrations to {}, {first} to {last}, are listened on", name(host)))
            .remedy(format!("ss -ltnp 'sport >= {first} and sport <= {last}'"))
    }]
}
