//! Memory within the bitmap of VFIO.

use super::prelude::*;
use crate::model::snapshot::Host;

/// The first QEMU that looks at the size of the memory (commit 46c763311419).
const FLOOR: (u64, u64, u64) = (11, 0, 0);

/// What a bitmap of VFIO type1 covers: 2^31 pages of 4 KiB.
const LIMIT: u64 = 8 << 40;

check! {
    /// The guest has more memory than dirty tracking of VFIO type1 covers.
    ///
    /// # Meaning
    /// From QEMU 11.0 on a guest above 8 TiB cannot migrate when neither its device nor the IOMMU through iommufd tracks
    /// dirty pages and enable-migration=on was forced ("large memory VM"). Devices that track their writes themselves
    /// (mlx5, pds, vGPU) and guests that use iommufd are not concerned, nor is an older QEMU.
    /// # Check by hand
    /// virsh dominfo DOMAIN; virsh qemu-monitor-command DOMAIN '{"execute": "query-migrate"}', blocked-reasons.
    /// # Fix
    /// Use iommufd for the devices (libvirt 12.1).
    "large-memory": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(memory) = instance.guest.memory.filter(|_| instance.has_vfio()) else { return Vec::new() };
    let mut forced = instance.plan.held.iter().filter(|held| instance.forces_migration(held)).peekable();
    if memory <= LIMIT || forced.peek().is_none() {
        return vec![Verdict::pass()];
    }
    let tracking: Vec<Option<Tracking>> = forced.map(Tracking::of).collect();
    if tracking.iter().all(|by| matches!(by, Some(Tracking::Device | Tracking::Iommu))) {
        return vec![Verdict::pass()];
    }
    let words = format!("the guest has {}, and nobody tracks the pages that its devices write", bytes(memory));
    let known = tracking.contains(&Some(Tracking::Nobody));
    let blocks = |host: &Host| host.qemu.as_deref().and_then(version).map(|has| has >= FLOOR);
    vec![match (blocks(instance.source()), blocks(instance.destination())) {
        (Some(true), _) if known && !instance.qemu_blocks_nothing() => Verdict::fail(format!(
            "{words}, which QEMU {} refuses",
            instance.source().qemu.as_deref().unwrap_or_default()
        )),
        (_, Some(true)) if known => {
            Verdict::fail(format!("{words}: it could not leave {}", name(instance.destination())))
                .weighing(Severity::Warning)
        }
        _ if instance.qemu_blocks_nothing() => Verdict::pass(),
        (Some(false), Some(false)) => Verdict::pass(),
        (None, _) => missing(instance.source(), "qemu", "its QEMU version"),
        _ if known => missing(instance.destination(), "qemu", "its QEMU version"),
        _ => {
            Verdict::unknown(format!("the guest has {}, and who tracks its devices' pages is not known", bytes(memory)))
        }
    }]
}
