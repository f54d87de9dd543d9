//! Bridges and networks are there.

use super::prelude::*;

check! {
    /// A bridge, network or interface of the guest is missing on the destination.
    ///
    /// # Meaning
    /// Interfaces are connected on the destination by the same names ("Network not found", "Cannot get interface MTU").
    /// # Check by hand
    /// virsh -c URI net-list; ip link show type bridge.
    /// # Fix
    /// Create the bridge, or start the network, under the same name.
    "guest-networks": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let mut verdicts = Vec::new();
    for nic in &instance.guest.interfaces {
        let Some(source) = nic.source.as_deref() else { continue };
        match nic.kind.as_str() {
            "network" => match &host.networks {
                Some(all) if all.iter().any(|network| network == source) => {}
                Some(_) => verdicts.push(Verdict::fail(format!("{} has no active network {source}", name(host)))),
                None => verdicts.push(missing(host, "networks", "its networks")),
            },
            "bridge" => match &host.bridges {
                Some(all) => match all.iter().find(|bridge| bridge.name == source) {
                    Some(bridge) if bridge.mtu.zip(nic.mtu).is_some_and(|(bridge, nic)| bridge < nic) => verdicts.push(
                        Verdict::fail(format!("the MTU of {source} on {} is smaller than the guest's", name(host)))
                            .weighing(Severity::Warning),
                    ),
                    Some(_) => {}
                    None => verdicts.push(Verdict::fail(format!("{} has no bridge {source}", name(host)))),
                },
                None => verdicts.push(missing(host, "bridges", "its bridges")),
            },
            "direct" => match &host.interfaces {
                Some(all) if all.iter().any(|interface| interface == source) => {}
                Some(_) => verdicts.push(Verdict::fail(format!("{} has no interface {source}", name(host)))),
                None => verdicts.push(missing(host, "interfaces", "its network interfaces")),
            },
            _ => {}
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
