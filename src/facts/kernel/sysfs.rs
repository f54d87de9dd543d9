//! Reading below a root: the one wrapper over `sysfs-class`.
//!
//! The root is a parameter, because fixtures and captures of other machines are read like this machine. Everything is opened
//! relative to a handle, so a link cannot lead out of the root, a rename cannot move the ground, and a device costs few
//! system calls. Files come from a kernel or from somebody else's archive: reads are bounded and never block.

#![expect(
    unsafe_code,
    reason = "the trait of sysfs-class has an unsafe constructor, which must be there and is never called"
)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, ResolveFlags};
use rustix::io::Errno;
use sysfs_class::SysClass;

/// No attribute of sysfs is longer than a page.
const ATTRIBUTE: usize = 4096;
/// Enough for the most crowded folder (a segment group has 65,536 functions); past it a folder is not a kernel's.
const ENTRIES: usize = 1 << 20;

/// A file-system root, read only.
#[derive(Debug)]
pub(crate) struct Tree {
    root: OwnedFd,
    resolve: ResolveFlags,
    fixture: bool,
}

/// A folder in a [`Tree`], such as one PCI function.
#[derive(Debug)]
pub(crate) struct Node {
    dir: OwnedFd,
    path: PathBuf,
}

impl Tree {
    /// Opens the root. Below any other root than `/`, a link that leaves it is an error.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let dir = rustix::fs::openat(CWD, root, folder_flags(), Mode::empty())?;
        let fixture = root != Path::new("/");
        let inside = if fixture { ResolveFlags::BENEATH } else { ResolveFlags::IN_ROOT };
        Ok(Self { root: dir, resolve: inside | ResolveFlags::NO_MAGICLINKS, fixture })
    }

    /// Whether this is not the machine's own root.
    pub(crate) fn is_fixture(&self) -> bool {
        self.fixture
    }

    /// The folder at `path`, which is relative to the root. Links on the way are followed as far as they stay inside.
    pub(crate) fn node(&self, path: &str) -> io::Result<Node> {
        let dir = open_inside(&self.root, path, folder_flags(), self.resolve).map_err(|e| explain(e, path))?;
        Ok(Node { dir, path: PathBuf::from(path) })
    }

    /// At most `limit` bytes of the file at `path`; a longer file is an error. `None` when there is no such file.
    pub(crate) fn read(&self, path: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        match open_inside(&self.root, path, flags, self.resolve) {
            Ok(file) => read_bounded(&file, limit).map(Some),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(e) => Err(explain(e, path)),
        }
    }

    /// One attribute at `path`, trimmed: a single read. `None` when there is no such file.
    pub(crate) fn attr(&self, path: &str) -> io::Result<Option<String>> {
        attribute(open_inside(&self.root, path, attribute_flags(), self.resolve), path)
    }

    /// The text of a small file, trimmed. `None` when it is missing, unreadable or empty: for facts where that says enough.
    pub(crate) fn word(&self, path: &str) -> Option<String> {
        self.attr(path).ok()?.filter(|text| !text.is_empty())
    }

    /// Names in the folder at `path`, sorted; empty when there is no such folder.
    pub(crate) fn names(&self, path: &str) -> Vec<String> {
        self.node(path).and_then(|node| node.names()).unwrap_or_default()
    }

    /// Whether something is at `path`.
    pub(crate) fn has(&self, path: &str) -> bool {
        open_inside(&self.root, path, OFlags::PATH | OFlags::CLOEXEC, self.resolve).is_ok()
    }
}

impl Node {
    /// The folder `name` in this one; a link is not followed.
    pub(crate) fn node(&self, name: &str) -> io::Result<Self> {
        let dir = rustix::fs::openat(&self.dir, name, folder_flags() | OFlags::NOFOLLOW, Mode::empty())?;
        Ok(Self { dir, path: self.path.join(name) })
    }

