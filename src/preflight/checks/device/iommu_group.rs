//! The IOMMU group can be given away.

use super::prelude::*;
use crate::plan::codes::IOMMU_GROUP;

check! {
    /// The destination's device shares its IOMMU group with devices of the host.
    ///
    /// # Meaning
    /// A group goes to a guest as a whole: every member must be free or bound to a VFIO driver ("group N is not
    /// viable"). Switches without ACS put many devices into one group.
    /// # Check by hand
    /// ls /sys/bus/pci/devices/ADDRESS/iommu_group/devices.
    /// # Fix
    /// Bind the other members to vfio-pci, or move the card to a slot behind ACS.
    IOMMU_GROUP: Error, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    if target.iommu_group.is_none() {
        return vec![match target.why_unknown("iommu_group") {
            Some(why) => Verdict::unknown(format!("the IOMMU group of {} is not known: {why}", target.address)),
            None => Verdict::fail(format!("{} is in no IOMMU group", target.address)),
        }];
    }
    let others = pair::group_in_use(device.instance.hosts.destination, target);
    vec![if others.is_empty() {
        Verdict::pass()
    } else {
        let list: Vec<String> = others.iter().map(ToString::to_string).collect();
        Verdict::fail(format!(
            "{} shares its IOMMU group with {}, which the host uses",
            target.address,
            list.join(", ")
        ))
    }]
}
