//! Whose guest it is.

use super::prelude::*;
use crate::domain::owners::Owner;
use crate::preflight::Owned;

check! {
    /// The guest belongs to a management system.
    ///
    /// # Meaning
    /// A guest of Nova, oVirt, KubeVirt (Harvester), OpenNebula, CloudStack, Virtuozzo, ironcore or Pacemaker is
    /// theirs: when it moves without their knowledge they may start it a second time on the source, or report it as
    /// stopped. They are recognised by the metadata, SMBIOS entries, machine type or name that they give their guests.
    /// pvm migrate refuses without --bypass-owner=UUID.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, elements metadata and sysinfo.
    /// # Fix
    /// openstack server migrate --live-migration --host HOST, or the owner's own command.
    "guest-owner": Info, Instance(run), never_ignored
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let domain = instance.domain;
    // A snapshot of an older pvm has no word for those that leave no metadata.
    let marked = || domain.xml.as_deref().and_then(Owner::of_definition);
    let (name, command) = match domain.owner.as_deref().map(|word| (word, Owner::of_word(word))) {
        Some((word, None)) => (word, "its own tools".to_owned()),
        known => match known.and_then(|(_, owner)| owner).or_else(marked) {
            Some(owner) => (owner.word, owner.command(&domain.name, &domain.uuid, &instance.destination().name)),
            None => return Vec::new(),
        },
    };
    let verdict = Verdict::fail(format!("the guest belongs to {name}")).remedy(command);
    let stays = match instance.terms.owned {
        Owned::Told => false,
        Owned::Stay => true,
        Owned::ByNova => name != "nova",
    };
    vec![if stays { verdict.weighing(Severity::Error) } else { verdict }]
}
