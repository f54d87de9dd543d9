//! TLS where it is demanded.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "migration-tls",
        severity: Severity::Warning,
        summary: "the destination takes only encrypted migrations",
        page: "With migrate_tls_force in qemu.conf the destination refuses migrations without TLS; QEMU on both hosts \
               then needs certificates.\n\nBy hand: grep migrate_tls_force /etc/libvirt/qemu.conf; ls \
               /etc/pki/qemu.\n\nRemedy: pvm migrate --tls, with certificates in /etc/pki/qemu on both hosts.",
    },
    Run::Hosts(run),
)
.rechecked();

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let (s, d) = (&hosts.source.host.migration, &hosts.destination.host.migration);
    if d.tls_force != Some(true) {
        return vec![Verdict::pass()];
    }
    let host = name(&hosts.destination.host);
    let verdict = if s.tls == Some(false) || d.tls == Some(false) {
        Verdict::fail(format!("{host} demands TLS and a host has no certificates for QEMU"))
            .weighing(Severity::Error)
            .remedy("put ca-cert.pem, server-cert.pem and client-cert.pem with their keys into /etc/pki/qemu")
    } else {
        Verdict::fail(format!("{host} demands TLS")).remedy("pvm migrate --tls")
    };
    vec![verdict]
}
