//! The disks are on storage that both hosts share.

use super::prelude::*;
use crate::domain::guest::{Disk, Image};
use crate::model::snapshot::Host;
use crate::model::snapshot::host::{PathDetails, PathKind};
use crate::model::snapshot::reach::Attempt;

check! {
    /// A disk is not on storage that both hosts share.
    ///
    /// # Meaning
    /// A migration moves memory and devices; disks, with every image of their backing chains, must be reachable from both
    /// hosts by the same path, or be copied. libvirt looks at the source's file system before it starts ("Migration without
    /// shared storage is unsafe"): nfs, cifs, ceph, glusterfs, gfs2, ocfs2 and a few others count as shared. It does not
    /// look at backing images, nor at the file that holds the data of a qcow2 image apart from it: with another one of that
    /// name on the destination the guest goes on with other data. pvm compares what is mounted there on both hosts, and
    /// whether it may be written. A block device is the same when its name tells which one it is (/dev/disk/by-id, multipath by WWID), or its WWID or device-mapper UUID on both hosts.
    /// Of the servers of a network disk the destination's pvm tries whether it can connect to them.
    /// Of a guest that Nova moves, Nova copies what lies in the folder of its instances.
    /// # Check by hand
    /// On both hosts: findmnt -T PATH; for a block device ls -l /dev/disk/by-id; qemu-img info --backing-chain PATH.
    /// # Fix
    /// Put the disk and its backing images on shared storage, or pvm migrate --copy-storage DISK.
    "disk-storage": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let brought = instance.brought_by_nova();
    for disk in &instance.guest.disks {
        if disk.kind == "nvme" {
            verdicts.push(nvme(disk));
            continue;
        }
        let Some(path) = disk.source.as_deref() else {
            // An empty drive; anything else has something behind it that pvm does not know.
            if !matches!(disk.device.as_str(), "cdrom" | "floppy") {
                let kind = if disk.kind.is_empty() { "no type" } else { &disk.kind };
                verdicts.push(Verdict::unknown(format!(
                    "what is behind the disk {} is not known: {kind}, and no path",
                    disk.target
                )));
            }
            continue;
        };
        if disk.transient {
            verdicts.push(Verdict::fail(format!("the disk {} is transient", disk.target)));
        }
        if instance.terms.copies.contains_key(&disk.target) || brought.is_some_and(|folder| is_below(path, folder)) {
            continue;
        }
        let written = !disk.readonly && !matches!(disk.device.as_str(), "cdrom" | "floppy");
        if written && !disk.transient {
            verdicts.extend(storage(instance, disk, &disk.kind, path, true));
        }
        let named = disk.data.iter().map(|image| (image.kind.as_str(), image.source.as_str()));
        let written_as = |image: &str| data_file(instance, image).map(|data| ("file", data));
        let unnamed =
            written_as(path).into_iter().filter(|(_, data)| disk.data.iter().all(|named| named.source != *data));
        for (kind, data) in named.chain(unnamed) {
            verdicts.extend(storage(instance, disk, kind, data, written).map(beside_its_image));
        }
        for Image { kind, source } in &disk.backing {
            verdicts.extend(storage(instance, disk, kind, source, false));
            let data = written_as(source).and_then(|(kind, data)| storage(instance, disk, kind, data, false));
            verdicts.extend(data.map(beside_its_image));
        }
        verdicts.extend(servers(instance, disk));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

/// The file that holds the data of a qcow2 image, which the image itself names.
fn data_file<'a>(instance: &Instance<'a>, image: &str) -> Option<&'a str> {
    [instance.source(), instance.destination()]
        .into_iter()
        .find_map(|host| host.path_details.get(image)?.data_file.as_deref())
}

/// Copying a disk does not bring it.
fn beside_its_image(verdict: Verdict) -> Verdict {
    verdict.remedy(
        "the data file on the storage of its image, by the same path on both hosts: qemu-img info IMAGE names it",
    )
}

/// libvirt refuses it, as it would a disk of the host.
fn nvme(disk: &Disk) -> Verdict {
    Verdict::fail(format!("the disk {} is an NVMe device of the host", disk.target))
        .remedy("a disk on shared storage; the device itself as a hostdev, if its driver can migrate")
}

