//! Checks of a device pair: one file each.

use crate::model::finding::Rule;
use crate::preflight::{Check, rules_of};

mod declared_migratable;
mod device_identity;
mod device_numa;
mod device_subsystem;
mod probed_migratable;
mod variant_driver;

mod bar_layout;
mod capability_list;
mod device_claimed;
mod device_idle;
mod device_in_use;
mod device_open;
mod device_reset;
mod devlink_migratable;
mod dirty_tracking;
mod driver_available;
mod driver_kernel;
mod eswitch_mode;
mod firmware_psid;
mod firmware_version;
mod iommu_group;
mod migration_flags;
mod msix_layout;
mod no_device_spec;
mod nova_filter;
mod numa_policy;
mod pcie_capabilities;
mod pf_in_use;
mod pf_link;
mod pf_migrations;
mod pf_mtu;
mod port_network;
mod port_state;
mod rom_size;
mod unmanaged_bound;
mod vendor_facts;
mod vf_admin;
/// What the files of these checks use.
mod prelude {
    pub(super) use super::judge;
    pub(super) use crate::model::finding::{Rule, Severity};
    pub(super) use crate::model::snapshot::Device;
    pub(super) use crate::plan::pair;
    pub(super) use crate::preflight::context::{DevicePair, name, version};
    pub(super) use crate::preflight::{Check, Run, Verdict};
}

/// Every check of a device pair, in the order of reports.
pub const CHECKS: &[&Check] = &[
    &device_identity::CHECK,
    &device_subsystem::CHECK,
    &variant_driver::CHECK,
    &declared_migratable::CHECK,
    &probed_migratable::CHECK,
    &device_numa::CHECK,
    &migration_flags::CHECK,
    &bar_layout::CHECK,
    &msix_layout::CHECK,
    &capability_list::CHECK,
    &firmware_psid::CHECK,
    &firmware_version::CHECK,
    &vendor_facts::CHECK,
    &driver_kernel::CHECK,
    &driver_available::CHECK,
    &unmanaged_bound::CHECK,
    &device_idle::CHECK,
    &devlink_migratable::CHECK,
    &eswitch_mode::CHECK,
    &pcie_capabilities::CHECK,
    &rom_size::CHECK,
    &device_reset::CHECK,
    &iommu_group::CHECK,
    &device_in_use::CHECK,
    &device_claimed::CHECK,
    &device_open::CHECK,
    &pf_in_use::CHECK,
    &pf_link::CHECK,
    &pf_mtu::CHECK,
    &vf_admin::CHECK,
    &dirty_tracking::CHECK,
    &pf_migrations::CHECK,
    &no_device_spec::CHECK,
    &nova_filter::CHECK,
    &numa_policy::CHECK,
    &port_network::CHECK,
    &port_state::CHECK,
];

/// Their rules, for `pvm explain`.
pub const RULES: &[&Rule] = &rules_of::<{ CHECKS.len() }>(CHECKS);

/// A verdict from the answer of a rule, with a sentence for each "no".
fn judge(
    answer: crate::plan::pair::Answer,
    differs: impl FnOnce() -> String,
    unknown: impl FnOnce() -> String,
) -> crate::preflight::Verdict {
    use crate::plan::pair::Answer;
    match answer {
        Answer::Yes => crate::preflight::Verdict::pass(),
        Answer::No => crate::preflight::Verdict::fail(differs()),
        Answer::Unknown => crate::preflight::Verdict::unknown(unknown()),
    }
}
