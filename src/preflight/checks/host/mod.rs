//! Checks of two hosts: one file each.

use crate::model::finding::Rule;
use crate::preflight::{Check, rules_of};

mod kernel_differs;
mod libvirt_downgrade;
mod libvirt_version;
mod qemu_downgrade;
mod qemu_version;
mod versions;

mod clock_skew;
mod debugfs_access;
mod host_architecture;
mod host_migrations;
mod host_names;
mod interrupt_remapping;
mod iommu_address_width;
mod iommu_enabled;
mod libvirt_known_bugs;
mod migration_address;
mod migration_tls;
mod migration_transport;
mod page_size;
mod post_copy;
mod proof_possible;
mod same_host;
mod security_model;
/// What the files of these checks use.
mod prelude {
    pub(super) use super::versions::{equal, floor, not_older};
    pub(super) use crate::model::finding::{Rule, Severity};
    pub(super) use crate::preflight::context::{Hosts, both, missing, name, version};
    pub(super) use crate::preflight::{Check, Run, Verdict};
}

/// Every check of two hosts, in the order of reports.
pub const CHECKS: &[&Check] = &[
    &libvirt_version::CHECK,
    &qemu_version::CHECK,
    &libvirt_downgrade::CHECK,
    &qemu_downgrade::CHECK,
    &kernel_differs::CHECK,
    &same_host::CHECK,
    &host_names::CHECK,
    &host_architecture::CHECK,
    &page_size::CHECK,
    &libvirt_known_bugs::CHECK,
    &iommu_enabled::CHECK,
    &interrupt_remapping::CHECK,
    &iommu_address_width::CHECK,
    &security_model::CHECK,
    &migration_tls::CHECK,
    &migration_address::CHECK,
    &migration_transport::CHECK,
    &post_copy::CHECK,
    &clock_skew::CHECK,
    &debugfs_access::CHECK,
    &host_migrations::CHECK,
    &proof_possible::CHECK,
];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);
