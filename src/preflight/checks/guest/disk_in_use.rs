//! No guest of the destination has a disk open.

use super::prelude::*;
use crate::domain::guest::{self, Disk};

check! {
    /// Another guest of the destination has a disk of the guest.
    ///
    /// # Meaning
    /// QEMU locks each image that it writes. The incoming guest takes the lock when it goes on, after it was paused on the
    /// source: with another guest there that writes or reads the same image the migration fails at that moment ("Failed to
    /// get "write" lock"). Guests that both declare the disk shareable, or both only read it, do not exclude each other.
    /// # Check by hand
    /// virsh -c URI domblklist GUEST for the guests of the destination.
    /// # Fix
    /// Stop the other guest, or <shareable/> in both definitions, if the guests' file system is made for it.
    "disk-in-use": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let is_local = |disk: &&Disk| matches!(disk.kind.as_str(), "file" | "block") && disk.device != "cdrom";
    let own: Vec<(&Disk, &str)> =
        instance.guest.disks.iter().filter(is_local).filter_map(|disk| Some((disk, disk.source.as_deref()?))).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let host = instance.destination();
    let mut verdicts = Vec::new();
    let others = instance.hosts.destination.domains.iter();
    for other in others.filter(|other| other.is_active() && other.uuid != instance.domain.uuid) {
        // Few guests name a path of another one: the others need not be read.
        let Some(xml) = other.xml.as_deref().filter(|xml| own.iter().any(|(_, path)| xml.contains(path))) else {
            continue;
        };
        let Ok(there) = guest::read(xml) else { continue };
        for (disk, path) in &own {
            let excludes = |theirs: &Disk| {
                theirs.source.as_deref() == Some(path)
                    && !(theirs.shareable && disk.shareable)
                    && !(theirs.readonly && disk.readonly)
            };
            verdicts.extend(there.disks.iter().find(|theirs| excludes(theirs)).map(|theirs| {
                Verdict::fail(format!(
                    "{path} ({}) is {} of {} on {}, which runs",
                    disk.target,
                    theirs.target,
                    quoted(&other.name),
                    name(host)
                ))
            }));
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
