//! The secrets that the guest's disks need are there.

use super::prelude::*;

check! {
    /// The destination's libvirt lacks a secret of the guest.
    ///
    /// # Meaning
    /// Encrypted disks, Ceph and iSCSI disks and encrypted TPM states name a secret by UUID or usage; libvirt on the
    /// destination looks it up in its own store ("Secret not found").
    /// # Check by hand
    /// virsh -c URI secret-list.
    /// # Fix
    /// virsh -c URI secret-define FILE and virsh -c URI secret-set-value UUID --file VALUE.
    "secrets": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (host, wanted) = (instance.destination(), &instance.guest.secrets);
    if wanted.is_empty() {
        return Vec::new();
    }
    let Some(there) = &host.secrets else { return vec![missing(host, "secrets", "its secrets")] };
    let lacking: Vec<_> = wanted.iter().filter(|secret| !there.contains(secret)).map(String::as_str).collect();
    vec![if lacking.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("libvirt of {} lacks the secret {}", name(host), lacking.join(", ")))
    }]
}
