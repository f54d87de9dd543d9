//! devlink lets the VF migrate.

use super::prelude::*;
use crate::model::rebind;

check! {
    /// devlink says that the VF must not migrate.
    ///
    /// # Meaning
    /// mlx5 in switchdev mode: the port function of a VF has an attribute migratable, off by default. The driver reads
    /// it once, when it is bound.
    /// # Check by hand
    /// devlink port show; look for migratable in the function of the VF.
    /// # Fix
    /// Unbind the VF, devlink port function set pci/PF/PORT migratable enable, bind it again.
    "devlink-migratable": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let mut verdicts = Vec::new();
    let both =
        [(device.pair.source, device.instance.source()), (device.pair.destination, device.instance.destination())];
    for (device, host) in both {
        if device.devlink.as_ref().is_some_and(|devlink| devlink.migratable == Some(false)) {
            verdicts.push(
                Verdict::fail(format!("devlink on {} has migratable off for {}", name(host), device.address))
                    .remedy(commands_on(host, &rebind::make_migratable(device))),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
