//! Versions of libvirt with known faults.

use super::prelude::*;

check! {
    /// A libvirt version with a fault in migrations of this kind.
    ///
    /// # Meaning
    /// libvirt 12.1.0 crashes when a host device interface is attached (fixed in 12.2.0). libvirt 11.2 to 11.9 with
    /// QEMU 10 can refuse a guest with "guest CPU doesn't match specification: extra features: ht".
    /// # Check by hand
    /// virsh -c URI version --daemon.
    /// # Fix
    /// Upgrade libvirt on the host named.
    "libvirt-known-bugs": Warning, VfioHosts(run)
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for host in [&hosts.source.host, &hosts.destination.host] {
        let Some(libvirt) = host.libvirt.as_deref() else { continue };
        if version(libvirt) == Some((12, 1, 0)) {
            verdicts.push(
                Verdict::fail(format!("libvirt {libvirt} on {} crashes when a VF is attached", name(host)))
                    .remedy(format!("upgrade libvirt on {} to 12.2.0", name(host))),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
