//! The request Nova stored at boot.

use super::prelude::*;
use crate::plan::requests::Origin;

check! {
    /// What Nova stored as the instance's request is not known.
    ///
    /// # Meaning
    /// Nova decides by the PCI request it stored when the instance was booted or resized, not by today's flavor and
    /// alias. An instance from before live_migratable was in the alias is refused. pvm cannot see that request unless
    /// it is handed in.
    /// # Check by hand
    /// Ask the database of the instance's cell; the file is Nova's JSON as it is. Without access to the database the
    /// same can be written in YAML:
    /// ```text
    /// mysql -BN nova -e "select pci_requests from instance_extra where instance_uuid = 'UUID'" >requests.json
    /// pvm preflight SRC DST --instance NAME --pci-requests requests.json
    ///
    /// - alias: NAME
    ///   count: 1
    ///   spec: [{vendor_id: "15b3", product_id: "101e", live_migratable: "true"}]
    /// ```
    /// # Fix
    /// Resize the instance to a flavor with the new alias; a NIC can be detached and attached instead.
    "nova-stored-request": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let nova = instance.domain.nova.is_some() || instance.domain.owner.as_deref() == Some("nova");
    if !nova || instance.plan.held.is_empty() {
        return Vec::new();
    }
    if instance.plan.asked.as_ref().is_ok_and(|asked| asked.origin == Origin::Stored) {
        return vec![Verdict::pass()];
    }
    vec![Verdict::unknown("the request that Nova stored when it booted the instance is not known").remedy(
        "resize it to a flavor with the new alias (for a NIC: detach and attach), or hand the request in with \
             --pci-requests FILE: pvm explain nova-stored-request",
    )]
}
