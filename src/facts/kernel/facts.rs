//! Facts of the host itself, from procfs, sysfs and `modules.alias`.

#![expect(clippy::disallowed_methods, reason = "an edge: the host's clock is a fact")]

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::cpu_list::cpu_list;
use super::sysfs::Tree;
use super::{drivers, limits, mounts, network, qemu_conf, secrets};
use crate::model::snapshot::Unknown;
use crate::model::snapshot::host::{Cpu, Host, Iommu, NumaCell, VfioAlias};
use crate::model::time::Timestamp;

/// libvirt reads no more of `modules.alias` either.
const MODULES_ALIAS: usize = 8 << 20;
const PROC: usize = 4 << 20;

/// Reads the host's facts. What libvirt knows better is left for it.
pub(crate) fn read(tree: &Tree) -> Host {
    let mut host = Host {
        name: tree.word("proc/sys/kernel/hostname").or_else(|| tree.word("etc/hostname")).unwrap_or_default(),
        kernel: tree.word("proc/sys/kernel/osrelease"),
        arch: tree.word("proc/sys/kernel/arch"),
        lockdown: tree.word("sys/kernel/security/lockdown").as_deref().and_then(chosen),
        ..Host::default()
    };
    if !tree.is_fixture() {
        let uname = rustix::system::uname();
        let text = |s: &std::ffi::CStr| Some(s.to_string_lossy().into_owned());
        host.kernel = host.kernel.or_else(|| text(uname.release()));
        host.arch = host.arch.or_else(|| text(uname.machine()));
        host.page_size = u64::try_from(rustix::param::page_size()).ok();
        host.kvm = Some(tree.has("dev/kvm"));
        host.clock = Some(now());
    }
    memory(tree, &mut host);
    host.cpu = cpu(tree);
    host.numa_cells = cells(tree);
    host.iommu = iommu(tree);
    host.iommufd = Some(tree.has("sys/class/misc/iommu") || tree.has("sys/module/iommufd"));
    network::read(tree, &mut host);
    qemu_conf::read(tree, &mut host);
    secrets::read(tree, &mut host);
    host.mounts = mounts::read(tree);
    host.guest_limits = limits::read(tree);
    host.vfio_drivers = tree.names("sys/bus/pci/drivers").into_iter().filter(|name| drivers::is_vfio(name)).collect();
    debugfs(tree, &mut host);
    modules(tree, &mut host);
    for (fact, missing, why) in [
        ("kernel", host.kernel.is_none(), "proc/sys/kernel/osrelease cannot be read"),
        ("arch", host.arch.is_none(), "proc/sys/kernel/arch cannot be read"),
        ("page_size", host.page_size.is_none(), "a saved tree does not say it"),
        ("kvm", host.kvm.is_none(), "a saved tree does not say it"),
        ("memory", host.memory.is_none(), "proc/meminfo cannot be read"),
        (
            "iommu.interrupt_remapping",
            host.iommu.interrupt_remapping.is_none(),
            "proc/interrupts cannot be read or names no MSI",
        ),
        ("numa_cells", host.numa_cells.is_none(), "sys/devices/system/node cannot be read"),
        ("mounts", host.mounts.is_none(), "proc/self/mountinfo cannot be read"),
        ("interfaces", host.interfaces.is_none(), "sys/class/net cannot be read"),
        ("addresses", host.addresses.is_none(), "proc/net/fib_trie cannot be read"),
        ("networks", true, "libvirt was not contacted"),
        ("pools", true, "libvirt was not contacted"),
        ("libvirt", true, "libvirt was not contacted"),
        ("qemu", true, "libvirt was not contacted"),
        ("machine_types", true, "libvirt was not contacted"),
    ] {
        if missing {
            host.unknown.push(Unknown::new(fact, why));
        }
    }
    host
}

/// The clock, RFC 3339 in UTC.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)).to_string()
}

/// The socket of a NUMA node, as the host's cells say.
pub(crate) fn socket_of(host: &Host, node: u32) -> Option<u32> {
    host.numa_cells.as_ref()?.iter().find(|cell| cell.id == node)?.socket
}

/// The word in brackets of `none [integrity] confidentiality`.
fn chosen(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    Some(rest.split_once(']')?.0.to_owned())
}

fn lines(tree: &Tree, path: &str) -> Option<String> {
    Some(String::from_utf8_lossy(&tree.read(path, PROC).ok()??).into_owned())
}

fn memory(tree: &Tree, host: &mut Host) {
    let Some(text) = lines(tree, "proc/meminfo") else { return };
    let bytes = |name: &str| kib(&text, name);
    host.memory = bytes("MemTotal");
    host.memory_free = bytes("MemAvailable").or_else(|| bytes("MemFree"));
}

/// `NAME:   123 kB`, also with `Node 0` before the name.
fn kib(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.rsplit(' ').next() == Some(name)).then_some(())?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    })
}

fn cpu(tree: &Tree) -> Cpu {
    let text = lines(tree, "proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == name).then(|| value.trim().to_owned())
        })
    };
    Cpu { model: value("model name"), microcode: value("microcode"), host_model_xml: None }
}

