//! Checks of two hosts: one file each. [`super`] says how to add one.

mod versions;

/// What the files of these checks use.
mod prelude {
    pub(super) use super::versions::{equal, floor, not_older};
    pub(super) use crate::model::finding::Severity;
    pub(super) use crate::preflight::Verdict;
    pub(super) use crate::preflight::context::{Hosts, both, missing, name, version};
}

checks! {
    libvirt_version,
    qemu_version,
    libvirt_downgrade,
    qemu_downgrade,
    kernel_differs,
    same_host,
    host_names,
    host_architecture,
    page_size,
    libvirt_known_bugs,
    iommu_enabled,
    interrupt_remapping,
    iommu_address_width,
    security_model,
    migration_tls,
    migration_address,
    migration_transport,
    post_copy,
    clock_skew,
    debugfs_access,
    host_migrations,
    proof_possible,
}
