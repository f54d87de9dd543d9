//! The destination has an IOMMU that is on.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "iommu-enabled",
        severity: Severity::Error,
        summary: "the destination has no IOMMU, or it is off",
        page: "Without IOMMU groups no device can be given to a guest.\n\nBy hand: ls \
               /sys/kernel/iommu_groups.\n\nRemedy: switch VT-d, AMD-Vi or SMMU on in the firmware, and with Intel boot \
               with intel_iommu=on.",
    },
    Run::VfioHosts(run),
).rechecked();

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    let host = &hosts.destination.host;
    vec![match host.iommu.enabled {
        Some(true) => Verdict::pass(),
        Some(false) => Verdict::fail(format!("{} has no IOMMU groups", name(host)))
            .remedy("switch the IOMMU on in the firmware; with Intel boot with intel_iommu=on"),
        None => missing(host, "iommu.enabled", "whether its IOMMU is on"),
    }]
}
