//! One security driver.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "security-model",
        severity: Severity::Warning,
        summary: "the hosts confine guests with different security drivers",
        page: "SELinux or AppArmor on the destination may keep QEMU from /dev/vfio, where the source let it.\n\nBy \
               hand: virsh -c URI capabilities, element host/secmodel.\n\nRemedy: the same security_driver in \
               qemu.conf, with a policy that knows the variant driver.",
    },
    Run::Hosts(run),
)
.rechecked();

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "security_model", "security driver", |host| host.security_model.as_deref())
}
