//! The destination's libvirt is not older.

use super::prelude::*;

check! {
    /// The destination's libvirt is older than the source's.
    ///
    /// # Meaning
    /// An older libvirt rejects elements of the guest's XML that it does not know, or drops them silently.
    /// # Check by hand
    /// virsh -c URI version --daemon on both hosts.
    /// # Fix
    /// Upgrade the destination first.
    "libvirt-downgrade": Warning, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    not_older(hosts, "libvirt", "libvirt", |host| host.libvirt.as_deref())
}
