//! pvm reaches the destination's libvirt.

use super::prelude::*;

check! {
    /// pvm cannot connect to the destination's libvirt.
    ///
    /// # Meaning
    /// A migration needs a connection to libvirt of both hosts: to ask who runs the guest, and to clean up after a failure.
    /// The source's daemon opens one as well, as its own user. While there is none, nobody knows whether the guest can move.
    /// # Check by hand
    /// virsh -c URI hostname.
    /// # Fix
    /// Correct the URI in pvm.yaml, the credentials, or the daemon's configuration, as libvirt's message says.
    "libvirt-connection": Error, Hosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    match &host.unconnected {
        Some(why) => vec![Verdict::unknown(format!("{}: {why}", name(host)))],
        None => Vec::new(),
    }
}
