//! Another migration has claimed the device, or not.

use super::prelude::*;

check! {
    /// Another migration has claimed the device.
    ///
    /// # Meaning
    /// Another pvm on this machine is bringing a guest to this device.
    /// # Check by hand
    /// pvm recover lists migrations.
    /// # Fix
    /// Wait for it, or finish it with pvm recover.
    "device-claimed": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    vec![if target.claimed_by.is_some() {
        let who = target.claimed_by.clone().unwrap_or_default();
        Verdict::fail(format!("{} is claimed by the migration {who}", target.address))
            .remedy("wait for it, or finish it with pvm recover.")
    } else {
        Verdict::pass()
    }]
}
