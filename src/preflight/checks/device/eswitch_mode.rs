//! One mode of the embedded switch.

use super::prelude::*;

check! {
    /// The embedded switches are in different modes.
    ///
    /// # Meaning
    /// A VF behind a switchdev eswitch is connected through its representor, one in legacy mode through the MAC and
    /// VLAN table of the PF. After a move between modes the guest may have no network.
    /// # Check by hand
    /// devlink dev eswitch show pci/PF.
    /// # Fix
    /// devlink dev eswitch set pci/PF mode MODE, before VFs are created.
    "eswitch-mode": Warning, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    let mode =
        |pf: Option<&Device>| pf.and_then(|pf| pf.devlink.as_ref()).and_then(|devlink| devlink.eswitch_mode.clone());
    let (s, d) = (mode(device.pair.source_pf), mode(device.pair.destination_pf));
    let (Some(s), Some(d)) = (s, d) else { return Vec::new() };
    let verdict = if s == d {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the embedded switch is in mode {s} on the source, {d} on the destination"))
    };
    vec![verdict.facts(&s, &d)]
}
