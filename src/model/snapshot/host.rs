//! Facts of a host itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::reach::{Attempt, Reach};
use super::unknown::Unknown;

/// One host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// libvirt's host UUID.
    pub uuid: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Bytes.
    pub page_size: Option<u64>,
    /// Daemon version `x.y.z`.
    pub libvirt: Option<String>,
    /// Hypervisor version `x.y.z`.
    pub qemu: Option<String>,
    /// Whether KVM can be used.
    pub kvm: Option<bool>,
    /// Why pvm itself could not connect to the host's libvirt, when it tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unconnected: Option<String>,
    /// How the source of a migration reaches it, when the source was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// Why it takes no guests: a drain of it that was begun by the machine that asks, and was not taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cordon: Option<Cordon>,
    /// Nova's compute service on it, where Nova was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_service: Option<ComputeService>,
    /// libvirt URI the facts came by.
    pub uri: Option<String>,
    /// IOMMU.
    pub iommu: Iommu,
    /// Whether `/dev/iommu` exists.
    pub iommufd: Option<bool>,
    /// Whether debugfs' `vfio` folder could be read.
    pub debugfs: Option<bool>,
    /// Kernel lockdown mode.
    pub lockdown: Option<String>,
    /// `vfio_pci:` lines of `modules.alias`.
    pub vfio_aliases: Option<Vec<VfioAlias>>,
    /// VFIO drivers that are loaded or built in, by their names in sysfs.
    pub vfio_drivers: Vec<String>,
    /// CPU as libvirt tells it.
    pub cpu: Cpu,
    /// Domain capabilities XML by `emulator machine kvm|qemu`.
    pub domain_capabilities: BTreeMap<String, String>,
    /// Machine types, sorted.
    pub machine_types: Option<Vec<String>>,
    /// NUMA cells.
    pub numa_cells: Option<Vec<NumaCell>>,
    /// Total memory in bytes.
    pub memory: Option<u64>,
    /// Free memory in bytes.
    pub memory_free: Option<u64>,
    /// Limit of locked memory in bytes for libvirt's guests; `u64::MAX` for none.
    pub memlock: Option<u64>,
    /// `apparmor`, `selinux`, `none`.
    pub security_model: Option<String>,
    /// `lockd`, `sanlock` or `none`.
    pub lock_manager: Option<String>,
    /// What takes up the output of guests: `logd`, libvirt's default, or `file`.
    pub log_handler: Option<String>,
    /// Where migrations may come in.
    pub migration: MigrationEndpoint,
    /// Active libvirt networks.
    pub networks: Option<Vec<String>>,
    /// Bridges.
    pub bridges: Option<Vec<Bridge>>,
    /// Network interfaces of every kind.
    pub interfaces: Option<Vec<String>>,
    /// IP addresses of the host itself.
    pub addresses: Option<Vec<String>>,
    /// Addresses and TCP ports that somebody listens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listening: Option<Vec<SocketAddr>>,
    /// Ports among which libvirt chooses one for a console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_ports: Option<(u16, u16)>,
    /// What qemu.conf says of the servers that QEMU opens for a guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub servers: Option<ServerSettings>,
    /// Addresses and UDP ports that somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udp: Option<Vec<SocketAddr>>,
    /// What guests may use at most; none where libvirt's daemon was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guest_limits: Option<GuestLimits>,
    /// Mounted file systems that can hold files, by path.
    pub mounts: Option<Vec<Mount>>,
    /// What is at paths that were asked for: those that a guest would need here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, PathKind>,
    /// More about those paths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub path_details: BTreeMap<String, PathDetails>,
    /// Servers that a guest would need and that were tried from here, by `HOST:PORT`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reached: BTreeMap<String, Attempt>,
    /// Active storage pools.
    pub pools: Option<Vec<String>>,
    /// UUIDs and usages of the secrets that libvirt keeps.
    pub secrets: Option<Vec<String>>,
    /// Whether those that libvirt keeps in files have a value, by UUID and usage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_values: Option<BTreeMap<String, bool>>,
    /// Paths of volumes that were asked for, by `POOL/VOLUME`; none where the pool does not have it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Option<String>>,
    /// How CPUs of guests compare with the host's, by their `<cpu>` element.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cpu_comparisons: BTreeMap<String, CpuComparison>,
    /// The host's clock, RFC 3339 UTC, when the snapshot was taken.
    pub clock: Option<String>,
    /// Migrations under way, in or out.
    pub jobs: Option<u32>,
    /// How many migrations it takes at once, as far as the operator says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

