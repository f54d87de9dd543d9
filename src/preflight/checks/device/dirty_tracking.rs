//! Somebody tracks what the device writes.

use super::prelude::*;

check! {
    /// Nobody can track the memory that the device writes.
    ///
    /// # Meaning
    /// While the guest runs, QEMU must know which pages a device writes. The device does it (mlx5, pds), or the IOMMU
    /// through iommufd (QEMU 9.1). When neither can, QEMU refuses to migrate unless enable-migration=on is forced, and
    /// then sends all memory while the guest is paused.
    /// # Check by hand
    /// virsh qemu-monitor-command DOMAIN '{"execute": "query-migrate"}', blocked-reasons; features in debugfs.
    /// # Fix
    /// Iommufd with an IOMMU that tracks dirty pages, or <qemu:override> with enable-migration=on for a short guest.
    "dirty-tracking": Error, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let instance = device.instance;
    let forced = instance.forces_migration(device.held);
    let answered = instance.qemu_blocks_nothing();
    let source = device.pair.source;
    let verdict = match source.migration.dirty_tracking.as_deref() {
        Some("none") if !forced => {
            Verdict::fail(format!("neither {} nor its IOMMU tracks dirty pages", source.address))
        }
        Some("iommu") if !forced && !answered && !device.held.hostdev.iommufd => Verdict::fail(format!(
            "the IOMMU of {} tracks dirty pages only for a guest that uses iommufd",
            source.address
        )),
        None if !forced && !answered => {
            Verdict::unknown(format!("who tracks the pages that {} writes is not known", source.address))
        }
        _ => Verdict::pass(),
    };
    let word = |device: &Device| device.migration.dirty_tracking.clone().unwrap_or_else(|| "unknown".to_owned());
    vec![verdict.facts(&word(source), &word(device.pair.destination))]
}
