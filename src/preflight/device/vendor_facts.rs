//! Facts that only one vendor has.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "vendor-facts",
        severity: Severity::Error,
        summary: "facts of the vendor differ (vGPU type, QAT services, queue pairs)",
        page: "Some devices take over only the state of a device that is set up alike: the vGPU type, the services of a \
               QAT device, the queue pairs of a HiSilicon accelerator.\n\nBy hand: NVIDIA: cat \
               /sys/bus/pci/devices/VF/nvidia/current_vgpu_type; QAT: cat \
               /sys/bus/pci/devices/PF/qat/cfg_services.\n\nRemedy: set the destination's device up like the source's.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() || device.pair.source.vendor.is_empty() {
        return Vec::new();
    }
    let (s, d) = (&device.pair.source.vendor, &device.pair.destination.vendor);
    let target = device.pair.destination.address;
    let differing: Vec<String> = s
        .iter()
        .filter(|(key, value)| d.get(*key).is_some_and(|other| other != *value))
        .map(|(key, value)| format!("{key} {value} and {}", d[key]))
        .collect();
    vec![judge(
        pair::vendor(&device.pair),
        || format!("{target} is set up otherwise: {}", differing.join(", ")),
        || format!("the vendor's facts of {target} are not known"),
    )]
}
