//! libvirt finds the variant driver.

use super::prelude::*;
use crate::model::vfio_drivers;

check! {
    /// The destination's libvirt would bind plain vfio-pci.
    ///
    /// # Meaning
    /// With managed='yes' libvirt binds the best match of modules.alias when the guest starts. Where the module is
    /// missing (the option is off in many distributions) or built in, it silently takes plain vfio-pci, and the
    /// migration fails for want of a section.
    /// # Check by hand
    /// grep vfio_pci: /lib/modules/$(uname -r)/modules.alias | grep the device's modalias.
    /// # Fix
    /// Install the module (linux-modules-extra or a kernel with CONFIG_MLX5_VFIO_PCI and the like), or force it with
    /// <driver model='...'/>.
    "driver-available": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let target = device.pair.destination;
    let managed = crate::plan::map::managed_tag(target).or(device.held.hostdev.managed).unwrap_or(false);
    if !device.migrates() || !managed {
        return Vec::new();
    }
    let Some(wanted) = pair::effective_driver(device.pair.source) else { return Vec::new() };
    let host = device.instance.destination();
    if let Some(model) = &device.held.hostdev.driver_model {
        if pair::same_module(model, &wanted) {
            return Vec::new();
        }
        let message =
            format!("the guest's <driver model='{model}'/> has libvirt bind that on {}, not {wanted}", name(host));
        return vec![Verdict::fail(message).remedy(format!("remove it, or write {wanted}, at the guest's next start"))];
    }
    let verdict = match target.candidate_driver.as_deref() {
        Some(candidate) if pair::same_module(candidate, &wanted) => Verdict::pass(),
        Some(candidate) => {
            Verdict::fail(format!("{} would bind {} to {candidate}, not {wanted}", name(host), target.address)).remedy(
                match host.kernel.as_deref().and_then(vfio_drivers::distribution_without) {
                    Some(stock) => format!("on {}: {}", name(host), stock.sentence()),
                    None => format!("install the module {wanted} on {}", name(host)),
                },
            )
        }
        None => Verdict::unknown(format!("which driver {} would bind {} to is not known", name(host), target.address)),
    };
    vec![verdict.facts(&wanted, &target.candidate_driver.as_deref().unwrap_or("unknown"))]
}
