//! The pause fits the limit.

use super::prelude::*;
use crate::preflight::estimate;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "transfer-estimate",
        severity: Severity::Warning,
        summary: "the device state needs a longer pause than the default limit",
        page: "QEMU pauses the guest only when it expects the rest to fit the limit (300 ms by default). With more \
               device state than that it copies memory for ever. The estimate takes the network for 10 Gbit/s.\n\nBy \
               hand: virsh domjobinfo DOMAIN during a migration.\n\nRemedy: pvm migrate --max-downtime TIME.",
    },
    Run::Instance(run),
);

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.has_vfio() {
        return Vec::new();
    }
    let Some(estimate) = estimate::estimate(instance.guest, instance.plan) else { return Vec::new() };
    vec![if estimate::device_state(instance.plan).is_none() {
        Verdict::unknown("how much state the devices have is not known").weighing(Severity::Info)
    } else if estimate.downtime_ms > estimate::DEFAULT_DOWNTIME_MS {
        Verdict::fail(format!(
            "the devices' state alone pauses the guest about {} ms, more than the default limit",
            estimate.downtime_ms
        ))
        .remedy(format!("pvm migrate --max-downtime {}ms", estimate.downtime_ms.saturating_mul(2)))
    } else {
        Verdict::pass()
    }]
}
