//! A PF takes only so many migrations at once.

use super::prelude::*;

check! {
    /// The PF is at its limit of simultaneous migrations.
    ///
    /// # Meaning
    /// A ConnectX-7 migrates at most four of its VFs at once; a fifth is refused by its firmware when the guest is
    /// already moving. For other devices, and for another number, `slots: {per_pf: N}` of the host in pvm.yaml says how many.
    /// # Check by hand
    /// pvm recover on the machines that migrate; virsh -c URI domjobinfo DOMAIN for the guests with VFs of that PF.
    /// # Fix
    /// Wait for the other migrations, or spread the VFs over PFs.
    "pf-migrations": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let hosts = device.instance.hosts;
    let plan = device.instance.plan;
    let (mut verdicts, mut is_limited) = (Vec::new(), false);
    for (snapshot, pf) in [(hosts.source, device.pair.source_pf), (hosts.destination, device.pair.destination_pf)] {
        let Some(pf) = pf else { continue };
        let Some(most) = pair::slots(&snapshot.host, pf) else { continue };
        is_limited = true;
        let busy =
            snapshot.devices.iter().filter(|vf| vf.parent_addr == Some(pf.address) && pair::is_migrating(vf)).count();
        let mine = plan
            .held
            .iter()
            .filter(|held| {
                [held.device, held.target].into_iter().flatten().any(|d| {
                    d.parent_addr == Some(pf.address)
                        && snapshot.device(d.address).is_some_and(|same| std::ptr::eq(same, d))
                })
            })
            .count();
        if busy + mine > most {
            verdicts.push(Verdict::fail(format!(
                "{busy} migrations are running on the PF {} of {}, with this guest's {mine} it would be more than {most}",
                pf.address,
                name(&snapshot.host),
            )));
        }
    }
    if verdicts.is_empty() && is_limited {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
