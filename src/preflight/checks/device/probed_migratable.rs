//! What the devices themselves answer.

use super::prelude::*;
use crate::model::rebind;
use crate::model::snapshot::Supported;
use crate::plan::codes::PROBED_MIGRATABLE;

check! {
    /// A device reports that it cannot migrate, or was not probed.
    ///
    /// # Meaning
    /// A variant driver's name proves nothing: mlx5 decides at bind whether a VF can migrate (devlink's migratable,
    /// firmware), others need a capable PF driver. Only the device's own answer counts: debugfs (the folder
    /// /sys/kernel/debug/vfio/ADDRESS/migration exists only then), QEMU's blocked reasons for the running guest, or the
    /// VFIO ioctl on a free device.
    /// # Check by hand
    /// ls /sys/kernel/debug/vfio/ADDRESS/ as root (Linux 6.8 or newer with CONFIG_VFIO_DEBUGFS).
    /// # Fix
    /// For mlx5 unbind the VF, devlink port function set pci/PF/PORT migratable enable, bind it again. Where nobody can
    /// be asked: pvm inventory --probe active, which resets a free VF.
    PROBED_MIGRATABLE: Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let word = |device: &Device| match device.migration.supported {
        Some(Supported::Yes) => "yes",
        Some(Supported::No) => "no",
        None => "unknown",
    };
    let (s, d) = (device.pair.source, device.pair.destination);
    let (guilty, host) = if s.migration.supported == Some(Supported::Yes) {
        (d, device.instance.destination())
    } else {
        (s, device.instance.source())
    };
    let why = guilty.why_unknown("migration.supported").or_else(|| guilty.why_unknown("supported"));
    let why = why.map_or(String::new(), |why| format!(": {why}"));
    let refused = pair::probed(&device.pair) == pair::Answer::No;
    vec![
        Verdict::answer(
            pair::probed(&device.pair),
            || format!("a device cannot migrate: source {}, destination {}", word(s), word(d)),
            || format!("{} on {} was not probed for migration support{why}", guilty.address, name(host)),
        )
        .facts(&word(s), &word(d))
        .remedy(if refused && pair::is_mlx5(guilty) {
            commands_on(host, &rebind::make_migratable(guilty))
        } else if refused {
            format!("pvm explain probed-migratable; driver {}", guilty.driver.as_deref().unwrap_or("none"))
        } else {
            format!(
                "on {}: pvm inventory --probe passive as root with debugfs mounted, or --probe active on a free device",
                name(host)
            )
        }),
    ]
}