impl Host {
    /// Why a fact is unknown.
    pub fn why_unknown(&self, fact: &str) -> Option<&str> {
        self.unknown.iter().find(|u| u.fact == fact).map(|u| u.why.as_str())
    }

    /// The release of RHEL or of a rebuild of it (`el9_6` in the kernel's release is 9.6); `None` for other systems.
    pub fn enterprise_linux(&self) -> Option<(u32, u32)> {
        self.kernel.as_deref()?.split('.').find_map(|part| {
            let mut numbers = part.strip_prefix("el")?.split('_').map(str::parse::<u32>);
            Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(0)))
        })
    }

    /// The file system that `path` is on; `None` when the mounts are not known.
    pub fn mount_of(&self, path: &str) -> Option<&Mount> {
        let holds = |mount: &&Mount| {
            path.strip_prefix(mount.path.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.mounts.as_ref()?.iter().filter(holds).max_by_key(|mount| mount.path.len())
    }
}

/// A drain of a host, which keeps guests off it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cordon {
    /// When it began, RFC 3339 UTC.
    pub since: String,
    /// The host, as the operator named it.
    pub host: String,
}

/// Nova's compute service on a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ComputeService {
    /// The name by which Nova knows the host; none where Nova has no such host.
    pub host: Option<String>,
    /// Whether Nova hears of it.
    pub is_up: bool,
    /// Why Nova's scheduler does not use it; empty where nobody said why.
    pub disabled: Option<String>,
}

/// IOMMU facts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Iommu {
    /// Whether groups exist.
    pub enabled: Option<bool>,
    /// `intel`, `amd`, `smmu`, …
    pub kind: Option<String>,
    /// Address width in bits.
    pub address_bits: Option<u32>,
    /// Whether it can track dirty pages.
    pub dirty_tracking: Option<bool>,
    /// Whether interrupts are remapped.
    pub interrupt_remapping: Option<bool>,
    /// `allow_unsafe_interrupts`.
    pub unsafe_interrupts: Option<bool>,
}

/// One `vfio_pci:` line of `modules.alias`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VfioAlias {
    /// The pattern without `vfio_pci:`.
    pub pattern: String,
    /// The module.
    pub module: String,
}

/// What qemu.conf says of the servers that QEMU opens for a guest.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerSettings {
    /// Where VNC servers listen whose guests do not say it.
    pub vnc_listen: String,
    /// The same of SPICE servers.
    pub spice_listen: String,
    /// Whether such VNC servers get a socket instead of a port.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub vnc_sockets: bool,
    /// What QEMU encrypts (`vnc`, `spice`, `chardev`, `nbd`), and whether its certificates are in place.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tls: BTreeMap<String, bool>,
    /// Why QEMU refuses the certificates of some of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tls_refused: BTreeMap<String, String>,
}

/// What control groups leave to guests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct GuestLimits {
    /// Bytes of memory, for all of them together; none: no limit.
    pub memory: Option<u64>,
    /// Bytes that each process may map (`RLIMIT_AS` and `RLIMIT_DATA` of libvirt's daemon); none: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_space: Option<u64>,
    /// How many more files libvirt's daemon may open (`RLIMIT_NOFILE`); none: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files_left: Option<u64>,
    /// CPUs; none: not known.
    pub cpus: Option<Vec<u32>>,
    /// CPUs of libvirt's daemon, in whose group a guest's emulator begins; none: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daemon_cpus: Option<Vec<u32>>,
}

