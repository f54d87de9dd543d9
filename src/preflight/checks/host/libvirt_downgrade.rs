//! The destination's libvirt is not older.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "libvirt-downgrade",
        severity: Severity::Warning,
        summary: "the destination's libvirt is older than the source's",
        page: "An older libvirt rejects elements of the guest's XML that it does not know, or drops them in silence.\n\n\
               By hand: virsh -c URI version --daemon on both hosts.\n\n\
               Remedy: upgrade the destination first.",
    },
    Run::Hosts(run),
)
.rechecked();

fn run(hosts: Hosts<'_>) -> Vec<Verdict> {
    not_older(hosts, "libvirt", "libvirt", |host| host.libvirt.as_deref())
}
