//! Checks of one guest: one file each.

use crate::model::finding::Rule;
use crate::preflight::{Check, rules_of};

mod device_map;
mod requests_known;

mod alias_migratable;
mod cdrom_media;
mod confidential_guest;
mod copy_target;
mod definition_read;
mod destination_owned_by_nova;
mod disk_cache;
mod disk_storage;
mod graphics_listen;
mod guest_address;
mod guest_already_there;
mod guest_cpu;
mod guest_defined_there;
mod guest_job;
mod guest_memory;
mod guest_networks;
mod guest_owner;
mod guest_running;
mod guest_snapshots;
mod host_paths;
mod hugepages;
mod invtsc;
mod kvm_available;
mod large_memory;
mod local_devices;
mod lock_manager;
mod machine_type;
mod machine_version;
mod mdev_device;
mod memlock;
mod migration_disabled;
mod multiple_devices_p2p;
mod network_pool_device;
mod nova_differs;
mod nova_stored_request;
mod numa_nodes;
mod pending_config;
mod pinned_cpus;
mod qemu_blocked;
mod running_qemu;
mod shared_directory;
mod shared_memory;
mod teaming_device;
mod tpm_state;
mod transfer_estimate;
mod vdpa_device;
mod viommu;
/// What the files of these checks use.
mod prelude {
    pub(super) use crate::model::finding::{Rule, Severity};
    pub(super) use crate::preflight::context::{Instance, bytes, missing, name, version};
    pub(super) use crate::preflight::{Check, Run, Verdict};
}

/// Every check of one guest, in the order of reports.
pub const CHECKS: &[&Check] = &[
    &requests_known::CHECK,
    &device_map::CHECK,
    &definition_read::CHECK,
    &guest_running::CHECK,
    &guest_already_there::CHECK,
    &guest_defined_there::CHECK,
    &qemu_blocked::CHECK,
    &guest_snapshots::CHECK,
    &guest_job::CHECK,
    &local_devices::CHECK,
    &mdev_device::CHECK,
    &vdpa_device::CHECK,
    &multiple_devices_p2p::CHECK,
    &viommu::CHECK,
    &migration_disabled::CHECK,
    &machine_type::CHECK,
    &machine_version::CHECK,
    &guest_cpu::CHECK,
    &invtsc::CHECK,
    &confidential_guest::CHECK,
    &disk_storage::CHECK,
    &copy_target::CHECK,
    &disk_cache::CHECK,
    &lock_manager::CHECK,
    &cdrom_media::CHECK,
    &host_paths::CHECK,
    &guest_networks::CHECK,
    &graphics_listen::CHECK,
    &tpm_state::CHECK,
    &shared_directory::CHECK,
    &shared_memory::CHECK,
    &guest_memory::CHECK,
    &hugepages::CHECK,
    &numa_nodes::CHECK,
    &pinned_cpus::CHECK,
    &memlock::CHECK,
    &large_memory::CHECK,
    &pending_config::CHECK,
    &teaming_device::CHECK,
    &network_pool_device::CHECK,
    &guest_address::CHECK,
    &kvm_available::CHECK,
    &running_qemu::CHECK,
    &guest_owner::CHECK,
    &destination_owned_by_nova::CHECK,
    &nova_stored_request::CHECK,
    &alias_migratable::CHECK,
    &nova_differs::CHECK,
    &transfer_estimate::CHECK,
];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);
