//! Checks of one guest: one file each. [`super`] says how to add one.

/// What the files of these checks use.
mod prelude {
    pub(super) use crate::model::finding::Severity;
    pub(super) use crate::model::paste::quoted;
    pub(super) use crate::model::size::bytes;
    pub(super) use crate::preflight::Verdict;
    pub(super) use crate::preflight::context::{
        Instance, Tracking, is_below, is_loopback, missing, name, try_from, version,
    };
}

checks! {
    requests_known,
    device_map,
    definition_read,
    guest_running,
    guest_already_there,
    guest_defined_there,
    qemu_blocked,
    guest_snapshots,
    guest_job,
    none,
    mdev_device,
    vdpa_device,
    multiple_devices_p2p,
    viommu,
    migration_disabled,
    machine_type,
    machine_version,
    guest_cpu,
    device_models,
    definition_known,
    qemu_arguments,
    foreign_devices,
    secrets,
    process_owner,
    invtsc,
    disk_storage,
    copy_target,
    disk_cache,
    disk_in_use,
    lock_manager,
    cdrom_media,
    host_paths,
    hooks,
    libvirt_files,
    guest_networks,
    graphics_listen,
    server_tls,
    tpm_state,
    shared_directory,
    shared_memory,
    guest_memory,
    hugepages,
    numa_nodes,
    pinned_cpus,
    memlock,
    large_memory,
    iommufd_guest,
    pending_config,
    network_pool_device,
    kvm_available,
    running_qemu,
    guest_owner,
    libvirt_guest_faults,
    destination_owned_by_nova,
    nova_stored_request,
    alias_migratable,
    nova_differs,
    transfer_estimate,
    max_pause,
}
