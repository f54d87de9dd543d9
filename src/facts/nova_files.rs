//! Reads Nova's configuration files: those named, or those Nova itself would find (`oslo_config/cfg.py`,
//! `find_config_files` and `find_config_dirs` for project `nova`, program `nova-compute`).

#![expect(clippy::disallowed_methods, reason = "this is where files are read")]

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::model::regular::read_regular;
use crate::nova::config::Input;

/// Larger than any configuration.
const MOST_BYTES: u64 = 4 << 20;

/// More than any directory of configuration holds.
const MOST_FILES: usize = 256;

/// Where Nova looks, in this order. The service's home comes first.
const PLACES: [&str; 4] = ["var/lib/nova/.nova", "var/lib/nova", "etc/nova", "etc"];

/// Where deployment tools keep the file of the container or snap that nova-compute runs in: kolla-ansible, the
/// openstack-hypervisor snap, TripleO. Nova itself does not see these paths.
const DEPLOYED: [&str; 3] = [
    "etc/kolla/nova-compute",
    "var/snap/openstack-hypervisor/common/etc/nova",
    "var/lib/config-data/puppet-generated/nova_libvirt/etc/nova",
];

/// A path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// Where a configuration is looked for, for people.
pub(crate) fn places() -> String {
    PLACES.iter().chain(&DEPLOYED).map(|place| format!("/{place}")).collect::<Vec<_>>().join(", ")
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum NovaFileError {
    /// Not there, or not allowed.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The files named, a directory standing for its `*.conf` in name order; where none is named, Nova's own search under
/// `root`. An empty list means that there is no configuration.
pub(crate) fn read(root: &Path, paths: &[PathBuf]) -> Result<Vec<Input>, NovaFileError> {
    let mut files = Vec::new();
    if paths.is_empty() {
        search(root, &mut files)?;
    }
    for path in paths {
        if path.is_dir() {
            files.extend(conf_files(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let (mut inputs, mut size) = (Vec::new(), 0);
    for path in files {
        let input = read_one(&path)?;
        size += input.bytes.len() as u64;
        if size > MOST_BYTES {
            let source =
                io::Error::other(format!("with the files before it, it is larger than {} MiB", MOST_BYTES >> 20));
            return Err(NovaFileError::Read { path, source });
        }
        inputs.push(input);
    }
    Ok(inputs)
}

fn search(root: &Path, files: &mut Vec<PathBuf>) -> Result<(), NovaFileError> {
    let in_container =
        DEPLOYED.iter().map(|place| root.join(place)).find(|place| stays(root, &place.join("nova.conf")));
    let first = |name: &str| PLACES.iter().map(|place| root.join(place).join(name)).find(|path| stays(root, path));
    files.extend(["nova.conf", "nova-compute.conf"].into_iter().filter_map(first));
    for dir in ["nova.conf.d", "nova-compute.conf.d"].into_iter().filter_map(first) {
        files.extend(conf_files(&dir)?.into_iter().filter(|path| stays(root, path)));
    }
    if files.is_empty()
        && let Some(place) = in_container
    {
        files.push(place.join("nova.conf"));
        let dir = place.join("nova.conf.d");
        if stays(root, &dir) {
            files.extend(conf_files(&dir)?.into_iter().filter(|path| stays(root, path)));
        }
    }
    Ok(())
}

/// Whether a path exists and no link in it leads out of `root`.
fn stays(root: &Path, path: &Path) -> bool {
    let (Ok(root), Ok(path)) = (root.canonicalize(), path.canonicalize()) else { return false };
    path.starts_with(root)
}

fn conf_files(dir: &Path) -> Result<Vec<PathBuf>, NovaFileError> {
    let failed = |source| NovaFileError::Read { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if counts_in_directory(&path) {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(failed(io::Error::other(format!("it holds more than {MOST_FILES} files"))));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a file of a directory is read: a shell's `*.conf`, which leaves hidden files out.
pub fn counts_in_directory(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "conf")
        && path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
}

fn read_one(path: &Path) -> Result<Input, NovaFileError> {
    let failed = |source| NovaFileError::Read { path: path.to_owned(), source };
    if path == Path::new(STANDARD_INPUT) {
        let mut bytes = Vec::new();
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        return Ok(Input { name: STANDARD_INPUT.to_owned(), bytes });
    }
    let bytes = read_regular(path, MOST_BYTES).map_err(failed)?;
    Ok(Input { name: path.display().to_string(), bytes })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
        let inputs = read(root, paths).unwrap();
        inputs.iter().map(|i| Path::new(&i.name).strip_prefix(root).unwrap().display().to_string()).collect()
    }

    #[test]
    fn what_deployment_tools_keep_counts_where_nova_itself_finds_nothing() {
        for place in DEPLOYED {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join(place)).unwrap();
            fs::write(root.path().join(place).join("nova.conf"), "").unwrap();
            assert_eq!(names(root.path(), &[]), [format!("{place}/nova.conf")]);
            fs::create_dir_all(root.path().join("etc/nova")).unwrap();
            fs::write(root.path().join("etc/nova/nova.conf"), "").unwrap();
            assert_eq!(names(root.path(), &[]), ["etc/nova/nova.conf"]);
        }
    }

    #[test]
    fn searches_as_nova_does() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let put = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for path in
            ["etc/nova/nova.conf", "etc/nova.conf", "etc/nova/nova.conf.d/20.conf", "etc/nova/nova.conf.d/10.conf"]
        {
            put(path);
        }
        put("etc/nova/nova.conf.d/x.CONF");
        put("etc/nova/nova.conf.d/.hidden.conf");
        fs::write(outside.path().join("nova-compute.conf"), "").unwrap();
        std::os::unix::fs::symlink(
            outside.path().join("nova-compute.conf"),
            root.path().join("etc/nova/nova-compute.conf"),
        )
        .unwrap();
        assert_eq!(
            names(root.path(), &[]),
            ["etc/nova/nova.conf", "etc/nova/nova.conf.d/10.conf", "etc/nova/nova.conf.d/20.conf"]
        );
        let dir = root.path().join("etc/nova/nova.conf.d");
        assert_eq!(names(root.path(), &[dir]).len(), 2);
        assert!(read(root.path(), &[root.path().join("missing")]).is_err());
    }
}
