//! No vDPA devices.

use super::prelude::*;
use crate::model::snapshot::DevType;

check! {
    /// The guest holds vDPA devices.
    ///
    /// # Meaning
    /// A vDPA device has another kind of state than a VFIO device; pvm does not move it.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, interfaces of type vdpa.
    /// # Fix
    /// Detach it, and attach one on the destination afterwards.
    "vdpa-device": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let interfaces = instance.guest.interfaces.iter().filter(|nic| nic.kind == "vdpa").count();
    let devices =
        instance.plan.held.iter().filter(|held| held.device.is_some_and(|d| d.dev_type == DevType::Vdpa)).count();
    vec![if interfaces + devices == 0 {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the guest holds {} vDPA devices", interfaces + devices))
    }]
}
