//! Several hosts by one word: a group of pvm.yaml, or a directory of snapshots.

use std::path::{Path, PathBuf};

use super::reference::{HostRef, HostRefError, is_snapshot_name};
use super::remote::packed::Packing;
use super::settings::Settings;

/// More snapshots than a directory has hosts.
const MOST_HOSTS: usize = 1 << 14;

/// One host that a word stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    /// The host.
    pub host: HostRef,
    /// Whether the word stands for several, of which the operator may not have meant each.
    pub is_one_of_several: bool,
}

/// Why a word stands for no hosts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetError {
    /// One of them is no host.
    #[error(transparent)]
    Host(#[from] HostRefError),
    /// The directory cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// There is no snapshot in it.
    #[error("{} has no snapshot (a file that ends in .json or .yaml, with .gz or .zst)", .0.display())]
    Empty(PathBuf),
    /// There are more than any fleet has.
    #[error("{} has more than {MOST_HOSTS} snapshots", .0.display())]
    TooMany(PathBuf),
}

/// The hosts that `text` stands for, in the order of the group or by file name.
pub(crate) fn members(text: &str, settings: &Settings) -> Result<Vec<Member>, FleetError> {
    let several = |host| Member { host, is_one_of_several: true };
    if let Some(names) = settings.groups.get(text) {
        let hosts = names.iter().map(|name| HostRef::parse(name, settings).map(several));
        return Ok(hosts.collect::<Result<_, _>>()?);
    }
    match directory(text, settings) {
        Some(path) => Ok(snapshots(&path)?.into_iter().map(HostRef::Snapshot).map(several).collect()),
        None => Ok(vec![Member { host: HostRef::parse(text, settings)?, is_one_of_several: false }]),
    }
}

/// The directory that `text` names, if it is the path of one.
fn directory(text: &str, settings: &Settings) -> Option<PathBuf> {
    let path = match HostRef::parse(text, settings) {
        Ok(HostRef::Snapshot(path)) => Some(path),
        // Without a slash it is one where no host of pvm.yaml has the name.
        Ok(HostRef::Name(name)) => Some(PathBuf::from(name)),
        _ => None,
    };
    path.filter(|path| path.is_dir())
}

/// The snapshots in a directory by name; a file that begins with a dot is none, and nothing in a directory below it is.
#[expect(clippy::disallowed_methods, reason = "the directory that the operator named")]
fn snapshots(directory: &Path) -> Result<Vec<PathBuf>, FleetError> {
    let unreadable = |source| FleetError::Read { path: directory.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if is_hidden || !is_snapshot_name(&path) || path.is_dir() {
            continue;
        }
        if found.len() == MOST_HOSTS {
            return Err(FleetError::TooMany(directory.to_owned()));
        }
        found.push(path);
    }
    if found.is_empty() {
        return Err(FleetError::Empty(directory.to_owned()));
    }
    found.sort_by_cached_key(|path| Packing::of(path).1.into_owned());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str, settings: &Settings) -> Vec<(String, bool)> {
        let members = members(text, settings).unwrap();
        members.into_iter().map(|member| (member.host.label(), member.is_one_of_several)).collect()
    }

    #[test]
    fn a_group_stands_for_its_hosts_in_its_order() {
        let settings = Settings::parse("hosts: {a: {}}\ngroups: {rack7: [b, a, ./c.json]}").unwrap();
        let all = [("b".to_owned(), true), ("a".to_owned(), true), ("./c.json".to_owned(), true)];
        assert_eq!(labels("rack7", &settings), all);
        assert_eq!(labels("a", &settings), [("a".to_owned(), false)]);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test makes files")]
    fn a_directory_stands_for_its_snapshots_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().to_str().unwrap();
        let nothing = Settings::default();
        assert!(matches!(members(text, &nothing), Err(FleetError::Empty(_))));
        for name in ["b.json.gz", "a.yaml", "c.json.zst", ".hidden.json", "notes.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("old.json")).unwrap();
        let names: Vec<String> = labels(text, &nothing).into_iter().map(|(label, _)| label).collect();
        assert_eq!(names, ["a.yaml", "b.json.gz", "c.json.zst"].map(|name| format!("{text}/{name}")));
    }
}
