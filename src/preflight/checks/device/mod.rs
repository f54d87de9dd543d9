//! Checks of a device and the one that takes its place: one file each. [`super`] says how to add one.

/// What the files of these checks use.
mod prelude {
    pub(super) use crate::model::finding::Severity;
    pub(super) use crate::model::paste::quoted;
    pub(super) use crate::model::size::bytes;
    pub(super) use crate::model::snapshot::Device;
    pub(super) use crate::plan::pair::{self, Answer};
    pub(super) use crate::preflight::Verdict;
    pub(super) use crate::preflight::context::{DevicePair, commands_on, name, version};
}

checks! {
    physical_function,
    same,
    migration_flags,
    variant_driver,
    declared_migratable,
    probed_migratable,
    device_numa,
    firmware_version,
    vendor_facts,
    driver_kernel,
    driver_available,
    unmanaged_bound,
    device_idle,
    devlink_migratable,
    eswitch_mode,
    device_reset,
    iommu_group,
    free,
    pf_link,
    pf_mtu,
    vf_admin,
    dirty_tracking,
    pf_migrations,
    refused,
    port_state,
}
