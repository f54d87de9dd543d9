//! The same VFIO variant driver.

use super::prelude::*;
use crate::model::rebind::bind;
use crate::model::vfio_drivers;
use crate::plan::codes::VARIANT_DRIVER;

check! {
    /// The destination's device is not bound to the guest's variant driver.
    ///
    /// # Meaning
    /// A device's state has the format of its variant driver (mlx5_vfio_pci, hisi_acc_vfio_pci, ...). Plain vfio-pci
    /// has no state at all: QEMU on the destination then starts without a section for the device, and the migration
    /// dies with "Unknown savevm section or instance '.../vfio' 0".
    /// # Check by hand
    /// readlink /sys/bus/pci/devices/ADDRESS/driver on both hosts. A driver is chosen by driver_override only, never by
    /// its ids.
    /// # Fix
    /// Bind the driver, for example with driverctl set-override ADDRESS DRIVER, or let libvirt do it (managed='yes' and
    /// libvirt 10.0 or newer on both hosts).
    VARIANT_DRIVER: Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let driver = |device: &Device| {
        pair::effective_driver(device).or_else(|| device.driver.clone()).unwrap_or_else(|| "none".to_owned())
    };
    let (s, d) = (driver(device.pair.source), driver(device.pair.destination));
    let (address, target) = (device.held.address, device.pair.destination.address);
    vec![
        Verdict::answer(
            pair::driver(&device.pair),
            || {
                if s == "vfio_pci" {
                    format!("the guest's device {address} has plain vfio-pci, which cannot migrate")
                } else {
                    format!("{target} has the driver {d}, the guest's device {s}")
                }
            },
            || format!("the VFIO driver of {address} or {target} is not known"),
        )
        .facts(&s, &d)
        .remedy(if s == "vfio_pci" {
            rebind(device.pair.source, address)
        } else {
            let host = device.instance.destination();
            match vfio_drivers::known(&s) {
                Some(_) => commands_on(host, &bind(device.pair.destination, &s)),
                None => format!("on {}: {target} needs the driver {s}, as the source has it", name(host)),
            }
        }),
    ]
}

/// What to do about a guest's device without a state: nothing binds a driver that no kernel has.
fn rebind(device: &Device, address: crate::model::pci::PciAddress) -> String {
    let start = |driver: &str| {
        format!(
            "the guest must be started with its device bound to a variant driver: driverctl set-override {address} {driver}"
        )
    };
    if let Some(driver) = device.candidate_driver.as_deref().filter(|driver| !pair::same_module(driver, "vfio-pci")) {
        return start(driver);
    }
    let Some((vendor, product)) = device.vendor_id.zip(device.product_id) else { return start("DRIVER") };
    match vfio_drivers::for_ids(vendor.0, product.0) {
        Some(known) => format!("use a kernel built with {}; {}", known.option, start(known.name)),
        None => format!(
            "{}: unplug {address} before the migration, and plug another one on the destination",
            vfio_drivers::why_none(vendor.0, product.0)
        ),
    }
}