/// CPU facts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Model.
    pub model: Option<String>,
    /// Microcode version.
    pub microcode: Option<String>,
    /// libvirt's `<mode name='host-model'>` element of the domain capabilities.
    pub host_model_xml: Option<String>,
}

/// What the host's libvirt says of a guest's CPU.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CpuComparison {
    /// Whether the host can run it.
    pub runs: Option<bool>,
    /// Whether it has a model or feature that the host's libvirt does not know.
    pub names_unknown: bool,
    /// Whether it can without the features of `IA32_ARCH_CAPABILITIES` that the guest requires: libvirt may hide these where QEMU
    /// has them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_arch_capabilities: bool,
    /// libvirt's words where it cannot, or why it was not compared.
    pub why: String,
}

/// One NUMA cell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumaCell {
    /// Node number.
    pub id: u32,
    /// Socket.
    pub socket: Option<u32>,
    /// CPU numbers.
    pub cpus: Vec<u32>,
    /// Bytes.
    pub memory_total: Option<u64>,
    /// Bytes.
    pub memory_free: Option<u64>,
    /// Free huge pages by page size in bytes.
    pub hugepages: BTreeMap<u64, u64>,
}

/// Where migrations may come in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationEndpoint {
    /// URI transports libvirt offers.
    pub transports: Option<Vec<String>>,
    /// Host name libvirt advertises.
    pub hostname: Option<String>,
    /// `migration_host` of qemu.conf.
    pub address: Option<String>,
    /// `migration_address` of qemu.conf: where QEMU listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// `migration_port_min` and `_max`.
    pub ports: Option<(u16, u16)>,
    /// Whether TLS certificates for QEMU are in place.
    pub tls: Option<bool>,
    /// `migrate_tls_force`.
    pub tls_force: Option<bool>,
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, a socket or a pipe.
    Special,
    /// Nothing, but the directory for it.
    Absent,
    /// Not even that.
    Nowhere,
}

/// More about a path; for one that is absent, about the folder that would hold it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PathDetails {
    /// `block`, `character`, `socket` or `pipe`; none for files and folders.
    pub device: Option<String>,
    /// Length of a file or size of a block device in bytes.
    pub size: Option<u64>,
    /// Which block device it is on any host: the WWID of a disk, the UUID of a device-mapper volume.
    pub identity: Option<String>,
    /// The file that holds the data of an image, which the image names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_file: Option<String>,
    /// Whether a file may be executed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Whether its file system is mounted read-only.
    pub read_only: Option<bool>,
    /// Bytes that root may still write on its file system.
    pub free_bytes: Option<u64>,
    /// Files that may still be made on its file system; none where it does not count them.
    pub free_inodes: Option<u64>,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Where.
    pub path: String,
    /// The kernel's name of the kind: `ext4`, `nfs4`, `ceph`, …
    pub fs: String,
    /// Device or export, with the directory inside it when only that is mounted.
    pub source: String,
}

/// A bridge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Bridge {
    /// Interface name.
    pub name: String,
    /// Bytes.
    pub mtu: Option<u32>,
}

/// How many migrations at once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Slots {
    /// Out of the host and into it together.
    pub migrations: Option<u32>,
    /// Of the VFs of each PF.
    pub per_pf: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enterprise_linux_is_told_by_the_kernel() {
        for (kernel, release) in [
            ("5.14.0-503.el9.x86_64", Some((9, 0))),
            ("5.14.0-570.12.1.el9_6.x86_64", Some((9, 6))),
            ("6.12.0-211.el10_2.x86_64", Some((10, 2))),
            ("6.12.57+deb13-amd64", None),
            ("6.8.0-45-generic", None),
            ("6.1.elx", None),
        ] {
            let host = Host { kernel: Some(kernel.to_owned()), ..Host::default() };
            assert_eq!(host.enterprise_linux(), release, "{kernel}");
        }
    }
}
