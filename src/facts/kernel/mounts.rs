//! The mounted file systems, from `proc/self/mountinfo`: they tell whether a path is on shared storage.

use std::collections::BTreeMap;

use super::sysfs::Tree;
use crate::model::snapshot::host::Mount;

/// A host with a thousand containers has less.
const MOUNTINFO: usize = 8 << 20;
const MOST: usize = 8192;

/// File systems without files that a disk could be.
const WITHOUT_FILES: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

/// Every mount that can hold files, by its path. `None` when they cannot be read.
pub(super) fn read(tree: &Tree) -> Option<Vec<Mount>> {
    let text = tree.read("proc/self/mountinfo", MOUNTINFO).ok()??;
    Some(parse(&String::from_utf8_lossy(&text)))
}

fn parse(text: &str) -> Vec<Mount> {
    // What is mounted later on the same path covers what was there.
    let mut by_path = BTreeMap::new();
    for line in text.lines() {
        // 36 35 98:0 /root /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let before: Vec<&str> = before.split(' ').collect();
        let (Some(root), Some(path)) = (before.get(3), before.get(4)) else { continue };
        let mut after = after.split(' ');
        let (Some(fs), Some(source)) = (after.next(), after.next()) else { continue };
        let (root, path, source) = (unescaped(root), unescaped(path), unescaped(source));
        let inside = if root == "/" { "" } else { &root };
        let mount = Mount { path: path.clone(), fs: fs.to_owned(), source: format!("{source}{inside}") };
        by_path.insert(path, mount);
    }
    by_path.into_values().filter(|mount| !WITHOUT_FILES.contains(&mount.fs.as_str())).take(MOST).collect()
}

/// The kernel writes space, tab, newline and backslash as octal numbers.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code {
            out.push(char::from(code));
            rest = &rest[at + 4..];
        } else {
            out.push('\\');
            rest = &rest[at + 1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_mounted_last_where() {
        let mounts = parse(
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /proc rw - proc proc rw\n\
             24 22 0:40 / /srv/vm\\040disks rw shared:7 - ext4 /dev/sdb rw\n\
             25 24 0:41 /sub /srv/vm\\040disks rw - nfs4 filer:/export rw,vers=4.2\nnot a line\n26 1 8:1\n",
        );
        let mount =
            |path: &str, fs: &str, source: &str| Mount { path: path.into(), fs: fs.into(), source: source.into() };
        assert_eq!(mounts, [mount("/", "ext4", "/dev/sda1"), mount("/srv/vm disks", "nfs4", "filer:/export/sub")]);
        assert_eq!(unescaped("a\\134b\\x\\"), "a\\b\\x\\");
    }
}
