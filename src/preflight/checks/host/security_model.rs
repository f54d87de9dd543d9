//! One security driver.

use super::prelude::*;

check! {
    /// The hosts confine guests with different security drivers.
    ///
    /// # Meaning
    /// SELinux or AppArmor on the destination may keep QEMU from /dev/vfio, where the source let it.
    /// # Check by hand
    /// virsh -c URI capabilities, element host/secmodel.
    /// # Fix
    /// The same security_driver in qemu.conf, with a policy that knows the variant driver.
    "security-model": Warning, Hosts(run), rechecked
}

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "security_model", "security driver", |host| host.security_model.as_deref())
}
