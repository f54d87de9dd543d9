//! Nobody switched migration off.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "migration-disabled",
        severity: Severity::Error,
        summary: "migration is switched off for a device by an override",
        page: "A qemu:override with enable-migration=off (or an argument that says so) makes the device block every \
               migration.\n\nBy hand: virsh dumpxml DOMAIN, element qemu:override.\n\nRemedy: remove the property and \
               restart the guest.",
    },
    Run::Instance(run),
)
.rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let off = |value: &str| matches!(value, "off" | "false" | "no");
    let by_override = instance.guest.overrides.iter().find(|(_, name, value)| name == "enable-migration" && off(value));
    let by_argument = instance.guest.qemu_args.iter().any(|arg| arg.contains("enable-migration=off"));
    vec![match by_override {
        Some((alias, _, _)) => Verdict::fail(format!("enable-migration is off for {alias}")),
        None if by_argument => Verdict::fail("enable-migration is off in an argument of QEMU"),
        None => Verdict::pass(),
    }]
}
