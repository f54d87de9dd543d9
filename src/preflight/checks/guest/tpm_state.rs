//! The TPM moves with the guest.

use super::prelude::*;

check! {
    /// The guest's TPM is the host's own.
    ///
    /// # Meaning
    /// A TPM of the host cannot move. An emulated one (swtpm) sends its state with the migration.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element tpm/backend.
    /// # Fix
    /// An emulated TPM.
    "tpm-state": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    vec![match instance.guest.tpm.as_deref() {
        Some("passthrough") => Verdict::fail("the guest has the host's TPM"),
        Some("external") => Verdict::fail("the guest's TPM is run by somebody else, who must move its state")
            .weighing(Severity::Warning),
        _ => Verdict::pass(),
    }]
}
