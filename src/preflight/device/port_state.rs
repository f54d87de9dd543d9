//! A port moves with its state only when both specs let it.

use super::prelude::*;
use crate::plan::Role;
use crate::snapshot::Declared;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "port-state",
        severity: Severity::Warning,
        summary: "only one host lets the port move with its state",
        page: "When the device_spec of both hosts says live_migratable: yes and physical_network, a port migrates with \
               its state. When only one does, it is detached before and attached afterwards, which the guest \
               sees.\n\nBy hand: pvm check-config on both hosts.\n\nRemedy: add the missing tag to the other host's \
               device_spec.",
    },
    Run::Device(run),
);

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if device.held.role != Role::Port {
        return Vec::new();
    }
    let lets = |device: &Device| device.declared == Declared::Yes && device.tags.contains_key("physical_network");
    let (s, d) = (lets(device.pair.source), lets(device.pair.destination));
    if s == d {
        return vec![Verdict::pass()];
    }
    let host = if s { device.instance.destination() } else { device.instance.source() };
    let guilty = if s { device.pair.destination } else { device.pair.source };
    let tag = if guilty.declared == Declared::Yes { "physical_network" } else { "live_migratable" };
    vec![
        Verdict::fail(format!("{} on {} lacks {tag}: the port is detached and attached", guilty.address, name(host)))
            .remedy(format!("add {tag} to the device_spec of {}", name(host))),
    ]
}
