//! Replaces a file of the operator's, so that at any moment either the old one or the new one is there.

#![expect(clippy::disallowed_methods, reason = "this is where files are written")]

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::XattrFlags;
use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::model::regular::read_regular_text;

/// Old copies of one file that are kept.
const MOST_BACKUPS: usize = 100;

/// Writes `after` where `before` was read, with the same mode, owner and extended attributes (ACLs, SELinux), and keeps the old
/// file beside it as `NAME.bak`, `NAME.bak.1` and so on, whose path is returned. A link stays a link.
///
/// # Errors
///
/// When the file has changed meanwhile, has several names (all but one would keep the old text), or cannot be written; then it
/// is as it was.
pub(crate) fn replace(path: &Path, before: &str, after: &str) -> io::Result<PathBuf> {
    let path = path.canonicalize()?;
    let like = File::open(&path)?;
    let metadata = like.metadata()?;
    if !metadata.is_file() || metadata.nlink() > 1 {
        return Err(io::Error::other("it is not a regular file of one name"));
    }
    if fs::read(&path)? != before.as_bytes() {
        return Err(io::Error::other("it was changed by somebody else meanwhile"));
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let old = write(directory, before, &like)?;
    let new = write(directory, after, &like)?;
    let backup = keep(old, &path)?;
    new.persist(&path)?;
    File::open(directory)?.sync_all()?;
    Ok(backup)
}

/// Gives the old file the first name that is free: an earlier `.bak` may be the only copy of what was there first.
fn keep(mut old: NamedTempFile, path: &Path) -> io::Result<PathBuf> {
    for number in 0..MOST_BACKUPS {
        let mut name = path.as_os_str().to_owned();
        name.push(if number == 0 { ".bak".to_owned() } else { format!(".bak.{number}") });
        match old.persist_noclobber(&name) {
            Ok(_) => return Ok(name.into()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => old = error.file,
            Err(error) => return Err(error.error),
        }
    }
    Err(io::Error::other(format!("there are {MOST_BACKUPS} old copies beside it; remove some")))
}

/// Writes a private file of pvm's own, at once: a reader sees the old one or the new one. A link stays a link.
///
/// # Errors
///
/// When there is something else than a regular file under that name (a device, a pipe), or the file cannot be written.
pub(crate) fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let is_there = path.symlink_metadata().is_ok();
    let path = if is_there { path.canonicalize()? } else { path.to_owned() };
    if is_there && !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let mut new = tempfile::Builder::new().prefix(".pvm-").tempfile_in(directory.unwrap_or(Path::new(".")))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(&path)?;
    Ok(())
}

/// Whether there is a file of that name which holds something else than a document of this schema: nobody means to lose it.
pub(crate) fn holds_other(path: &Path, schema: &str) -> bool {
    const MOST_BYTES: u64 = 256 << 20;
    if !path.metadata().is_ok_and(|there| there.is_file() && there.len() > 0) {
        return false;
    }
    let text = read_regular_text(path, MOST_BYTES).unwrap_or_default();
    let document = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
    document.get("schema").and_then(serde_json::Value::as_str) != Some(schema)
}

/// A new file beside the one it will replace. It is private until it has its owner, for it may hold passwords.
fn write(directory: &Path, text: &str, like: &File) -> io::Result<NamedTempFile> {
    let mut new = tempfile::Builder::new().prefix(".pvm-").tempfile_in(directory)?;
    let metadata = like.metadata()?;
    let file = new.as_file_mut();
    file.write_all(text.as_bytes())?;
    fchown(&*file, Some(metadata.uid()), Some(metadata.gid()))?;
    copy_attributes(like, file)?;
    file.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    file.sync_all()?;
    Ok(new)
}

fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0; 1 << 16];
    let length = match rustix::fs::flistxattr(from, &mut names) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        length => length?,
    };
    let mut value = vec![0; 1 << 16];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_owner_links_and_the_old_file_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("nova.conf"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(12), Some(34)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        std::os::unix::fs::symlink("nova.conf", &link).unwrap();
        let backup = replace(&link, "old", "new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(
            (fs::read_to_string(&path).unwrap(), fs::read_to_string(&backup).unwrap()),
            ("new".into(), "old".into())
        );
        for after in [&path, &backup].map(|path| fs::metadata(path).unwrap()) {
            assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
        assert_eq!(replace(&path, "new", "newer").unwrap(), dir.path().join("nova.conf.bak.1"));
        let texts = ["nova.conf", "nova.conf.bak", "nova.conf.bak.1"]
            .map(|name| fs::read_to_string(dir.path().join(name)).unwrap());
        assert_eq!(texts, ["newer", "old", "new"], "the first copy is kept");
    }

    #[test]
    fn only_a_regular_file_is_put_in_the_place_of_another_and_a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let [file, link, dangling, pipe] = ["file", "link", "dangling", "pipe"].map(|name| dir.path().join(name));
        put(&file, b"one").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        put(&link, b"two").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        std::os::unix::fs::symlink("nothing", &dangling).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        for other in [&dangling, &pipe, &dir.path().to_owned()] {
            put(other, b"three").unwrap_err();
        }
        let kind = |path: &Path| path.symlink_metadata().unwrap().file_type();
        assert!(kind(&dangling).is_symlink() && !kind(&pipe).is_file());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
    }

    #[test]
    fn extended_attributes_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nova.conf");
        fs::write(&path, "old").unwrap();
        let attribute = |path: &Path| {
            let mut value = [0; 16];
            rustix::fs::getxattr(path, "user.pvm", &mut value[..]).map(|length| value[..length].to_vec())
        };
        rustix::fs::setxattr(&path, "user.pvm", b"kept", XattrFlags::empty()).unwrap();
        let backup = replace(&path, "old", "new").unwrap();
        assert_eq!((attribute(&path).unwrap(), attribute(&backup).unwrap()), (b"kept".to_vec(), b"kept".to_vec()));
    }

    #[test]
    fn a_file_of_two_names_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("nova.conf"), dir.path().join("other"));
        fs::write(&path, "old").unwrap();
        fs::hard_link(&path, &other).unwrap();
        assert!(replace(&path, "old", "new").unwrap_err().to_string().contains("one name"));
        assert_eq!(fs::read_to_string(&other).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_file_that_has_changed_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nova.conf");
        fs::write(&path, "edited").unwrap();
        assert!(replace(&path, "old", "new").unwrap_err().to_string().contains("changed"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "edited");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
