//! What libvirt and QEMU themselves need of the destination is there.

use super::prelude::*;
use crate::domain::qemu_files::{QemuFile, qemu_files, written_by_libvirt};
use crate::model::snapshot::Host;
use crate::model::snapshot::host::PathKind;

check! {
    /// The destination lacks a folder, socket or file that libvirt or QEMU needs to start the guest.
    ///
    /// # Meaning
    /// libvirt writes into its own folders when a guest arrives, connects to virtlogd and, where qemu.conf says so, to
    /// virtlockd, and opens /dev/net/tun for an interface; QEMU loads an option ROM for each network interface, which must have
    /// the same size on both hosts, because it is part of the guest's memory.
    /// # Check by hand
    /// On the destination: df and df -i of the folder; ls -l of the file or socket on both hosts.
    /// # Fix
    /// Install the package that the file belongs to (dpkg -S FILE, rpm -qf FILE, on the source), or start the service:
    /// systemctl enable --now virtlogd.socket.
    "libvirt-files": Error, Instance(run), rechecked
}

/// Folders that libvirt writes when a guest arrives.
const FOLDERS: &[&str] = &["/etc/libvirt/qemu", "/run/libvirt/qemu", "/var/lib/libvirt/qemu", "/var/log/libvirt/qemu"];

/// libvirt's name of a network interface's model, where QEMU's option ROM has another.
const ROMS: &[(&str, &str)] =
    &[("virtio", "virtio"), ("virtio-transitional", "virtio"), ("virtio-non-transitional", "virtio")];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let mut verdicts: Vec<_> = FOLDERS.iter().filter_map(|folder| cannot_write(host, folder)).collect();
    verdicts.extend(in_the_way(instance));
    verdicts.extend(sockets(host));
    verdicts.extend(few_files(host));
    if instance.guest.interfaces.iter().any(|nic| matches!(nic.kind.as_str(), "bridge" | "network" | "ethernet")) {
        verdicts.extend(
            absent(host, "/dev/net/tun")
                .then(|| Verdict::fail(format!("{} has no /dev/net/tun", name(host))).remedy("modprobe tun, there")),
        );
    }
    verdicts.extend(roms(instance));
    verdicts.extend(keymaps(instance));
    verdicts.extend(lacking(instance));
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

/// Sockets and files that libvirt opens to start a guest, at least.
const FILES: u64 = 12;

/// A daemon that is at the end of its limit of open files.
fn few_files(host: &Host) -> Option<Verdict> {
    let left = host.guest_limits.as_ref()?.files_left.filter(|left| *left < FILES)?;
    Some(
        Verdict::fail(format!("libvirt on {} may open {left} more files, and needs more to start a guest", name(host)))
            .remedy(format!("LimitNOFILE of libvirt's service on {}", name(host))),
    )
}

/// Keyboard layouts of graphics servers that only the source's QEMU has.
fn keymaps(instance: &Instance<'_>) -> Vec<Verdict> {
    let (source, host) = (instance.source(), instance.destination());
    let files = instance.guest.graphics.iter().flat_map(crate::domain::guest::Graphics::keymap_files);
    let lacks = |file: &String| {
        source.paths.get(file) == Some(&PathKind::File)
            && matches!(host.paths.get(file), Some(PathKind::Absent | PathKind::Nowhere))
    };
    files.filter(lacks).map(|file| Verdict::fail(format!("{} lacks the keymap {file}", name(host)))).collect()
}

/// Files of QEMU's packages that the guest needs and only the source has. Another release may have a module built in.
fn lacking(instance: &Instance<'_>) -> Vec<Verdict> {
    let (source, host) = (instance.source(), instance.destination());
    let same_release = source.qemu.is_some() && source.qemu == host.qemu;
    let is_there = |path: &&String| source.paths.get(*path) == Some(&PathKind::File);
    let is_absent = |path: &String| matches!(host.paths.get(path), Some(PathKind::Absent | PathKind::Nowhere));
    let lacks = |file: QemuFile| {
        let here = file.places.iter().find(is_there)?;
        let message = format!("{} lacks {here}, {}", name(host), file.what);
        let verdict = if file.is_module && !same_release { Verdict::unknown(message) } else { Verdict::fail(message) };
        let verdict = verdict.remedy(format!(
            "dpkg -S {0} or rpm -qf {0}, on {1}, names the package",
            quoted(here),
            name(source)
        ));
        file.places.iter().all(is_absent).then_some(verdict)
    };
    qemu_files(instance.guest).into_iter().filter_map(lacks).collect()
}

