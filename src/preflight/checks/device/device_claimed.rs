//! Another migration has claimed the device, or not.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "device-claimed",
        severity: Severity::Error,
        summary: "another migration has claimed the device",
        page: "Another pvm on this machine is bringing a guest to this device.\n\nBy hand: pvm recover lists \
               migrations.\n\nRemedy: wait for it, or finish it with pvm recover.",
    },
    Run::Device(run),
);

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
