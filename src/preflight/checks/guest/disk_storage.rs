//! The disks are on storage that both hosts share.

use super::prelude::*;
use crate::domain::guest::Disk;
use crate::model::snapshot::host::PathKind;

check! {
    /// A disk is not on storage that both hosts share.
    ///
    /// # Meaning
    /// A migration moves memory and devices; disks must be reachable from both hosts by the same path, or be copied.
    /// libvirt looks at the source's file system before it starts ("Migration without shared storage is unsafe"): nfs,
    /// cifs, ceph, glusterfs, gfs2, ocfs2 and a few others count as shared. pvm compares what is mounted there on both
    /// hosts. A block device is the same when its name tells which one it is (/dev/disk/by-id, multipath by WWID) and
    /// both hosts have it.
    /// # Check by hand
    /// On both hosts: findmnt -T PATH; for a block device ls -l /dev/disk/by-id.
    /// # Fix
    /// Put the disk on shared storage, or pvm migrate --copy-storage DISK.
    "disk-storage": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for disk in &instance.guest.disks {
        let Some(path) = disk.source.as_deref() else { continue };
        if disk.transient {
            verdicts.push(Verdict::fail(format!("the disk {} is transient", disk.target)));
        } else if !disk.readonly
            && !matches!(disk.device.as_str(), "cdrom" | "floppy")
            && !instance.terms.copies.contains_key(&disk.target)
        {
            verdicts.extend(storage(instance, disk, path));
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

/// What is wrong with where a disk is; nothing when both hosts see the same one.
fn storage(instance: &Instance<'_>, disk: &Disk, path: &str) -> Option<Verdict> {
    let (source, destination) = (instance.source(), instance.destination());
    let copies = format!("pvm migrate --copy-storage {} copies it", disk.target);
    let absent = matches!(destination.paths.get(path), Some(PathKind::Absent | PathKind::Nowhere));
    match disk.kind.as_str() {
        "network" => None,
        _ if absent => {
            let message = format!("{} lacks {path} of disk {}", name(destination), disk.target);
            Some(Verdict::fail(message).remedy(copies))
        }
        "block" if destination.paths.contains_key(path) && names_itself(path) => None,
        "block" => Some(
            Verdict::unknown(format!(
                "whether {path} of disk {} is the same device on both hosts is not known",
                disk.target
            ))
            .remedy(format!("ls -l /dev/disk/by-id on both hosts, and that path in the guest's XML; {copies}")),
        ),
        "file" => match (source.mount_of(path), destination.mount_of(path)) {
            (Some(here), _) if !is_shared(&here.fs) && !may_be_shared(&here.fs) => Some(
                Verdict::fail(format!("{path} of disk {} is on {} of {} alone", disk.target, here.fs, name(source)))
                    .remedy(copies),
            ),
            (_, Some(there)) if !is_shared(&there.fs) && !may_be_shared(&there.fs) => Some(
                Verdict::fail(format!(
                    "{path} of disk {} is on {} of {} alone",
                    disk.target,
                    there.fs,
                    name(destination)
                ))
                .remedy(format!("mount there what {} has at {path}; {copies}", name(source))),
            ),
            (Some(here), Some(there)) if here.source == there.source && is_shared(&here.fs) && is_shared(&there.fs) => {
                None
            }
            (Some(here), Some(there)) => Some(
                Verdict::unknown(format!(
                    "whether {path} of disk {} is the same on both hosts is not known: it is on {} {} and on {} {}",
                    disk.target, here.fs, here.source, there.fs, there.source
                ))
                .remedy(format!("cksum of a small file beside it on both hosts; {copies}")),
            ),
            _ => Some(unknown(disk, path, &copies)),
        },
        _ => Some(unknown(disk, path, &copies)),
    }
}

fn unknown(disk: &Disk, path: &str, copies: &str) -> Verdict {
    Verdict::unknown(format!("whether {path} of disk {} is on shared storage is not known", disk.target))
        .remedy(format!("findmnt -T {path} on both hosts; {copies}"))
}

/// File systems that libvirt takes for shared (`src/util/virfile.c`, `virFileIsSharedFS`).
fn is_shared(fs: &str) -> bool {
    matches!(
        fs,
        "nfs"
            | "nfs4"
            | "gfs"
            | "gfs2"
            | "ocfs2"
            | "afs"
            | "cifs"
            | "smb3"
            | "ceph"
            | "gpfs"
            | "vxfs"
            | "acfs"
            | "beegfs"
            | "fuse.glusterfs"
            | "fuse.quobyte"
    )
}

/// File systems that may be shared though libvirt does not know it: newer ones have shared_filesystems in qemu.conf.
fn may_be_shared(fs: &str) -> bool {
    fs == "fuse" || fs.starts_with("fuse.") || matches!(fs, "lustre" | "9p" | "virtiofs" | "orangefs" | "pvfs2")
}

/// Whether a path says which device it is, on any host.
fn names_itself(path: &str) -> bool {
    let id = path.strip_prefix("/dev/disk/by-id/").or_else(|| path.strip_prefix("/dev/disk/by-uuid/"));
    id.is_some() || path.strip_prefix("/dev/mapper/3").is_some_and(|rest| rest.len() >= 16)
}
