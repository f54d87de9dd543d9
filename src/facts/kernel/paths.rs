//! What is at paths of this host that a guest would need.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::qcow2;
use crate::model::snapshot::host::{PathDetails, PathKind};
use crate::model::snapshot::reach::Attempt;

/// No guest uses more files.
pub(crate) const MOST_PATHS: usize = 1024;

/// What libvirt and QEMU use of any host, beside what a guest names: folders that they write, sockets of their helpers, hooks.
pub(crate) const STANDARD: &[&str] = &[
    "/dev/net/tun",
    "/dev/shm",
    "/etc/libvirt/hooks/qemu",
    "/etc/libvirt/hooks/qemu.d",
    "/etc/libvirt/qemu",
    "/run/libvirt/qemu",
    "/run/libvirt/virtlockd-sock",
    "/run/libvirt/virtlogd-sock",
    "/usr/lib/ipxe/qemu",
    "/usr/lib/ipxe/qemu/efi-e1000.rom",
    "/usr/lib/ipxe/qemu/efi-e1000e.rom",
    "/usr/lib/ipxe/qemu/efi-ne2k_pci.rom",
    "/usr/lib/ipxe/qemu/efi-pcnet.rom",
    "/usr/lib/ipxe/qemu/efi-rtl8139.rom",
    "/usr/lib/ipxe/qemu/efi-virtio.rom",
    "/usr/lib/ipxe/qemu/efi-vmxnet3.rom",
    "/usr/share/qemu",
    "/usr/share/qemu/keymaps",
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/seabios/vgabios-stdvga.bin",
    "/var/lib/libvirt/qemu",
    "/var/lib/libvirt/qemu/nvram",
    "/var/lib/libvirt/swtpm",
    "/var/log/libvirt/qemu",
];

/// No attribute of a block device is longer.
const MOST_ATTRIBUTE: u64 = 512;

/// What was found at each path. Paths that could not be looked at are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Found {
    /// What it is.
    pub paths: BTreeMap<String, PathKind>,
    /// More about it.
    pub details: BTreeMap<String, PathDetails>,
    /// Servers that were tried, by `HOST:PORT`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, Attempt>,
}

/// Looks at absolute paths below `root`. Links that leave `root` are not followed.
pub(crate) fn look<P: AsRef<str>>(root: &Path, paths: &[P]) -> Found {
    let mut found = Found::default();
    let Ok(tree) = Tree::open(root) else { return found };
    let asked = paths.iter().map(AsRef::as_ref).filter(|path| path.starts_with('/')).take(MOST_PATHS);
    let mut files = Vec::new();
    for path in asked {
        let Some((kind, details)) = tree.look(Path::new(path)) else { continue };
        files.extend(details.data_file.clone());
        found.paths.insert(path.to_owned(), kind);
        found.details.insert(path.to_owned(), details);
    }
    // What images name is known only now.
    for path in files.into_iter().take(MOST_PATHS) {
        if let Some((kind, details)) = tree.look(Path::new(&path)) {
            found.paths.insert(path.clone(), kind);
            found.details.insert(path, details);
        }
    }
    found
}

/// A file-system root that nothing leaves.
struct Tree(OwnedFd);

