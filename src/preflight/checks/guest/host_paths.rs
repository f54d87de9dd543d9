//! Paths of the host are there.

use super::prelude::*;
use crate::domain::guest::{HostPath, Need};
use crate::model::snapshot::Host;
use crate::model::snapshot::host::PathKind;

check! {
    /// The guest uses files of the host that the destination lacks.
    ///
    /// # Meaning
    /// QEMU on the destination is started with the same emulator, firmware, kernel, option ROMs, logs, sockets and devices,
    /// by the same paths, and libvirt looks for the same network filters, each of which is a file. What libvirt or QEMU make
    /// themselves (logs, listening sockets, firmware variables) needs a folder that can be written; all else must exist, and
    /// memory devices and option ROMs must have the same size. pvm looks at every path in the guest's definition, whatever
    /// the element, and at those in QEMU arguments. Of a guest that Nova moves, Nova brings what lies in the folder of its
    /// instances.
    /// # Check by hand
    /// On the destination: ls -ld PATH.
    /// # Fix
    /// Create it there: mkdir -p the folder of a log; copy a file with scp -p.
    "host-paths": Error, Instance(run), rechecked
}

/// Files of which the kernel has one on every host.
const EVERYWHERE: &[&str] = &["/dev/urandom", "/dev/random", "/dev/hwrng", "/dev/null", "/dev/zero"];

/// Folders that libvirt's packages make, with rights to write for libvirt.
const PACKAGED: &[&str] = &["/var/log/libvirt/", "/var/lib/libvirt/"];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let mut verdicts = Vec::new();
    let (mut lacking, mut unknown) = (Vec::new(), Vec::new());
    let brought = instance.brought_by_nova();
    let is_there = |path: &str| EVERYWHERE.contains(&path) || brought.is_some_and(|folder| is_below(path, folder));
    for path in instance.guest.paths.iter().filter(|path| !is_there(&path.path)) {
        match there(host, path) {
            There::Yes => verdicts.extend(size(instance, path)),
            There::No => lacking.push(format!("{} ({})", path.path, path.what)),
            There::Unusable(why) => {
                verdicts.push(Verdict::fail(format!(
                    "{} ({}) cannot be used on {}: {why}",
                    path.path,
                    path.what,
                    name(host)
                )));
            }
            There::Unknown => unknown.push(format!("{} ({})", path.path, path.what)),
        }
    }
    let emulator = instance.guest.emulator.as_deref().unwrap_or_default();
    if matches!(host.paths.get(emulator), Some(PathKind::Nowhere | PathKind::Absent)) {
        lacking.push(format!("{emulator} (emulator)"));
    }
    if !lacking.is_empty() {
        verdicts.push(Verdict::fail(format!("{} lacks {}", name(host), lacking.join(", "))));
    }
    if !unknown.is_empty() {
        verdicts.push(
            Verdict::unknown(format!("these files must also exist on {}: {}", name(host), unknown.join(", ")))
                .remedy(format!("on {}: ls -ld each of them", name(host))),
        );
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

/// What is at a path, measured by what the guest needs.
enum There {
    Yes,
    No,
    Unusable(&'static str),
    Unknown,
}

fn there(host: &Host, path: &HostPath) -> There {
    let kind = host.paths.get(&path.path);
    let read_only = host.path_details.get(&path.path).and_then(|details| details.read_only) == Some(true);
    match (path.need, kind) {
        (Need::Folder, None) if PACKAGED.iter().any(|folder| path.path.starts_with(folder)) => There::Yes,
        (Need::Pipe, _) => pipe(host, &path.path),
        (_, None) => There::Unknown,
        (_, Some(PathKind::Nowhere)) | (Need::Exists, Some(PathKind::Absent)) => There::No,
        (Need::Folder, Some(PathKind::Absent)) if path.path.starts_with("/dev/") => There::No,
        (Need::Folder, Some(PathKind::Directory)) => There::Unusable("a directory is there"),
        (Need::Folder, Some(_)) if read_only => There::Unusable("its file system is mounted read-only"),
        _ => There::Yes,
    }
}

/// QEMU opens PATH.in and PATH.out, and where these are not there PATH itself.
fn pipe(host: &Host, path: &str) -> There {
    let is = |end: &str| host.paths.get(&format!("{path}{end}")).map(|kind| *kind == PathKind::Special);
    match (is(".in"), is(".out"), is("")) {
        (Some(true), Some(true), _) | (_, _, Some(true)) => There::Yes,
        (Some(_), Some(_), Some(false)) => There::No,
        _ => There::Unknown,
    }
}

/// A memory device or an option ROM of another size fails when its state is loaded.
fn size(instance: &Instance<'_>, path: &HostPath) -> Option<Verdict> {
    if !matches!(path.what.as_str(), "memory device" | "option ROM" | "firmware") {
        return None;
    }
    let of = |host: &Host| host.path_details.get(&path.path)?.size;
    let (here, there) = (of(instance.source())?, of(instance.destination())?);
    (here != there).then(|| {
        let host = name(instance.destination());
        Verdict::fail(format!("{} ({}) has {here} bytes, and {there} on {host}", path.path, path.what))
    })
}
