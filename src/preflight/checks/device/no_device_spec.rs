//! No device_spec of the destination matches the device, or not.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "no-device-spec",
        severity: Severity::Error,
        summary: "no device_spec of the destination matches the device",
        page: "Nova manages only devices that an entry of [pci] device_spec matches; the first that matches \
               decides.\n\nBy hand: pvm inventory DST --all, column DECLARED.\n\nRemedy: add an entry to \
               device_spec and restart nova-compute.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    vec![if device.held.missed == Some("no-device-spec") {
        Verdict::fail(format!(
            "no device_spec of the destination matches the device: {}",
            device.pair.destination.address
        ))
        .remedy("add an entry to device_spec and restart nova-compute.")
    } else {
        Verdict::pass()
    }]
}