fn cells(tree: &Tree) -> Option<Vec<NumaCell>> {
    let base = "sys/devices/system/node";
    let names = tree.node(base).and_then(|node| node.names()).ok()?;
    let mut cells: Vec<NumaCell> = names
        .iter()
        .filter_map(|name| {
            let id = name.strip_prefix("node")?.parse().ok()?;
            let at = format!("{base}/{name}");
            let cpus = cpu_list(&tree.word(&format!("{at}/cpulist")).unwrap_or_default());
            let socket = cpus.first().and_then(|cpu| {
                tree.word(&format!("sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id"))?.parse().ok()
            });
            let meminfo = lines(tree, &format!("{at}/meminfo")).unwrap_or_default();
            let (memory_total, memory_free) = (kib(&meminfo, "MemTotal"), kib(&meminfo, "MemFree"));
            Some(NumaCell { id, socket, cpus, memory_total, memory_free, hugepages: hugepages(tree, &at) })
        })
        .collect();
    cells.sort_by_key(|cell| cell.id);
    Some(cells)
}

fn hugepages(tree: &Tree, node: &str) -> BTreeMap<u64, u64> {
    tree.names(&format!("{node}/hugepages"))
        .iter()
        .filter_map(|name| {
            let size: u64 = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
            let free = tree.word(&format!("{node}/hugepages/{name}/free_hugepages"))?.parse().ok()?;
            Some((size.checked_mul(1024)?, free))
        })
        .collect()
}

fn iommu(tree: &Tree) -> Iommu {
    let units = tree.names("sys/class/iommu");
    let first = units.first().map_or("", String::as_str);
    let kind = match first {
        "" => None,
        name if name.starts_with("dmar") => Some("intel"),
        name if name.starts_with("ivhd") => Some("amd"),
        name if name.starts_with("smmu") => Some("smmu"),
        name => Some(name),
    };
    let enabled = !tree.names("sys/kernel/iommu_groups").is_empty();
    let mut iommu = Iommu { enabled: Some(enabled), kind: kind.map(str::to_owned), ..Iommu::default() };
    let register = |name: &str| {
        let text = tree.word(&format!("sys/class/iommu/{first}/{name}"))?;
        u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
    };
    match kind {
        Some("intel") => {
            // VT-d specification: CAP.MGAW is bits 21:16, ECAP.SLADS (second-stage dirty tracking) bit 45, ECAP.SMTS bit 43.
            iommu.address_bits =
                register("intel-iommu/cap").and_then(|cap| u32::try_from((cap >> 16) & 0x3f).ok()).map(|n| n + 1);
            iommu.dirty_tracking = register("intel-iommu/ecap").map(|ecap| (ecap >> 45) & (ecap >> 43) & 1 == 1);
        }
        // AMD I/O virtualization specification: EFR.HDSup is bit 52.
        Some("amd") => iommu.dirty_tracking = register("amd-iommu/features").map(|efr| (efr >> 52) & 1 == 1),
        _ => {}
    }
    iommu.interrupt_remapping = lines(tree, "proc/interrupts").and_then(|text| remapped(&text));
    iommu.unsafe_interrupts =
        tree.word("sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts").map(|text| text == "Y");
    iommu
}

/// The kernel names the chips of remapped interrupts `IR-…` on x86; ARM's ITS always translates. `None` when no message
/// interrupt is listed, so that nothing can be said.
fn remapped(interrupts: &str) -> Option<bool> {
    let mut any = None;
    for word in interrupts.split_whitespace() {
        if word.starts_with("IR-") || word.starts_with("ITS-") {
            return Some(true);
        }
        if word.starts_with("PCI-MSI") || word.starts_with("IO-APIC") {
            any = Some(false);
        }
    }
    any
}

fn debugfs(tree: &Tree, host: &mut Host) {
    let why = match tree.node("sys/kernel/debug").and_then(|node| node.names()) {
        Ok(names) if names.iter().any(|name| name == "vfio") => {
            host.debugfs = Some(true);
            return;
        }
        Ok(names) if names.is_empty() => "debugfs is not mounted (mount -t debugfs none /sys/kernel/debug)",
        Ok(_) => {
            host.debugfs = Some(false);
            return;
        }
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => "only root may read debugfs: run pvm as root",
        Err(_) => "there is no sys/kernel/debug",
    };
    host.unknown.push(Unknown::new("debugfs", why));
}

fn modules(tree: &Tree, host: &mut Host) {
    let Some(kernel) = host.kernel.as_deref().filter(|k| !k.contains('/')) else { return };
    let path = format!("lib/modules/{kernel}/modules.alias");
    let why = match tree.read(&path, MODULES_ALIAS) {
        Ok(Some(bytes)) => {
            let found: Vec<VfioAlias> = drivers::aliases(&String::from_utf8_lossy(&bytes));
            host.vfio_aliases = Some(found);
            return;
        }
        Ok(None) => format!("{path} does not exist"),
        Err(e) => format!("{path} cannot be read: {e}"),
    };
    host.unknown.push(Unknown::new("vfio_aliases", why));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remapping_shows_in_the_names_of_interrupts() {
        assert_eq!(remapped("  24:  0  IR-PCI-MSI-0000:00:1f.2  0-edge  ahci"), Some(true));
        assert_eq!(remapped("  24:  0  PCI-MSI-0000:00:1f.2  0-edge  ahci"), Some(false));
        assert_eq!(remapped("  10:  3  ITS-PCI-MSI 0 Edge  nvme"), Some(true));
        assert_eq!(remapped("NMI: 0 Non-maskable interrupts"), None);
    }

    #[test]
    fn amounts() {
        assert_eq!(kib("Node 0 MemTotal:   16 kB\nNode 0 MemFree: 4 kB\n", "MemFree"), Some(4096));
        assert_eq!(kib("MemTotal: 99999999999999999999 kB\n", "MemTotal"), None);
        assert_eq!(chosen("none [integrity] confidentiality").as_deref(), Some("integrity"));
    }
}