    /// The bytes of a file in this folder, at most `limit` of them when it is longer.
    pub(crate) fn head<'b>(&self, name: impl rustix::path::Arg, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let file = rustix::fs::openat(&self.dir, name, attribute_flags(), Mode::empty())?;
        let n = rustix::io::read(&file, &mut *buffer)?;
        Ok(&buffer[..n])
    }

    /// An attribute as text, trimmed. `None` when the kernel left it out.
    pub(crate) fn attr(&self, name: &str) -> io::Result<Option<String>> {
        match self.trim_file(name) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// An attribute some folders further down, trimmed: a single read, and no link on the way. `None` when it is not there.
    pub(crate) fn below(&self, path: &str) -> io::Result<Option<String>> {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        attribute(open_inside(&self.dir, path, attribute_flags(), inside), path)
    }

    /// A decimal attribute. `None` when the kernel left it out.
    pub(crate) fn number<N>(&self, name: &str) -> io::Result<Option<N>>
    where
        N: std::str::FromStr,
        N::Err: std::fmt::Display,
    {
        match self.parse_file(name) {
            Ok(number) => Ok(Some(number)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The last part of what the link `name` points to; the link is not followed. `None` when there is none.
    pub(crate) fn link(&self, name: &str) -> io::Result<Option<String>> {
        let mut buffer = [0u8; ATTRIBUTE];
        match rustix::fs::readlinkat_raw(&self.dir, name, &mut buffer) {
            Ok(n) => {
                let target = &buffer[..n];
                let last = target.rsplit(|b| *b == b'/').next().unwrap_or(target);
                Ok(Some(String::from_utf8_lossy(last).into_owned()))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The whole target of the link `name`.
    pub(crate) fn target(&self, name: &str) -> io::Result<String> {
        let mut buffer = [0u8; ATTRIBUTE];
        let n = rustix::fs::readlinkat_raw(&self.dir, name, &mut buffer)?;
        Ok(String::from_utf8_lossy(&buffer[..n]).into_owned())
    }

    /// Whether something is at `path` below this folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        rustix::fs::accessat(&self.dir, path, rustix::fs::Access::EXISTS, AtFlags::empty()).is_ok()
    }

    /// Names in this folder, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let dir = rustix::fs::openat(&self.dir, ".", listing_flags(), Mode::empty())?;
        let mut buffer = vec![MaybeUninit::uninit(); 32 * 1024];
        let mut entries = RawDir::new(&dir, &mut buffer);
        let mut names = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry?;
            if !is_dot(entry.file_name()) {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
            if names.len() > ENTRIES {
                return Err(io::Error::other("more entries than a kernel makes"));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// `trim_file` and `parse_file` of `sysfs-class` then work on the bounded read below: the crate's own would follow links, read
/// without end and wait on a pipe.
impl SysClass for Node {
    fn base() -> &'static str {
        "bus"
    }

    fn class() -> &'static str {
        "pci/devices"
    }

    unsafe fn from_path_unchecked(path: PathBuf) -> Self {
        // Only the crate's constructors call this, and they know one root only. A Node comes from a Tree.
        unreachable!("{} was not opened through a Tree", path.display())
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn read_file<P: AsRef<Path>>(&self, name: P) -> io::Result<String> {
        let mut buffer = [0u8; ATTRIBUTE + 1];
        let bytes = self.head(name.as_ref(), &mut buffer)?;
        if bytes.len() > ATTRIBUTE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than a page"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "not text")),
        }
    }
}

/// Opens `path` without leaving `dir`. While anybody renames or mounts anything anywhere, the kernel cannot vouch for a `..` on
/// the way and says so (openat2(2), `EAGAIN`): then again.
fn open_inside(dir: impl AsFd, path: &str, flags: OFlags, resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    const MOST_TIMES: u32 = 10_000;
    for _ in 1..MOST_TIMES {
        match rustix::fs::openat2(&dir, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => std::hint::spin_loop(),
            other => return other,
        }
    }
    rustix::fs::openat2(dir, path, flags, Mode::empty(), resolve)
}

fn folder_flags() -> OFlags {
    OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn listing_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC
}

fn attribute_flags() -> OFlags {
    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
}

fn attribute(opened: rustix::io::Result<OwnedFd>, path: &str) -> io::Result<Option<String>> {
    let file = match opened {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(e) => return Err(explain(e, path)),
    };
    let mut buffer = [0u8; ATTRIBUTE];
    let n = rustix::io::read(&file, &mut buffer)?;
    Ok(Some(String::from_utf8_lossy(&buffer[..n]).trim().to_owned()))
}

fn is_dot(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

fn read_bounded(file: &OwnedFd, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0u8; 64 * 1024];
    loop {
        let n = rustix::io::read(file, &mut *chunk)?;
        if n == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..n]);
        if bytes.len() > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("longer than {limit} bytes")));
        }
    }
}

fn explain(error: Errno, path: &str) -> io::Error {
    match error {
        Errno::XDEV => io::Error::other(format!("{path}: a link leaves the root")),
        other => io::Error::new(io::Error::from(other).kind(), format!("{path}: {}", io::Error::from(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "makes a tree, and trouble in it")]
    fn renames_elsewhere_do_not_stop_the_reading() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        std::fs::create_dir_all(at("a/b/c")).unwrap();
        std::os::unix::fs::symlink("../a/../a/../a/b/../b/../b/c", at("a/link")).unwrap();
        std::fs::write(at("x"), "").unwrap();
        let tree = Tree::open(place.path()).unwrap();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stopped() {
                    std::fs::rename(at("x"), at("y")).unwrap();
                    std::fs::rename(at("y"), at("x")).unwrap();
                }
            });
            let failed = (0..50_000).find_map(|_| tree.node("a/link").err());
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(failed.is_none(), "{failed:?}");
        });
    }
}
