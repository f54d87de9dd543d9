//! Media in drives are there.

use super::prelude::*;
use crate::domain::guest::Disk;
use crate::model::snapshot::Host;
use crate::model::snapshot::host::PathKind;

check! {
    /// Media in the guest's drives are not on the destination.
    ///
    /// # Meaning
    /// libvirt does not copy an image in a CD-ROM drive or a read-only disk; QEMU on the destination opens the same path, and
    /// the guest reads whatever is there. With startupPolicy optional or requisite a missing medium is dropped instead (on a
    /// USB drive QEMU then does not start). On storage that is not shared pvm can compare the size only.
    /// # Check by hand
    /// On both hosts: cksum PATH.
    /// # Fix
    /// virsh change-media DOMAIN TARGET --eject, or put the image on shared storage or there as well.
    "cdrom-media": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let removable = |disk: &&Disk| disk.readonly || matches!(disk.device.as_str(), "cdrom" | "floppy");
    let verdicts: Vec<_> = instance
        .guest
        .disks
        .iter()
        .filter(removable)
        .filter(|disk| disk.kind != "network")
        .filter_map(|disk| medium(instance, disk, disk.source.as_deref()?))
        .collect();
    if verdicts.is_empty() { vec![Verdict::pass()] } else { verdicts }
}

fn medium(instance: &Instance<'_>, disk: &Disk, path: &str) -> Option<Verdict> {
    let (source, host) = (instance.source(), instance.destination());
    let eject = if matches!(disk.device.as_str(), "cdrom" | "floppy") {
        format!("virsh change-media {} {} --eject", quoted(&instance.domain.name), quoted(&disk.target))
    } else {
        format!("on {}: the same at {}, or shared storage below it on both hosts", name(host), quoted(path))
    };
    match host.paths.get(path) {
        Some(PathKind::Absent | PathKind::Nowhere) if disk.may_be_missing && disk.bus.as_deref() != Some("usb") => {
            let message = format!("{} lacks {path}: the drive {} will be empty", name(host), disk.target);
            Some(Verdict::fail(message).weighing(Severity::Warning))
        }
        Some(PathKind::Absent | PathKind::Nowhere) => {
            Some(Verdict::fail(format!("{} lacks {path}", name(host))).remedy(eject))
        }
        None => {
            Some(Verdict::unknown(format!("{path} of {} must also exist on {}", disk.target, name(host))).remedy(eject))
        }
        Some(_) if is_same(instance, path) => None,
        Some(_) => {
            let size = |host: &Host| host.path_details.get(path)?.size;
            match (size(source), size(host)) {
                (Some(here), Some(there)) if here != there => Some(
                    Verdict::fail(format!("{path} of {} has {here} bytes, and {there} on {}", disk.target, name(host)))
                        .remedy(eject),
                ),
                _ if disk.device == "floppy" && !disk.readonly => Some(
                    Verdict::fail(format!(
                        "{path} of {} can be written and is on local storage: libvirt calls the migration unsafe",
                        disk.target
                    ))
                    .remedy(eject),
                ),
                _ => Some(
                    Verdict::fail(format!(
                        "{path} of {} is on local storage of both hosts: the guest goes on reading {}'s file",
                        disk.target,
                        name(host)
                    ))
                    .weighing(Severity::Warning)
                    .remedy(format!("cksum {} on both hosts", quoted(path))),
                ),
            }
        }
    }
}

/// Whether both hosts have one and the same file or device there.
fn is_same(instance: &Instance<'_>, path: &str) -> bool {
    let (source, destination) = (instance.source(), instance.destination());
    let mounted = source.mount_of(path).zip(destination.mount_of(path));
    let identity = |host: &Host| host.path_details.get(path)?.identity.clone();
    let shared = mounted.is_some_and(|(here, there)| here == there && here.source.contains(':'));
    shared || identity(source).is_some_and(|own| identity(destination) == Some(own))
}
