//! Memory within the bitmap of VFIO.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "large-memory",
        severity: Severity::Error,
        summary: "the guest has more memory than dirty tracking of VFIO type1 covers",
        page: "Newer QEMU blocks the migration of guests above about 8 TiB without iommufd (\"large memory VM\").\n\nBy \
               hand: virsh dominfo DOMAIN.\n\nRemedy: iommufd for the devices (libvirt 12.1).",
    },
    Run::Instance(run),
).rechecked();

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(memory) = instance.guest.memory.filter(|_| instance.has_vfio()) else { return Vec::new() };
    vec![if memory > 8 << 40 { Verdict::fail(format!("the guest has {}", bytes(memory))) } else { Verdict::pass() }]
}
