//! Nova does not believe the device free.

use super::prelude::*;

check! {
    /// Nova on the destination believes the device free.
    ///
    /// # Meaning
    /// The PCI tracker of a nova-compute counts every VF of its device_spec that no instance of Nova has as free: it
    /// will give the same VF to the next instance.
    /// # Check by hand
    /// openstack compute service list --host HOST.
    /// # Fix
    /// Take the VFs out of device_spec of that host, or name the check with --allow if Nova does not use them.
    "destination-owned-by-nova": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let destination = instance.hosts.destination;
    let theirs = instance.domain.owner.as_deref() == Some("nova") || instance.domain.nova.is_some();
    let nova_there = destination.domains.iter().any(|domain| domain.owner.as_deref() == Some("nova"));
    if theirs || !nova_there {
        return Vec::new();
    }
    let wanted: Vec<String> = instance
        .plan
        .held
        .iter()
        .filter_map(|held| held.target)
        .filter(|target| target.spec_index.is_some())
        .map(|target| target.address.to_string())
        .collect();
    vec![if wanted.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("Nova runs {} and believes {} free", name(instance.destination()), wanted.join(", ")))
    }]
}