/// What is wrong with where an image is; nothing when both hosts see the same one.
fn storage(instance: &Instance<'_>, disk: &Disk, kind: &str, path: &str, written: bool) -> Option<Verdict> {
    let (source, destination) = (instance.source(), instance.destination());
    let words = [&instance.domain.name, &destination.name, &source.name, &disk.target];
    let [guest, to, from, target] = words.map(|word| quoted(word));
    let copies = format!("pvm migrate {guest} {to} --from {from} --copy-storage {target} copies it");
    let label =
        if written { format!("disk {}", disk.target) } else { format!("the backing chain of disk {}", disk.target) };
    let kind_there = destination.paths.get(path).copied();
    if matches!(kind_there, Some(PathKind::Absent | PathKind::Nowhere)) {
        let lacking = Verdict::fail(format!("{} lacks {path} of {label}", name(destination)));
        match kind {
            "file" | "block" | "dir" => return Some(lacking.remedy(copies)),
            "vhostuser" | "vhostvdpa" => {
                return Some(lacking.remedy("start what serves the disk there, by the same path"));
            }
            _ => {}
        }
    }
    match kind {
        "network" => None,
        "block" => block(instance, path, &label, &copies),
        "file" if kind_there.is_some_and(|kind| kind != PathKind::File) => {
            Some(Verdict::fail(format!("{path} of {label} is no file on {}", name(destination))))
        }
        // What is only read may be a copy, which libvirt does not ask about.
        "file" if !written && is_copy(instance, path) => Some(
            Verdict::unknown(format!("cannot tell whether {path} of {label} has the same content on both hosts"))
                .remedy(format!("cksum {} on both hosts", quoted(path))),
        ),
        "file" => match (source.mount_of(path), destination.mount_of(path)) {
            (Some(here), _) if is_local(&here.fs) => Some(local(source, path, &label, &here.fs).remedy(copies)),
            (_, Some(there)) if is_local(&there.fs) => {
                Some(local(destination, path, &label, &there.fs).remedy(format!(
                    "mount there what {} has at {}; {copies}",
                    name(source),
                    quoted(path)
                )))
            }
            (Some(here), Some(there)) if here.source == there.source && is_shared(&here.fs) && is_shared(&there.fs) => {
                (written && details(destination, path).is_some_and(|there| there.read_only == Some(true))).then(|| {
                    let message = format!("{path} of {label} is mounted read-only on {}", name(destination));
                    Verdict::fail(message).remedy("mount -o remount,rw there: QEMU fails only at switchover")
                })
            }
            (Some(here), Some(there)) => Some(
                Verdict::unknown(format!(
                    "cannot tell whether {path} of {label} is the same on both hosts: it is on {} {} and on {} {}",
                    here.fs, here.source, there.fs, there.source
                ))
                .remedy(format!("cksum of a small file beside it on both hosts; {copies}")),
            ),
            _ => Some(unknown(path, &label, &copies)),
        },
        // A server of the host's own is behind it: what that serves, no fact tells.
        "vhostuser" | "vhostvdpa" => Some(
            Verdict::unknown(format!("cannot tell whether {path} of {label} leads to the same storage on both hosts"))
                .remedy(format!(
                    "ls -l {0} on {1}, and ask who runs its server there",
                    quoted(path),
                    name(destination)
                )),
        ),
        "volume" => volume(instance, disk, path, &label, &copies, written),
        _ => Some(unknown(path, &label, &copies)),
    }
}

/// Whether both hosts have a file of the same length there, one of them on storage of its own.
fn is_copy(instance: &Instance<'_>, path: &str) -> bool {
    let hosts = [instance.source(), instance.destination()];
    let sizes = hosts.map(|host| details(host, path).and_then(|file| file.size));
    sizes[0].is_some()
        && sizes[0] == sizes[1]
        && hosts.iter().any(|host| host.mount_of(path).is_some_and(|mount| is_local(&mount.fs)))
}

/// A volume is where the pool of each host has it.
fn volume(
    instance: &Instance<'_>,
    disk: &Disk,
    volume: &str,
    label: &str,
    copies: &str,
    written: bool,
) -> Option<Verdict> {
    let (source, host, pool) = (instance.source(), instance.destination(), disk.pool.as_deref()?);
    let Some(active) = &host.pools else { return Some(missing(host, "pools", "its storage pools")) };
    if !active.iter().any(|name| name == pool) {
        return Some(
            Verdict::fail(format!("{} has no active storage pool {pool}, which has {label}", name(host)))
                .remedy(format!("virsh pool-start {}, on {}", quoted(pool), name(host))),
        );
    }
    let key = format!("{pool}/{volume}");
    match (source.volumes.get(&key), host.volumes.get(&key)) {
        (_, Some(None)) => Some(Verdict::fail(format!("pool {pool} of {} has no volume {volume}", name(host)))),
        (Some(Some(here)), Some(Some(there))) if here == there => {
            let kind = if here.starts_with("/dev/") { "block" } else { "file" };
            storage(instance, disk, kind, here, written)
        }
        (Some(Some(here)), Some(Some(there))) => Some(
            Verdict::unknown(format!(
                "cannot tell whether {label} is the same: it is {here}, and {there} on {}",
                name(host)
            ))
            .remedy(copies.to_owned()),
        ),
        _ => Some(unknown(volume, label, copies)),
    }
}

fn details<'a>(host: &'a Host, path: &str) -> Option<&'a PathDetails> {
    host.path_details.get(path)
}

fn local(host: &Host, path: &str, label: &str, fs: &str) -> Verdict {
    Verdict::fail(format!("{path} of {label} is on {fs} of {} alone", name(host)))
}

