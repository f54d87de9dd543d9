//! No whole physical function.

use super::prelude::*;
use crate::plan::codes::PHYSICAL_FUNCTION;

check! {
    /// The guest holds a whole physical function, which cannot move with its state.
    ///
    /// # Meaning
    /// VFIO variant drivers serve virtual functions. A PF has none: it never migrates with its state, whatever is bound,
    /// declared or configured, so that no other check of the device is made.
    /// # Check by hand
    /// ls -d /sys/bus/pci/devices/ADDRESS/physfn: it exists for a virtual function only.
    /// # Fix
    /// Give the guest a VF of it at its next start; or unplug the PF before the migration and plug in another one
    /// afterwards, which pvm does for a network port (--replug ADDRESS); or migrate the guest when it is shut off.
    PHYSICAL_FUNCTION: Error, Device(run), never_ignored
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.is_whole() {
        return Vec::new();
    }
    let address = device.held.address;
    let way = if pair::is_network(device.pair.source) {
        format!("a VF of it at the guest's next start, or pvm migrate --replug {address}")
    } else {
        format!("a VF of it at the guest's next start, or unplug {address} before the migration")
    };
    vec![
        Verdict::fail(format!("{address} is a whole PF: it has no variant driver and never moves with its state"))
            .remedy(way),
    ]
}
