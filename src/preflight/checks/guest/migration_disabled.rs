//! Nobody switched migration off.

use super::prelude::*;

check! {
    /// Migration is switched off for a device by an override.
    ///
    /// # Meaning
    /// A qemu:override with enable-migration=off (or an argument that says so) makes the device block every migration.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element qemu:override.
    /// # Fix
    /// Remove the property and restart the guest.
    "migration-disabled": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let off = |value: &str| matches!(value, "off" | "false" | "no");
    let by_override =
        instance.guest.arguments.overrides.iter().find(|(_, name, value)| name == "enable-migration" && off(value));
    let by_argument = instance.guest.arguments.migration_off;
    vec![match by_override {
        Some((alias, _, _)) => Verdict::fail(format!("enable-migration is off for {alias}")),
        None if by_argument => Verdict::fail("enable-migration is off in an argument of QEMU"),
        None => Verdict::pass(),
    }]
}
