//! Files of QEMU's own packages that a guest needs: firmware, option ROMs that become its memory, modules of its devices.
//!
//! What a definition names is in `guest::paths`; these it does not name.

use super::guest::Guest;

/// Where distributions have QEMU's modules.
const MODULES: &[&str] =
    &["/usr/lib/x86_64-linux-gnu/qemu", "/usr/lib/aarch64-linux-gnu/qemu", "/usr/lib64/qemu", "/usr/lib64/qemu-kvm"];

/// Where they have SeaBIOS and the BIOS of its video cards.
const SEABIOS: &[&str] = &["/usr/share/seabios", "/usr/share/qemu", "/usr/share/qemu-kvm"];

/// libvirt's name of a video model, and its BIOS.
const VIDEO: &[(&str, &str)] = &[
    ("bochs", "vgabios-bochs-display.bin"),
    ("cirrus", "vgabios-cirrus.bin"),
    ("qxl", "vgabios-qxl.bin"),
    ("ramfb", "vgabios-ramfb.bin"),
    ("vga", "vgabios-stdvga.bin"),
    ("virtio", "vgabios-virtio.bin"),
    ("vmvga", "vgabios-vmware.bin"),
];

/// Devices and disks that QEMU has in modules, as far as packages have them apart.
const DEVICES: &[(&str, &str, &str)] = &[
    ("graphics", "spice", "ui-spice-core.so"),
    ("redirdev", "", "hw-usb-redirect.so"),
    ("smartcard", "", "hw-usb-smartcard.so"),
    ("video", "qxl", "hw-display-qxl.so"),
];
const PROTOCOLS: &[(&str, &str)] = &[
    ("gluster", "block-gluster.so"),
    ("http", "block-curl.so"),
    ("https", "block-curl.so"),
    ("iscsi", "block-iscsi.so"),
    ("nfs", "block-nfs.so"),
    ("rbd", "block-rbd.so"),
    ("ssh", "block-ssh.so"),
];

/// A file of QEMU's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QemuFile {
    /// What it is for.
    pub what: String,
    /// Where distributions have it.
    pub places: Vec<String>,
    /// Whether it is a module, which another build of QEMU may have built in.
    pub is_module: bool,
}

impl QemuFile {
    fn new(folders: &[&str], file: &str, what: String) -> Self {
        let places = folders.iter().map(|folder| format!("{folder}/{file}")).collect();
        Self { what, places, is_module: folders == MODULES }
    }
}

/// The files that this guest needs.
pub(crate) fn qemu_files(guest: &Guest) -> Vec<QemuFile> {
    let is_x86 = guest.arch.as_deref().is_none_or(|arch| matches!(arch, "x86_64" | "i686"));
    let mut wanted = Vec::new();
    if is_x86 && !guest.has_loader {
        wanted.push(QemuFile::new(SEABIOS, "bios-256k.bin", "the BIOS of QEMU".to_owned()));
    }
    for (kind, model) in &guest.models {
        let video = VIDEO.iter().filter(|(name, _)| kind == "video" && name == model && is_x86);
        wanted.extend(video.map(|(_, file)| QemuFile::new(SEABIOS, file, format!("the BIOS of video {model}"))));
        let modules = DEVICES.iter().filter(|(of, name, _)| of == kind && (name.is_empty() || name == model));
        wanted.extend(modules.map(|(_, _, file)| QemuFile::new(MODULES, file, format!("QEMU's module for {kind}"))));
    }
    for protocol in guest.disks.iter().filter_map(|disk| disk.protocol.as_deref()) {
        let modules = PROTOCOLS.iter().filter(|(name, _)| *name == protocol);
        let what = format!("QEMU's module for {protocol} disks");
        wanted.extend(modules.map(|(_, file)| QemuFile::new(MODULES, file, what.clone())));
    }
    wanted
}

/// Files that libvirt writes for a guest of this name (`qemuDomainLogContext`, `virPidFileBuildPath`, `virDomainConfigFile`).
pub(crate) fn written_by_libvirt(name: &str) -> [String; 5] {
    [
        format!("/etc/libvirt/qemu/{name}.xml"),
        format!("/etc/libvirt/qemu/{name}.xml.new"),
        format!("/run/libvirt/qemu/{name}.pid"),
        format!("/run/libvirt/qemu/{name}.xml"),
        format!("/var/log/libvirt/qemu/{name}.log"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::guest::read;

    #[test]
    fn what_a_guest_needs_follows_from_its_devices() {
        let files = |xml: &str| -> Vec<String> {
            qemu_files(&read(xml).unwrap()).into_iter().map(|file| file.places[0].clone()).collect()
        };
        let devices = "<smartcard mode='host'/><video><model type='vga'/></video>\
                       <disk type='network'><source protocol='rbd' name='a/b'/><target dev='vda'/></disk>";
        assert_eq!(
            files(&format!("<domain><devices>{devices}</devices></domain>")),
            [
                "/usr/share/seabios/bios-256k.bin",
                "/usr/lib/x86_64-linux-gnu/qemu/hw-usb-smartcard.so",
                "/usr/share/seabios/vgabios-stdvga.bin",
                "/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so",
            ]
        );
        let uefi = "<domain><os firmware='efi'><type arch='x86_64'>hvm</type></os></domain>";
        assert!(files(uefi).is_empty());
    }
}
