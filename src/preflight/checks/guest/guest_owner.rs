//! Whose guest it is.

use super::prelude::*;

check! {
    /// The guest belongs to a management system.
    ///
    /// # Meaning
    /// A guest of Nova, oVirt, KubeVirt, OpenNebula or Pacemaker is theirs: when it moves behind their back they may
    /// start it a second time on the source. pvm migrate refuses without --bypass-owner=UUID.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, element metadata.
    /// # Fix
    /// openstack server migrate --live-migration, or the owner's own command.
    "guest-owner": Info, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(owner) = instance.domain.owner.as_deref() else { return Vec::new() };
    let uuid = &instance.domain.uuid;
    let command = match owner {
        "nova" => format!("openstack server migrate --live-migration {uuid}"),
        "ovirt" => "the engine's web interface or REST API".to_owned(),
        "kubevirt" => format!("virtctl migrate {}", instance.domain.name),
        "opennebula" => format!("onevm migrate --live {} HOST", instance.domain.name),
        _ => "pcs resource move RESOURCE".to_owned(),
    };
    vec![Verdict::fail(format!("the guest belongs to {owner}")).remedy(command)]
}
