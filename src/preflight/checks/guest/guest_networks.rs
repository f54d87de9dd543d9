//! Bridges and networks are there.

use super::prelude::*;
use crate::domain::guest::Nic;

check! {
    /// A bridge, network or interface of the guest is missing on the destination.
    ///
    /// # Meaning
    /// Interfaces are connected on the destination by the same names ("Network not found", "Cannot get interface MTU"). One
    /// that belongs to a libvirt network needs an active network of that name there, whatever its bridge is called.
    /// # Check by hand
    /// virsh -c URI net-list; ip link show type bridge.
    /// # Fix
    /// Create the bridge, or start the network, under the same name.
    "guest-networks": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let verdicts: Vec<_> = instance.guest.interfaces.iter().filter_map(|nic| connection(instance, nic)).collect();
    if verdicts.is_empty() { vec![Verdict::pass()] } else { verdicts }
}

/// What the destination lacks for one interface.
fn connection(instance: &Instance<'_>, nic: &Nic) -> Option<Verdict> {
    let host = instance.destination();
    if let Some(tap) = nic.tap.as_ref().filter(|tap| host.interfaces.as_ref().is_some_and(|all| all.contains(tap))) {
        return Some(
            Verdict::fail(format!("{} has an interface {tap} already, which libvirt would make", name(host)))
                .remedy(format!("ip link show {}, on {}; its owner has to remove it", quoted(tap), name(host))),
        );
    }
    if let Some(network) = &nic.network {
        return match &host.networks {
            Some(all) if all.contains(network) => None,
            Some(_) => Some(Verdict::fail(format!("{} has no active network {network}", name(host)))),
            None => Some(missing(host, "networks", "its networks")),
        };
    }
    if let Some(tap) = &nic.unmanaged_tap {
        return match &host.interfaces {
            Some(all) if all.contains(tap) => None,
            Some(_) => Some(
                Verdict::fail(format!("{} has no TAP device {tap}, which libvirt is not to make", name(host)))
                    .remedy(format!("ip tuntap add dev {} mode tap, on {}", quoted(tap), name(host))),
            ),
            None => Some(missing(host, "interfaces", "its network interfaces")),
        };
    }
    let source = nic.source.as_deref()?;
    match nic.kind.as_str() {
        "bridge" => match &host.bridges {
            Some(all) => match all.iter().find(|bridge| bridge.name == source) {
                Some(bridge) if bridge.mtu.zip(nic.mtu).is_some_and(|(bridge, nic)| bridge < nic) => Some(
                    Verdict::fail(format!("the MTU of {source} on {} is smaller than the guest's", name(host)))
                        .weighing(Severity::Warning),
                ),
                Some(_) => None,
                None => Some(Verdict::fail(format!("{} has no bridge {source}", name(host)))),
            },
            None => Some(missing(host, "bridges", "its bridges")),
        },
        "direct" => match &host.interfaces {
            Some(all) if all.iter().any(|interface| interface == source) => None,
            Some(_) => Some(Verdict::fail(format!("{} has no interface {source}", name(host)))),
            None => Some(missing(host, "interfaces", "its network interfaces")),
        },
        _ => None,
    }
}