/// A block device: the same by its name, by its identity, or not certainly.
fn block(instance: &Instance<'_>, path: &str, label: &str, copies: &str) -> Option<Verdict> {
    let (source, destination) = (instance.source(), instance.destination());
    let (here, there) = (details(source, path), details(destination, path));
    if let Some(there) = there.filter(|there| there.device.as_deref() != Some("block")) {
        let what = there.device.as_deref().map_or("no device", |_| "no block device");
        return Some(Verdict::fail(format!("{path} of {label} is {what} on {}", name(destination))));
    }
    let sizes = here.and_then(|here| here.size).zip(there.and_then(|there| there.size));
    if let Some((here, there)) = sizes.filter(|(here, there)| here != there) {
        let message = format!("{path} of {label} has {here} bytes, and {there} on {}", name(destination));
        return Some(Verdict::fail(message).remedy("multipath -ll and lsblk -o NAME,WWN on both hosts".to_owned()));
    }
    let identity = |details: Option<&PathDetails>| details.and_then(|details| details.identity.clone());
    match (identity(here), identity(there)) {
        (Some(here), Some(there)) if here == there => None,
        (Some(here), Some(there)) => {
            let message = format!("{path} of {label} is {here}, and {there} on {}", name(destination));
            Some(Verdict::fail(message).remedy(copies.to_owned()))
        }
        _ if destination.paths.contains_key(path) && names_itself(path) => None,
        _ => Some(
            Verdict::unknown(format!("cannot tell whether {path} of {label} is the same device on both hosts"))
                .remedy(format!("ls -l /dev/disk/by-id on both hosts, and that path in the guest's XML; {copies}")),
        ),
    }
}

/// Servers of a network disk that only the source can reach: its own loopback address, a socket in its file system.
fn servers(instance: &Instance<'_>, disk: &Disk) -> Vec<Verdict> {
    let host = instance.destination();
    let (mut verdicts, mut unreached) = (Vec::new(), Vec::<&Attempt>::new());
    for server in &disk.servers {
        if let Some(address) = server.host.as_deref().filter(|address| is_loopback(address)) {
            verdicts.push(
                Verdict::fail(format!("the server of disk {} is {address}, which is each host's own", disk.target))
                    .remedy("a server address that both hosts reach"),
            );
        }
        if !server.host.as_deref().is_some_and(is_loopback) {
            let tried: Vec<_> = server.places().map(|place| host.reached.get(&place)).collect();
            let mut failed = tried.iter().flatten().filter(|tried| tried.works == Some(false));
            unreached.extend(
                failed.next_back().filter(|_| tried.iter().all(|one| one.is_some_and(|one| one.works == Some(false)))),
            );
        }
        if let Some(socket) = server.socket.as_deref() {
            let there = host.paths.get(socket);
            let message = format!("the server of disk {} is the socket {socket}", disk.target);
            verdicts.extend(match there {
                Some(PathKind::Special) => None,
                Some(_) => Some(Verdict::fail(format!("{message}, which {} lacks", name(host)))),
                None => Some(Verdict::unknown(format!("{message}; cannot tell whether {} has it", name(host)))),
            });
        }
    }
    if let Some(tried) = unreached.first() {
        let verdict = Verdict::fail(format!(
            "{} does not reach {}, a server of disk {}: {}",
            name(host),
            tried.to,
            disk.target,
            tried.why
        ))
        .remedy(try_from(host, &tried.to));
        // With another server left QEMU gets its disk.
        verdicts.push(if unreached.len() < disk.servers.len() { verdict.weighing(Severity::Warning) } else { verdict });
    }
    verdicts
}

fn unknown(path: &str, label: &str, copies: &str) -> Verdict {
    Verdict::unknown(format!("cannot tell whether {path} of {label} is on shared storage"))
        .remedy(format!("findmnt -T {} on both hosts; {copies}", quoted(path)))
}

/// File systems that libvirt takes for shared (`src/util/virfile.c`, `virFileIsSharedFS`).
fn is_shared(fs: &str) -> bool {
    const SHARED: &[&str] = &[
        "nfs",
        "nfs4",
        "gfs",
        "gfs2",
        "ocfs2",
        "afs",
        "cifs",
        "smb3",
        "ceph",
        "gpfs",
        "vxfs",
        "acfs",
        "beegfs",
        "fuse.glusterfs",
        "fuse.quobyte",
    ];
    SHARED.contains(&fs)
}

/// Whether a file system is certainly one host's own. Newer libvirt has `shared_filesystems` in qemu.conf for the others.
fn is_local(fs: &str) -> bool {
    let may_be_shared =
        fs == "fuse" || fs.starts_with("fuse.") || matches!(fs, "lustre" | "9p" | "virtiofs" | "orangefs" | "pvfs2");
    !is_shared(fs) && !may_be_shared
}

/// Whether a path says which device it is, on any host.
fn names_itself(path: &str) -> bool {
    let id = path.strip_prefix("/dev/disk/by-id/").or_else(|| path.strip_prefix("/dev/disk/by-uuid/"));
    id.is_some() || path.strip_prefix("/dev/mapper/3").is_some_and(|rest| rest.len() >= 16)
}
