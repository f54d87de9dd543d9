//! A tag that Nova ignores on network devices.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// live_migratable is set on devices of a physical_network, for whose ports Nova ignores it.
    ///
    /// # Meaning
    /// Devices with physical_network are given to Neutron ports, and Nova always detaches such ports before a live
    /// migration and attaches others afterwards, whatever live_migratable says. The guest sees its interface go and
    /// come back. pvm migrate moves such a port with its state if the specs of both hosts say yes. What a flavor's alias
    /// asks for may be one of these devices as well: that one Nova migrates with its state (seen with Nova 34).
    /// # Check by hand
    /// openstack port show PORT -c binding_vnic_type
    /// # Fix
    /// Nothing has to be done if guests tolerate the interruption (bonding with a virtio interface helps); otherwise
    /// use pvm migrate, or an alias without physical_network.
    "physical-network-ignored": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for spec in subject.config.device_specs.iter().filter(|spec| spec.declared() == Declared::Yes) {
        let (Some(_), Some(tag)) = (spec.node.get("physical_network"), spec.node.get("live_migratable")) else {
            continue;
        };
        found.push(
            Finding::new(&RULE, "Nova ignores live_migratable for ports on devices with physical_network")
                .at(tag.key.span.to(tag.value.span), "ignored: the port is detached and attached again")
                .note("its ports lose their traffic during a live migration; pvm migrate moves them with their state")
                .remedy("keep it for pvm migrate, or remove live_migratable"),
        );
    }
}
