//! Facts that only one vendor has.

use serde_json::Value;

use super::prelude::*;
use crate::plan::codes::VENDOR_FACTS;

check! {
    /// Facts of the vendor differ (vGPU type, QAT services, queue pairs).
    ///
    /// # Meaning
    /// Some devices take over only the state of a device that is set up alike: the vGPU type, the services of a QAT
    /// device, the queue pairs of a HiSilicon accelerator. NVIDIA allows different releases of the vGPU manager from RHEL
    /// 9.6 on only, if ECC is set alike on both GPUs and neither GSP nor unified memory forbids it, which is not known here.
    /// # Check by hand
    /// NVIDIA: cat /sys/bus/pci/devices/VF/nvidia/current_vgpu_type and /sys/module/nvidia/version; QAT: cat
    /// /sys/bus/pci/devices/PF/qat/cfg_services; HiSilicon: cat /sys/module/DRIVER/parameters/pf_q_num and
    /// /sys/bus/pci/devices/PF/sriov_numvfs.
    /// # Fix
    /// Set the destination's device up like the source's.
    VENDOR_FACTS: Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let facts = pair::vendor_facts(&device.pair);
    if !device.migrates() || facts.is_empty() {
        return Vec::new();
    }
    let target = device.pair.destination.address;
    let named = |wanted: fn(Option<&Value>, Option<&Value>) -> bool| {
        facts.iter().filter(move |(_, (s, d))| wanted(*s, *d)).map(|(key, (s, d))| match (s, d) {
            (Some(s), Some(d)) => format!("{key} {s} and {d}"),
            (None, None) => (*key).to_owned(),
            (None, _) => format!("{key} of {}", device.held.address),
            (_, None) => format!("{key} of {target}"),
        })
    };
    let differing: Vec<String> = named(|s, d| s.is_some() && d.is_some() && s != d).collect();
    let missing: Vec<String> = named(|s, d| s.is_none() || d.is_none()).collect();
    vec![Verdict::answer(
        pair::vendor(&device.pair),
        || format!("{target} is set up otherwise: {}", differing.join(", ")),
        || match (missing.is_empty(), differing.is_empty()) {
            (true, false) => format!("{target} may refuse the state: {}", differing.join(", ")),
            _ => format!("not known: {}", missing.join(", ")),
        },
    )]
}
