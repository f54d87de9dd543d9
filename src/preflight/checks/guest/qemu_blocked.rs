//! QEMU lets the guest migrate.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "qemu-blocked",
        severity: Severity::Error,
        summary: "QEMU says that the guest cannot migrate",
        page: "The running QEMU knows every reason why it cannot migrate, and tells them without any effect: a device \
               without migration, several devices without peer-to-peer, a vIOMMU, ... libvirt asks the same.\n\nBy \
               hand: virsh qemu-monitor-command DOMAIN '{\"execute\": \"query-migrate\"}', blocked-reasons.\n\nRemedy: \
               remove the reason; most need a restart of the guest.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    if !instance.domain.is_active() {
        return Vec::new();
    }
    match &instance.domain.blocked_reasons {
        Some(reasons) if reasons.is_empty() => vec![Verdict::pass()],
        Some(reasons) => reasons.iter().map(|reason| Verdict::fail(format!("QEMU: {reason}"))).collect(),
        None => vec![
            Verdict::unknown("QEMU was not asked whether the guest can migrate")
                .remedy("virsh qemu-monitor-command DOMAIN '{\"execute\": \"query-migrate\"}'"),
        ],
    }
}
