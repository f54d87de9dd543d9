//! The PF stays with the host.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "pf-in-use",
        severity: Severity::Error,
        summary: "a guest of the destination has the PF itself",
        page: "While a guest holds the PF, its VFs cannot be used.\n\nBy hand: virsh dumpxml DOMAIN for each domain of \
               the destination.\n\nRemedy: detach the PF from that guest.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let Some(pf) = device.pair.destination_pf else { return Vec::new() };
    let users: Vec<&str> = pf.used_by.iter().flatten().map(|by| by.name.as_str()).collect();
    vec![if users.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the PF {} belongs to the guest {}", pf.address, users.join(", ")))
    }]
}
