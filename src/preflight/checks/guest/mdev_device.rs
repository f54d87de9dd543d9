//! No mediated devices.

use super::prelude::*;
use crate::model::snapshot::HostdevKind;

check! {
    /// The guest holds mediated devices, which pvm does not create.
    ///
    /// # Meaning
    /// A mediated device (older vGPUs) must be created on the destination before; its UUID is part of the guest's
    /// definition, and the state fits only the same type of the same driver release.
    /// # Check by hand
    /// virsh nodedev-list --cap mdev.
    /// # Fix
    /// vGPUs of newer drivers are SR-IOV VFs: use those; or let Nova move the guest.
    "mdev-device": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mdevs = instance.domain.hostdevs.iter().filter(|hostdev| hostdev.kind == HostdevKind::Mdev).count();
    vec![if mdevs == 0 {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the guest holds {mdevs} mediated devices"))
            .remedy("unplug them before the migration and plug in others afterwards; vGPUs that are VFs can move")
    }]
}
