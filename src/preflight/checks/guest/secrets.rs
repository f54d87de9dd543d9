//! The secrets that the guest's disks need are there.

use super::prelude::*;

check! {
    /// The destination's libvirt lacks a secret of the guest, or its value.
    ///
    /// # Meaning
    /// Encrypted disks, Ceph and iSCSI disks and encrypted TPM states name a secret by UUID or usage; libvirt on the
    /// destination looks it up in its own store ("Secret not found"). A secret can be defined without a value there. pvm never
    /// reads a value: it looks for the file that holds it. A secret that lives in libvirt's memory only (ephemeral) has none.
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
    let of = |wanted: &str| host.secret_values.as_ref().and_then(|values| values.get(wanted)).copied();
    let lacking: Vec<_> = wanted.iter().filter(|secret| !there.contains(secret)).map(String::as_str).collect();
    if !lacking.is_empty() {
        return vec![Verdict::fail(format!("libvirt of {} lacks the secret {}", name(host), lacking.join(", ")))];
    }
    let unsettled = wanted.iter().filter(|secret| of(secret) != Some(true));
    let verdicts: Vec<_> =
        unsettled
            .map(|secret| match (of(secret), &host.secret_values) {
                (Some(_), _) => Verdict::fail(format!("secret {secret} has no value on {}", name(host)))
                    .remedy(format!("virsh secret-set-value {} --file VALUE, on {}", quoted(secret), name(host))),
                (None, Some(_)) => Verdict::unknown(format!(
                    "secret {secret} is in no file of {}: whether libvirt there has its value in memory is not known",
                    name(host)
                )),
                (None, None) => missing(host, "secret_values", "whether its secrets have values"),
            })
            .collect();
    if verdicts.is_empty() { vec![Verdict::pass()] } else { verdicts }
}
