//! A guest that uses iommufd still does on the destination.

use super::prelude::*;
use crate::plan::instance::Held;

/// The first libvirt that hands a device to QEMU through iommufd (its NEWS).
const FLOOR: (u64, u64, u64) = (12, 1, 0);

check! {
    /// The guest's devices lose iommufd on the destination.
    ///
    /// # Meaning
    /// A libvirt before 12.1 reads neither <driver iommufd='yes'/> nor <iommufd enabled='yes'/> and says nothing: it opens
    /// the device by its group, and the guest arrives without what iommufd is for, which is dirty tracking by the IOMMU
    /// (then the guest cannot move on from there) and more than 8 TiB of memory.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, and virsh -c URI version --daemon on the destination.
    /// # Fix
    /// Libvirt 12.1 on the destination, or a guest without iommufd.
    "iommufd-guest": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut uses = instance.plan.held.iter().filter(|held| held.hostdev.iommufd).peekable();
    if uses.peek().is_none() {
        return Vec::new();
    }
    let tracks = |held: &Held<'_>| {
        let device = instance.hosts.source.device(held.address);
        device.is_some_and(|device| device.migration.dirty_tracking.as_deref() == Some("iommu"))
    };
    let there = instance.destination();
    vec![match there.libvirt.as_deref().map(|text| (text, version(text))) {
        Some((libvirt, Some(has))) if has < FLOOR => {
            let verdict =
                Verdict::fail(format!("the guest uses iommufd, which libvirt {libvirt} on {} ignores", name(there)))
                    .remedy(format!("upgrade libvirt on {} to 12.1", name(there)));
            if uses.any(tracks) { verdict.weighing(Severity::Error) } else { verdict }
        }
        Some((_, Some(_))) if there.iommufd == Some(false) => {
            Verdict::unknown(format!("the guest uses iommufd, and {} has none loaded", name(there)))
                .remedy(format!("modprobe iommufd on {}", name(there)))
        }
        Some((_, Some(_))) => Verdict::pass(),
        _ => missing(there, "libvirt", "its libvirt version"),
    }]
}
