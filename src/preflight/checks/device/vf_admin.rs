//! What the PF enforces for the VF.

use super::prelude::*;

check! {
    /// The PF enforces other settings for the destination's VF.
    ///
    /// # Meaning
    /// A plain hostdev programs nothing: VLAN, MAC, trust, spoof check, rates and link state of a VF are whatever its
    /// PF has. When they differ the guest arrives in the wrong VLAN or without a network, without any error. An
    /// interface of type hostdev is programmed by libvirt.
    /// # Check by hand
    /// ip -d link show dev PF on both hosts.
    /// # Fix
    /// On the destination while the VF is free, with the values of the source: ip link set PF vf N mac MAC vlan ID
    /// spoofchk on trust off state auto.
    "vf-admin": Error, Device(run)
}

fn run(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !device.migrates() || device.is_interface() || !pair::is_network(device.pair.source) {
        return Vec::new();
    }
    // Settings are made through the PF's interface; a PF without one enforces nothing.
    let enforced = |pf: Option<&Device>| pf.is_none_or(|pf| pf.netdev.is_some());
    if !enforced(device.pair.source_pf) && !enforced(device.pair.destination_pf) {
        return Vec::new();
    }
    let (source, target) = (device.pair.source, device.pair.destination);
    let (Some(s), Some(d)) = (&source.vf_admin, &target.vf_admin) else {
        let guilty = if source.vf_admin.is_none() { source } else { target };
        return vec![
            Verdict::unknown(format!("what its PF enforces for {} is not known", guilty.address))
                .remedy("a snapshot taken as root, with iproute2 and the PF's network driver"),
        ];
    };
    let differing = pair::vf_admin_differences(s, d);
    let pf = device.pair.destination_pf.and_then(|pf| pf.netdev.as_deref()).map_or("PF".into(), quoted);
    let vf = target.vf_index.map_or("N".to_owned(), |index| index.to_string());
    vec![if differing.is_empty() {
        Verdict::pass()
    } else {
        let facts: Vec<String> = differing.iter().map(|(what, s, d)| format!("{what} {s} and {d}")).collect();
        let set: Vec<String> = differing.iter().map(|(what, s, _)| format!("{what} {}", quoted(s))).collect();
        Verdict::fail(format!("{} is set up otherwise: {}", target.address, facts.join(", "))).remedy(format!(
            "on {}: ip link set {pf} vf {vf} {}",
            name(device.instance.destination()),
            set.join(" ")
        ))
    }]
}
