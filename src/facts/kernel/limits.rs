//! What the guests of this host may use at most: control groups of libvirt's daemon, or of systemd's slice for machines.

use super::cpu_list::cpu_list;
use super::sysfs::Tree;
use crate::model::snapshot::host::GuestLimits;

/// Where the daemons write their process number.
const DAEMONS: [&str; 4] =
    ["run/libvirtd.pid", "run/libvirt/libvirtd.pid", "run/virtqemud.pid", "run/libvirt/virtqemud.pid"];
/// Guests are below these where systemd or libvirt put them aside; else below their daemon.
const SLICES: [&str; 2] = ["machine.slice", "machine"];
const CGROUPS: &str = "sys/fs/cgroup";
/// What the kernel says for no limit is this or more (`PAGE_COUNTER_MAX` in bytes).
const NO_LIMIT: u64 = 1 << 60;

/// The limits; `None` where libvirt's daemon does not run or its groups are not known.
pub(super) fn read(tree: &Tree) -> Option<GuestLimits> {
    let pid: u32 = DAEMONS.iter().find_map(|file| tree.word(file)?.parse().ok())?;
    let groups = tree.word(&format!("proc/{pid}/cgroup"))?;
    // One line for each hierarchy: `N:CONTROLLERS:PATH`; version 2 has one, without controllers.
    let own = |controller: &str| {
        groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            controllers.split(',').any(|one| one == controller).then(|| path.trim_matches('/').to_owned())
        })
    };
    let place = |controller: &str| {
        let (base, path) = match own(controller) {
            Some(path) => (format!("{CGROUPS}/{controller}"), path),
            None => (CGROUPS.to_owned(), own("")?),
        };
        let slice = SLICES.iter().find(|slice| tree.has(&format!("{base}/{slice}")));
        Some((base, slice.map_or(path, |slice| (*slice).to_owned())))
    };
    let memory = place("memory").and_then(|(base, path)| {
        let limit = |folder: &str| {
            ["memory.max", "memory.limit_in_bytes"]
                .iter()
                .find_map(|file| tree.word(&format!("{folder}/{file}"))?.parse().ok())
        };
        upwards(&base, &path).filter_map(|folder| limit(&folder)).filter(|limit| *limit < NO_LIMIT).min()
    });
    let cpus_of = |folder: &str| {
        let files = ["cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus"];
        files.iter().find_map(|file| tree.word(&format!("{folder}/{file}"))).map(|list| cpu_list(&list))
    };
    let cpus = place("cpuset").and_then(|(base, path)| cpus_of(&format!("{base}/{path}")));
    let daemon_cpus = match own("cpuset") {
        Some(path) => cpus_of(&format!("{CGROUPS}/cpuset/{path}")),
        None => own("").and_then(|path| cpus_of(&format!("{CGROUPS}/{path}"))),
    };
    // Where control groups are not mounted, as in some containers, the process itself tells.
    let allowed = || {
        let status = tree.word(&format!("proc/{pid}/status"))?;
        status.lines().find_map(|line| Some(cpu_list(line.strip_prefix("Cpus_allowed_list:")?.trim())))
    };
    let (cpus, daemon_cpus) = (cpus.or_else(allowed), daemon_cpus.or_else(allowed));
    let resources = tree.word(&format!("proc/{pid}/limits")).unwrap_or_default();
    let address_space = ["Max address space", "Max data size"].iter().filter_map(|name| soft(&resources, name)).min();
    let open = tree.node(&format!("proc/{pid}/fd")).and_then(|folder| folder.names()).ok();
    let open = open.and_then(|open| u64::try_from(open.len()).ok());
    let files_left = soft(&resources, "Max open files").zip(open).map(|(most, open)| most.saturating_sub(open));
    Some(GuestLimits { memory, address_space, files_left, cpus, daemon_cpus })
}

/// The soft limit of a resource in `/proc/PID/limits`, which a guest's QEMU inherits; none where there is no limit.
fn soft(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse().ok())
}

/// A group's folder and all above it.
fn upwards(base: &str, path: &str) -> impl Iterator<Item = String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..=parts.len()).rev().map(move |n| format!("{base}/{}", parts[..n].join("/"))).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it reads")]
mod tests {
    use super::*;

    fn limits(files: &[(&str, &str)]) -> Option<GuestLimits> {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        read(&Tree::open(dir.path()).unwrap())
    }

    #[test]
    fn the_narrowest_group_above_the_guests_counts() {
        let pid = ("run/libvirtd.pid", "7\n");
        let second = [
            pid,
            ("proc/7/cgroup", "0::/system.slice/libvirtd.service\n"),
            ("sys/fs/cgroup/system.slice/libvirtd.service/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "1000000\n"),
            ("sys/fs/cgroup/system.slice/libvirtd.service/cpuset.cpus.effective", "0,2-3\n"),
        ];
        let expected = |memory, cpus: &[u32], own: &[u32]| {
            let (cpus, daemon_cpus) = (Some(cpus.to_vec()), Some(own.to_vec()));
            Some(GuestLimits { memory, cpus, daemon_cpus, ..GuestLimits::default() })
        };
        assert_eq!(limits(&second), expected(Some(1_000_000), &[0, 2, 3], &[0, 2, 3]));
        // Guests are in a slice of their own.
        let slice = [
            ("sys/fs/cgroup/machine.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/machine.slice/cpuset.cpus.effective", "0-1\n"),
        ];
        assert_eq!(limits(&[&second[..], &slice].concat()), expected(None, &[0, 1], &[0, 2, 3]));
        let bounded = (
            "proc/7/limits",
            "Limit                     Soft Limit           Hard Limit           Units\n\
             Max data size             unlimited            unlimited            bytes\n\
             Max open files            30                   1024                 files\n\
             Max address space         900000000            unlimited            bytes\n",
        );
        let open = [("proc/7/fd/0", ""), ("proc/7/fd/1", "")];
        let found = limits(&[&second[..], &[bounded], &open].concat()).unwrap();
        assert_eq!((found.address_space, found.files_left), (Some(900_000_000), Some(28)));
        let first = [
            pid,
            ("proc/7/cgroup", "3:memory:/tt\n2:cpu,cpuset:/\n0::/\n"),
            ("sys/fs/cgroup/memory/tt/memory.limit_in_bytes", "600\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/cpuset/cpuset.effective_cpus", "0\n"),
        ];
        assert_eq!(limits(&first), expected(Some(600), &[0], &[0]));
        let unmounted = [pid, ("proc/7/cgroup", "0::/x\n"), ("proc/7/status", "Name: x\nCpus_allowed_list:\t0,2\n")];
        assert_eq!(limits(&unmounted).unwrap().daemon_cpus, Some(vec![0, 2]));
        assert_eq!(limits(&[("proc/7/cgroup", "0::/\n")]), None, "no daemon");
    }
}
