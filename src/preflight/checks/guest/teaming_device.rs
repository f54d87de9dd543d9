//! No devices that libvirt unplugs.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "teaming-device",
        severity: Severity::Warning,
        summary: "a device is unplugged for the migration instead of migrated",
        page: "An interface or hostdev with teaming type='transient' is unplugged by QEMU before and plugged again \
               afterwards; its state is lost, and the guest must bond it with the persistent one.\n\nBy hand: virsh \
               dumpxml DOMAIN, element teaming.\n\nRemedy: remove the element, if the device itself can migrate.",
    },
    Run::Instance(run),
);

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let teamed: Vec<String> = instance
        .domain
        .hostdevs
        .iter()
        .filter(|hostdev| hostdev.teaming.as_deref() == Some("transient"))
        .filter_map(|hostdev| hostdev.source.map(|source| source.to_string()))
        .collect();
    vec![if teamed.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("unplugged instead of migrated: {}", teamed.join(", ")))
    }]
}