/// Whether a path is certainly not there, or is no device or socket.
/// What has the name of a file that libvirt writes for the guest, or of a folder for one of its devices.
fn in_the_way(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let files = written_by_libvirt(&instance.domain.name);
    let files = files.iter().filter(|path| host.paths.get(*path) == Some(&PathKind::Directory));
    let files = files.map(|path| {
        Verdict::fail(format!("libvirt on {} cannot write {path}, which is a folder", name(host))).remedy(format!(
            "on {}: rmdir {}",
            name(host),
            quoted(path)
        ))
    });
    let swtpm = instance.guest.tpm.is_some().then_some("/var/lib/libvirt/swtpm");
    let folders =
        swtpm.into_iter().filter(|path| matches!(host.paths.get(*path), Some(PathKind::File | PathKind::Special)));
    let folders = folders.map(|path| {
        Verdict::fail(format!("libvirt on {} cannot write below {path}, which is no folder", name(host)))
            .remedy(format!("on {}: ls -ld {path}", name(host)))
    });
    files.chain(folders).collect()
}

fn absent(host: &Host, path: &str) -> bool {
    host.paths.get(path).is_some_and(|kind| *kind != PathKind::Special)
}

fn cannot_write(host: &Host, folder: &str) -> Option<Verdict> {
    let details = host.path_details.get(folder)?;
    let why = if details.read_only == Some(true) {
        "is mounted read-only"
    } else if details.free_inodes == Some(0) {
        "has no free inodes"
    } else if details.free_bytes == Some(0) {
        "is full"
    } else {
        return None;
    };
    Some(Verdict::fail(format!("libvirt cannot write {folder} on {}: the file system {why}", name(host))))
}

fn sockets(host: &Host) -> Vec<Verdict> {
    let needed = [
        (host.log_handler.as_deref() == Some("logd"), "/run/libvirt/virtlogd-sock", "virtlogd"),
        (host.lock_manager.as_deref() == Some("lockd"), "/run/libvirt/virtlockd-sock", "virtlockd"),
    ];
    needed
        .into_iter()
        .filter(|(wanted, socket, _)| *wanted && absent(host, socket))
        .map(|(_, _, service)| {
            Verdict::fail(format!("{} does not listen on {}", service, name(host)))
                .remedy(format!("systemctl enable --now {service}.socket, on {}", name(host)))
        })
        .collect()
}

/// Option ROMs of the guest's interfaces that are not there, or have another size.
fn roms(instance: &Instance<'_>) -> Vec<Verdict> {
    let (source, host) = (instance.source(), instance.destination());
    let mut verdicts = Vec::new();
    for model in &instance.guest.roms {
        let file = ROMS.iter().find(|(libvirt, _)| libvirt == model).map_or(model.as_str(), |(_, rom)| rom);
        let path = format!("/usr/lib/ipxe/qemu/efi-{file}.rom");
        if source.paths.get(&path) != Some(&PathKind::File) {
            continue; // another distribution's folder
        }
        let size = |host: &Host| host.path_details.get(&path).and_then(|details| details.size);
        match (host.paths.get(&path), size(source), size(host)) {
            (Some(PathKind::Absent | PathKind::Nowhere), _, _) => {
                verdicts.push(Verdict::fail(format!("{} lacks {path}, the option ROM of {model}", name(host))));
            }
            // QEMU's memory for it is the next power of two.
            (_, Some(here), Some(there)) if here.next_power_of_two() != there.next_power_of_two() => {
                verdicts.push(Verdict::fail(format!(
                    "{path}, the option ROM of {model}, has {here} bytes, and {there} on {}",
                    name(host)
                )));
            }
            _ => {}
        }
    }
    verdicts
}
