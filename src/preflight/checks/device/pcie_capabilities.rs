//! PCI Express capabilities as the guest sees them.

use super::prelude::*;

check! {
    /// The PCI Express capabilities differ.
    ///
    /// # Meaning
    /// Link and device capabilities are part of config space, which QEMU compares at the end of the migration.
    /// # Check by hand
    /// lspci -vv -s ADDRESS, capability Express.
    /// # Fix
    /// The same card in a slot of the same kind.
    "pcie-capabilities": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let (Some(s), Some(d)) = (&device.pair.source.pcie, &device.pair.destination.pcie) else { return Vec::new() };
    let verdict =
        if s == d { Verdict::pass() } else { Verdict::fail(format!("PCI Express capabilities differ: {s} and {d}")) };
    vec![verdict.facts(s, d)]
}
