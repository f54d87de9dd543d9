//! Checks of a device and the one that takes its place: one file each. [`super`] says how to add one.

/// What the files of these checks use.
mod prelude {
    pub(super) use super::judge;
    pub(super) use crate::model::finding::Severity;
    pub(super) use crate::model::snapshot::Device;
    pub(super) use crate::plan::pair;
    pub(super) use crate::preflight::Verdict;
    pub(super) use crate::preflight::context::{DevicePair, name, version};
}

checks! {
    device_identity,
    device_subsystem,
    variant_driver,
    declared_migratable,
    probed_migratable,
    device_numa,
    migration_flags,
    bar_layout,
    msix_layout,
    capability_list,
    firmware_psid,
    firmware_version,
    vendor_facts,
    driver_kernel,
    driver_available,
    unmanaged_bound,
    device_idle,
    devlink_migratable,
    eswitch_mode,
    pcie_capabilities,
    rom_size,
    device_reset,
    iommu_group,
    device_in_use,
    device_claimed,
    device_open,
    pf_in_use,
    pf_link,
    pf_mtu,
    vf_admin,
    dirty_tracking,
    pf_migrations,
    no_device_spec,
    nova_filter,
    numa_policy,
    port_network,
    port_state,
}

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
