//! devname with Placement.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::options::REPORT_IN_PLACEMENT;

lint! {
    /// devname is used while report_in_placement is on, which stops nova-compute.
    ///
    /// # Meaning
    /// Placement's providers are named by address. With [pci] report_in_placement Nova refuses every spec with a
    /// devname when it reports, at start.
    /// # Check by hand
    /// grep -nE "devname|report_in_placement" FILE
    /// # Fix
    /// "address" instead of "devname".
    "placement-devname": Error, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if !subject.config.is_on(&REPORT_IN_PLACEMENT) {
        return;
    }
    for spec in &subject.config.device_specs {
        if let Some(member) = spec.node.get("devname").filter(|m| m.value.truthy()) {
            found.push(
                Finding::new(&RULE, "devname does not work with report_in_placement")
                    .at(member.key.span.to(member.value.span), "give the address instead")
                    .remedy("\"address\" instead; ls -l /sys/class/net on the host shows each interface's")
                    .nova("PlacementPciException", "The 'devname' parameter is not supported in [pci]device_spec when [pci]report_in_placement is enabled"),
            );
        }
    }
}
