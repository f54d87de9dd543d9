//! The expansion ROM.

use super::prelude::*;

check! {
    /// The expansion ROMs differ in size.
    ///
    /// # Meaning
    /// The ROM is part of what the guest sees: another size moves its other registers.
    /// # Check by hand
    /// The file rom in /sys/bus/pci/devices/ADDRESS.
    /// # Fix
    /// The same card and firmware, or <rom bar='off'/> at the next start.
    "rom-size": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let size = |device: &Device| device.rom.unwrap_or(0);
    let (s, d) = (size(device.pair.source), size(device.pair.destination));
    let verdict = if s == d { Verdict::pass() } else { Verdict::fail(format!("the ROMs have {s} and {d} bytes")) };
    vec![verdict.facts(&s, &d)]
}
