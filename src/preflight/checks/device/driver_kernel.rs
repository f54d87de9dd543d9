//! The kernel has what the driver needs.

use super::prelude::*;
use crate::model::snapshot::Supported;
use crate::model::vfio_drivers;

check! {
    /// A kernel is too old for the variant driver's migration.
    ///
    /// # Meaning
    /// Variant drivers learnt to migrate at certain kernel versions: mlx5 and hisi_acc 5.18, pds 6.6, virtio 6.13, qat
    /// 6.10 (generation 6: 6.17, 420xx: 7.1), xe 6.19. mlx5 with more than 4 GiB of state, and NVIDIA's guide, ask for 6.7. Distributions backport
    /// drivers, so a driver that is bound and says yes counts more than its number.
    /// # Check by hand
    /// uname -r on both hosts.
    /// # Fix
    /// A newer kernel on the host named.
    "driver-kernel": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let Some(driver) = pair::effective_driver(device.pair.source) else { return Vec::new() };
    let product = device.pair.source.product_id.map(|id| id.0);
    let known = vfio_drivers::known(&driver).filter(|known| known.migrates);
    let Some(first) = known.and_then(|known| known.first_kernel(product)) else { return Vec::new() };
    let hosts =
        [(device.instance.source(), device.pair.source), (device.instance.destination(), device.pair.destination)];
    let mut verdicts = Vec::new();
    for (host, device) in hosts {
        let Some(kernel) = host.kernel.as_deref() else { continue };
        let has = version(kernel);
        // A backported driver that answers for itself is believed.
        let proved = device.migration.supported == Some(Supported::Yes);
        if has < Some(first) && !proved {
            verdicts.push(Verdict::fail(format!("{driver} does not migrate in kernel {kernel} of {}", name(host))));
        } else if driver == "mlx5_vfio_pci" && has < Some((6, 7, 0)) {
            verdicts.push(
                Verdict::fail(format!("kernel {kernel} of {} is older than 6.7, which {driver} wants", name(host)))
                    .weighing(Severity::Warning),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
