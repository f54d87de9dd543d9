//! Whether Nova would put a server of its own there.

use super::prelude::*;

check! {
    /// Nova's compute service on the destination takes no servers.
    ///
    /// # Meaning
    /// Nova moves its own guests, and only to a host whose nova-compute is up and enabled: for others it says "No valid host
    /// was found". This is asked where pvm has Nova move a guest and the cloud is described.
    /// # Check by hand
    /// openstack compute service list --service nova-compute --long
    /// # Fix
    /// Start nova-compute there, or enable it: openstack compute service set --enable HOST nova-compute.
    "compute-service": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let there = instance.destination();
    let Some(service) = &there.compute_service else { return Vec::new() };
    if instance.domain.owner.as_deref() != Some("nova") || instance.terms.bypass_owner {
        return Vec::new();
    }
    let Some(host) = &service.host else {
        return vec![Verdict::fail(format!("Nova has no compute host {}", name(there)))];
    };
    if !service.is_up {
        return vec![Verdict::fail(format!("Nova's compute service on {host} is down"))];
    }
    let Some(why) = &service.disabled else { return Vec::new() };
    let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let remedy = format!("openstack compute service set --enable {} nova-compute", quoted(host));
    vec![Verdict::fail(format!("Nova's compute service on {host} is disabled{why}")).remedy(remedy)]
}
