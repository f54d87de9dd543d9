//! Replaces a file of the operator's, so that at any moment either the old one or the new one is there.

#![expect(clippy::disallowed_methods, reason = "this is where files are written")]

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Writes `after` where `before` was read, with the same mode and owner, and keeps the old file beside it as `NAME.bak`, whose path
/// is returned. A file that has changed meanwhile is left alone; a link stays a link.
pub fn replace(path: &Path, before: &str, after: &str) -> io::Result<PathBuf> {
    let path = path.canonicalize()?;
    if fs::read(&path)? != before.as_bytes() {
        return Err(io::Error::other("it was changed by somebody else meanwhile, or is not UTF-8"));
    }
    let metadata = fs::metadata(&path)?;
    let backup = beside(&path, ".bak");
    for (place, text) in [(&backup, before), (&path, after)] {
        let new = beside(place, ".pvm-new");
        let written = write(&new, text, &metadata).and_then(|()| fs::rename(&new, place));
        if let Err(error) = written {
            // The error is told; what is left of the new file is of no use.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
    }
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(backup)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn write(path: &Path, text: &str, like: &fs::Metadata) -> io::Result<()> {
    // Private until it has its owner: it may hold passwords.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    fchown(&file, Some(like.uid()), Some(like.gid()))?;
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    file.sync_all()
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
