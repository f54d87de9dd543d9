//! PCI Express capabilities as the guest sees them.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "pcie-capabilities",
        severity: Severity::Warning,
        summary: "the PCI Express capabilities differ",
        page: "Link and device capabilities are part of config space, which QEMU compares at the end of the \
               migration.\n\nBy hand: lspci -vv -s ADDRESS, capability Express.\n\nRemedy: the same card in a slot of \
               the same kind.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (Some(s), Some(d)) = (&device.pair.source.pcie, &device.pair.destination.pcie) else { return Vec::new() };
    let verdict =
        if s == d { Verdict::pass() } else { Verdict::fail(format!("PCI Express capabilities differ: {s} and {d}")) };
    vec![verdict.facts(s, d)]
}
