//! No shared directories.

use super::prelude::*;

check! {
    /// The guest shares directories with the host.
    ///
    /// # Meaning
    /// Virtiofs holds state of the host that QEMU cannot move. A 9p directory is in the way only while the guest has it
    /// mounted, and must be on the destination as well.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element filesystem.
    /// # Fix
    /// Unmount it in the guest and detach it.
    "shared-directory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let guest = instance.guest;
    let (virtiofs, others): (Vec<_>, Vec<_>) = guest.filesystems.iter().partition(|driver| *driver == "virtiofs");
    vec![if !virtiofs.is_empty() {
        Verdict::fail("the guest shares a directory by virtiofs")
    } else if others.is_empty() {
        Verdict::pass()
    } else {
        // QEMU forbids it from the moment at which the guest mounts one, and says so among its reasons.
        Verdict::fail(format!("shared directories: {}; the guest must not have them mounted", others.len()))
            .weighing(Severity::Warning)
    }]
}