impl Tree {
    fn open(root: &Path) -> Result<Self, Errno> {
        rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC | OFlags::DIRECTORY, Mode::empty()).map(Self)
    }

    fn at(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        rustix::fs::openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)
    }

    fn look(&self, path: &Path) -> Option<(PathKind, PathDetails)> {
        match self.at(path, OFlags::PATH) {
            Ok(file) => {
                let (kind, mut details) = self.describe(&file)?;
                let may_be_image = kind == PathKind::File || details.device.as_deref() == Some("block");
                details.data_file = may_be_image.then(|| self.data_file(path)).flatten();
                Some((kind, details))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => match self.at(path.parent()?, OFlags::PATH) {
                Ok(folder) => Some((PathKind::Absent, PathDetails { device: None, size: None, ..space(&folder) })),
                Err(Errno::NOENT | Errno::NOTDIR) => Some((PathKind::Nowhere, PathDetails::default())),
                Err(_) => None,
            },
            Err(_) => None,
        }
    }

    fn describe(&self, file: &OwnedFd) -> Option<(PathKind, PathDetails)> {
        let stat = rustix::fs::fstat(file).ok()?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let details = space(file);
        Some(match kind {
            FileType::RegularFile => {
                let (size, executable) = (u64::try_from(stat.st_size).ok(), stat.st_mode & 0o111 != 0);
                (PathKind::File, PathDetails { size, executable, ..details })
            }
            FileType::Directory => (PathKind::Directory, details),
            FileType::BlockDevice => {
                let (size, identity) = self.block_device(&stat);
                (PathKind::Special, PathDetails { device: Some("block".to_owned()), size, identity, ..details })
            }
            other => {
                let word = match other {
                    FileType::CharacterDevice => "character",
                    FileType::Socket => "socket",
                    FileType::Fifo => "pipe",
                    _ => return Some((PathKind::Special, details)),
                };
                (PathKind::Special, PathDetails { device: Some(word.to_owned()), ..details })
            }
        })
    }

    /// The file that holds the data of the image at `path`, by its full name.
    fn data_file(&self, path: &Path) -> Option<String> {
        let file = std::fs::File::from(self.at(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY).ok()?);
        let mut header = Vec::new();
        file.take(u64::try_from(qcow2::HEADER).ok()?).read_to_end(&mut header).ok()?;
        let name = qcow2::data_file(&header)?;
        let name = name.strip_prefix("file:").unwrap_or(&name);
        Some(path.parent()?.join(name).to_string_lossy().into_owned())
    }

    /// Size and identity of a block device, as sysfs tells them by its numbers.
    fn block_device(&self, stat: &Stat) -> (Option<u64>, Option<String>) {
        let (major, minor) = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let attribute = |name: &str| self.attribute(&format!("/sys/dev/block/{major}:{minor}/{name}"));
        // The kernel counts in 512 bytes, whatever the device's sectors.
        let size = attribute("size").and_then(|sectors| sectors.parse::<u64>().ok()?.checked_mul(512));
        (size, ["dm/uuid", "wwid", "device/wwid"].into_iter().find_map(attribute))
    }

    fn attribute(&self, path: &str) -> Option<String> {
        let file = self.at(Path::new(path), OFlags::RDONLY | OFlags::NONBLOCK).ok()?;
        let mut text = String::new();
        std::fs::File::from(file).take(MOST_ATTRIBUTE).read_to_string(&mut text).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// What the file system has left there, and whether it can be written at all.
fn space(file: &OwnedFd) -> PathDetails {
    let Ok(stat) = rustix::fs::fstatvfs(file) else { return PathDetails::default() };
    PathDetails {
        read_only: Some(stat.f_flag.contains(StatVfsMountFlags::RDONLY)),
        free_bytes: stat.f_bfree.checked_mul(stat.f_frsize),
        free_inodes: (stat.f_files > 0).then_some(stat.f_ffree),
        ..PathDetails::default()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it looks at")]
mod tests {
    use super::*;

    #[test]
    fn tells_files_from_gaps_and_stays_below_its_root() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("d")).unwrap();
        std::fs::write(at("d/f"), "").unwrap();
        std::os::unix::fs::symlink("/d/f", at("link")).unwrap();
        std::os::unix::fs::symlink("/proc/self", at("out")).unwrap();
        let asked = ["/d", "/d/f", "/d/none", "/none/x", "/link", "/out/maps", "relative"].map(str::to_owned);
        let found = look(dir.path(), &asked);
        let kinds: Vec<_> = found.paths.iter().map(|(path, kind)| (path.as_str(), *kind)).collect();
        assert_eq!(
            kinds,
            [
                ("/d", PathKind::Directory),
                ("/d/f", PathKind::File),
                ("/d/none", PathKind::Absent),
                ("/link", PathKind::File),
                ("/none/x", PathKind::Nowhere),
                ("/out/maps", PathKind::Nowhere),
            ]
        );
    }

    #[test]
    fn tells_how_large_and_of_what_kind_things_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), "12345").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let found = look(dir.path(), &["/f", "/s", "/none"].map(str::to_owned));
        assert_eq!(found.details["/f"].size, Some(5));
        assert_eq!(found.details["/s"].device.as_deref(), Some("socket"));
        assert_eq!((found.details["/none"].size, found.details["/none"].read_only), (None, Some(false)));
        let here = look(Path::new("/"), &["/dev/null".to_owned(), "/proc/version".to_owned()]);
        assert_eq!(here.details["/dev/null"].device.as_deref(), Some("character"));
    }
}
