//! Migrations can come in over TCP.

use super::prelude::*;

check! {
    /// The destination's libvirt offers no tcp transport.
    ///
    /// # Meaning
    /// pvm migrates natively, over a TCP connection between the QEMUs; tunnelling through libvirt would take away the
    /// return path that VFIO devices need.
    /// # Check by hand
    /// virsh -c URI capabilities, element migration_features/uri_transports.
    /// # Fix
    /// A libvirt with its QEMU driver.
    "migration-transport": Error, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    let Some(transports) = &host.migration.transports else {
        return vec![missing(host, "migration.transports", "the transports it offers for migrations")];
    };
    vec![if transports.iter().any(|transport| transport == "tcp") {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{} offers no tcp transport, only {}", name(host), transports.join(", ")))
    }]
}
