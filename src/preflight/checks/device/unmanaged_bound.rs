//! An unmanaged device is bound already.

use super::prelude::*;
use crate::model::rebind;

check! {
    /// An unmanaged device is not bound to a VFIO driver on the destination.
    ///
    /// # Meaning
    /// With managed='no' libvirt binds nothing: a device that is not bound to a VFIO driver is refused ("must be
    /// manually detached from the host").
    /// # Check by hand
    /// readlink /sys/bus/pci/devices/ADDRESS/driver.
    /// # Fix
    /// driverctl set-override ADDRESS DRIVER, or "managed": "yes" in the destination's device_spec.
    "unmanaged-bound": Error, Device(run), rechecked
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let managed = crate::plan::map::managed_tag(target).or(device.held.hostdev.managed).unwrap_or(false);
    if managed {
        return Vec::new();
    }
    let bound = target.has_variant_driver()
        || target.vfio_dev.is_some()
        || target.driver.as_deref().is_some_and(|driver| pair::same_module(driver, "vfio-pci"));
    let verdict = if bound {
        Verdict::pass()
    } else {
        Verdict::fail(format!(
            "{} is unmanaged and bound to {}",
            target.address,
            target.driver.as_deref().unwrap_or("no driver")
        ))
        .remedy(match (target.driver.as_deref(), target.candidate_driver.as_deref()) {
            // A VF of a GPU belongs to the vendor's driver, which hands it to VFIO itself.
            (Some("nvidia"), _) => format!("set a vGPU type for {}, as pvm inventory says there", target.address),
            (_, Some(driver)) => commands_on(device.instance.destination(), &rebind::bind(target, driver)),
            (_, None) => format!("modinfo -F alias the driver that {} needs, and bind it", target.address),
        })
    };
    vec![verdict]
}
