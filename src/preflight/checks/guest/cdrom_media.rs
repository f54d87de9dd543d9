//! Media in drives are there.

use super::prelude::*;
use crate::model::snapshot::host::PathKind;

check! {
    /// Media in the guest's drives are not on the destination.
    ///
    /// # Meaning
    /// libvirt does not copy an image in a CD-ROM drive or a read-only disk; QEMU on the destination opens the same
    /// path. With startupPolicy optional or requisite a missing medium is dropped instead. Where the destination cannot
    /// be asked (a saved snapshot, libvirt alone) the media are listed as a warning.
    /// # Check by hand
    /// On the destination: ls -l PATH.
    /// # Fix
    /// virsh change-media DOMAIN TARGET --eject, or put the image on shared storage or there as well.
    "cdrom-media": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let (mut lacking, mut unknown, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    for disk in &instance.guest.disks {
        let removable = disk.readonly || matches!(disk.device.as_str(), "cdrom" | "floppy");
        let Some(path) = disk.source.as_deref().filter(|_| removable && disk.kind != "network") else { continue };
        match host.paths.get(path) {
            Some(PathKind::Absent | PathKind::Nowhere) if disk.may_be_missing => dropped.push(path),
            Some(PathKind::Absent | PathKind::Nowhere) => lacking.push(path),
            Some(_) => {}
            None => unknown.push(path),
        }
    }
    let mut verdicts = Vec::new();
    if !lacking.is_empty() {
        verdicts.push(
            Verdict::fail(format!("{} lacks {}", name(host), lacking.join(", ")))
                .remedy(format!("virsh change-media {} TARGET --eject", instance.domain.name)),
        );
    }
    if !dropped.is_empty() {
        let message = format!("{} lacks {}: the guest finds its drive empty", name(host), dropped.join(", "));
        verdicts.push(Verdict::fail(message).weighing(Severity::Warning));
    }
    if !unknown.is_empty() {
        let message = format!("must be on {} as well: {}", name(host), unknown.join(", "));
        verdicts.push(Verdict::fail(message).weighing(Severity::Warning));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
