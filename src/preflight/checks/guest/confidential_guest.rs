//! The guest's memory can be read.

use super::prelude::*;

check! {
    /// The guest is confidential.
    ///
    /// # Meaning
    /// Memory of SEV, SNP and TDX guests is encrypted for one machine; QEMU cannot send it.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element launchSecurity.
    /// # Fix
    /// Nothing helps: such a guest stays where it is.
    "confidential-guest": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match &instance.guest.launch_security {
        Some(kind) => Verdict::fail(format!("the guest is confidential ({kind})")),
        None => Verdict::pass(),
    }]
}
