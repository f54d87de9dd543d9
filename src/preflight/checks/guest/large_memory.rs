//! Memory within the bitmap of VFIO.

use super::prelude::*;

check! {
    /// The guest has more memory than dirty tracking of VFIO type1 covers.
    ///
    /// # Meaning
    /// Newer QEMU blocks the migration of guests above about 8 TiB without iommufd ("large memory VM").
    /// # Check by hand
    /// virsh dominfo DOMAIN.
    /// # Fix
    /// Use iommufd for the devices (libvirt 12.1).
    "large-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(memory) = instance.guest.memory.filter(|_| instance.has_vfio()) else { return Vec::new() };
    vec![if memory > 8 << 40 { Verdict::fail(format!("the guest has {}", bytes(memory))) } else { Verdict::pass() }]
}
