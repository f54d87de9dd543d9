//! TLS where it is demanded.

use super::prelude::*;

check! {
    /// A host makes or takes only encrypted migrations.
    ///
    /// # Meaning
    /// With migrate_tls_force in qemu.conf a host refuses migrations without TLS, in either direction; QEMU on both
    /// hosts then needs certificates.
    /// # Check by hand
    /// grep migrate_tls_force /etc/libvirt/qemu.conf; ls /etc/pki/qemu.
    /// # Fix
    /// pvm migrate --tls, with certificates in /etc/pki/qemu on both hosts.
    "migration-tls": Warning, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = (&hosts.source.host.migration, &hosts.destination.host.migration);
    let demanding = [&hosts.destination.host, &hosts.source.host];
    let Some(host) = demanding.into_iter().find(|host| host.migration.tls_force == Some(true)).map(name) else {
        return vec![Verdict::pass()];
    };
    let verdict = if s.tls == Some(false) || d.tls == Some(false) {
        Verdict::fail(format!("{host} demands TLS and a host has no certificates for QEMU"))
            .weighing(Severity::Error)
            .remedy("put ca-cert.pem, server-cert.pem and client-cert.pem with their keys into /etc/pki/qemu")
    } else {
        Verdict::fail(format!("{host} demands TLS")).remedy("pvm migrate --tls")
    };
    vec![verdict]
}
