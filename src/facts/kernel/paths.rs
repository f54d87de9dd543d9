//! What is at paths of this host that a guest would need.

use std::collections::BTreeMap;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};

use crate::model::snapshot::host::PathKind;

/// No guest uses more files.
pub const MOST_PATHS: usize = 1024;

/// Looks at absolute paths below `root`. Those that cannot be looked at are left out. Links that leave `root` are not followed.
pub fn look(root: &Path, paths: &[String]) -> BTreeMap<String, PathKind> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let Ok(root) = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty()) else { return BTreeMap::new() };
    let open = |path: &Path| rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT);
    let kind = |path: &str| -> Option<PathKind> {
        let path = Path::new(path);
        match open(path) {
            Ok(file) => Some(match FileType::from_raw_mode(rustix::fs::fstat(&file).ok()?.st_mode) {
                FileType::RegularFile => PathKind::File,
                FileType::Directory => PathKind::Directory,
                _ => PathKind::Special,
            }),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => match open(path.parent()?) {
                Ok(_) => Some(PathKind::Absent),
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Some(PathKind::Nowhere),
                Err(_) => None,
            },
            Err(_) => None,
        }
    };
    let absolute = paths.iter().filter(|path| path.starts_with('/')).take(MOST_PATHS);
    absolute.filter_map(|path| Some((path.clone(), kind(path)?))).collect()
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
        let kinds: Vec<_> = found.iter().map(|(path, kind)| (path.as_str(), *kind)).collect();
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
}
