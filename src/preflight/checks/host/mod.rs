//! Checks of two hosts: one file each. [`super`] says how to add one.

/// What the files of these checks use.
mod prelude {
    pub(super) use crate::model::finding::Severity;
    pub(super) use crate::model::paste::quoted;
    pub(super) use crate::model::snapshot::reach::Attempt;
    pub(super) use crate::preflight::Verdict;
    pub(super) use crate::preflight::context::{Hosts, both, is_loopback, missing, name, version};
}

checks! {
    libvirt_connection,
    cordoned,
    peer_to_peer,
    versions,
    kernel_differs,
    same_host,
    host_names,
    libvirt_known_bugs,
    iommu_enabled,
    interrupt_remapping,
    iommu_address_width,
    migration_tls,
    migration_address,
    migration_ports,
    migration_transport,
    post_copy,
    clock_skew,
    debugfs_access,
    host_migrations,
    proof_possible,
}
