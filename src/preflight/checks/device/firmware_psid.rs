//! The same card by its parameter-set id.

use super::prelude::*;

check! {
    /// The cards have different parameter-set ids (PSID).
    ///
    /// # Meaning
    /// NVIDIA asks for identical cards: the same PSID. Firmware of another one refuses the state when the guest is
    /// already paused.
    /// # Check by hand
    /// devlink dev info pci/PF, field fw.psid.
    /// # Fix
    /// A card with the same PSID.
    "firmware-psid": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() || !pair::is_mlx5(device.pair.source) {
        return Vec::new();
    }
    let psid = |own: &Device, pf: Option<&Device>| {
        let firmware = own.firmware.as_ref().or_else(|| pf.and_then(|pf| pf.firmware.as_ref()));
        firmware.and_then(|firmware| firmware.psid.clone()).unwrap_or_else(|| "unknown".to_owned())
    };
    let s = psid(device.pair.source, device.pair.source_pf);
    let d = psid(device.pair.destination, device.pair.destination_pf);
    let target = device.pair.destination.address;
    vec![
        judge(
            pair::psid(&device.pair),
            || format!("the card of {target} is another one: PSID {d} instead of {s}"),
            || format!("the PSID of the cards of {} or {target} is not known", device.held.address),
        )
        .facts(&s, &d),
    ]
}
