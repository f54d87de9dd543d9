//! The same firmware.

use super::prelude::*;
use crate::model::snapshot::device::Firmware;

check! {
    /// The firmware differs, or is older than migration needs.
    ///
    /// # Meaning
    /// Firmware of the two cards should be the same version. mlx5 needs 28.41.1000 (ConnectX-7) or 32.41.1000
    /// (BlueField-3) at least.
    /// # Check by hand
    /// devlink dev info pci/PF, field fw.version.
    /// # Fix
    /// The same firmware on both cards: mlxfwmanager, fwupd or the vendor's tool.
    "firmware-version": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let version = |own: &Device, pf: Option<&Device>| {
        let firmware = own.firmware.as_ref().or_else(|| pf.and_then(|pf| pf.firmware.as_ref()));
        firmware.and_then(|firmware| firmware.version.clone())
    };
    let s = version(device.pair.source, device.pair.source_pf);
    let d = version(device.pair.destination, device.pair.destination_pf);
    if s.is_none() && d.is_none() && !pair::is_mlx5(device.pair.source) {
        return Vec::new(); // no other driver has a rule about it
    }
    let target = device.pair.destination.address;
    let too_old = |version: &str| {
        let (enough, floor) = Firmware::mlx5_floor(version).filter(|_| pair::is_mlx5(device.pair.source))?;
        (!enough).then_some(floor)
    };
    let verdict = match (&s, &d) {
        (Some(s), Some(d)) if s != d => Verdict::fail(format!("the firmware differs: {s} and {d}")),
        (Some(_), Some(d)) => match too_old(d) {
            None => Verdict::pass(),
            Some(floor) => {
                Verdict::fail(format!("firmware {d} on both sides is older than {floor}, which migration needs"))
            }
        },
        _ => Verdict::unknown(format!("the firmware of {} or {target} is not known", device.held.address)),
    };
    let word = |version: Option<String>| version.unwrap_or_else(|| "unknown".to_owned());
    vec![verdict.facts(&word(s), &word(d))]
}
