//! Codes of the checks by which the planner names why it does not take a device: planner and check use the same value.

pub(crate) const BAR_LAYOUT: &str = "bar-layout";
pub(crate) const CAPABILITY_LIST: &str = "capability-list";
pub(crate) const DECLARED_MIGRATABLE: &str = "declared-migratable";
pub(crate) const DEVICE_CLAIMED: &str = "device-claimed";
pub(crate) const DEVICE_IDENTITY: &str = "device-identity";
pub(crate) const DEVICE_IN_USE: &str = "device-in-use";
pub(crate) const DEVICE_OPEN: &str = "device-open";
pub(crate) const DEVICE_SUBSYSTEM: &str = "device-subsystem";
pub(crate) const FIRMWARE_PSID: &str = "firmware-psid";
pub(crate) const IOMMU_GROUP: &str = "iommu-group";
pub(crate) const MIGRATION_FLAGS: &str = "migration-flags";
pub(crate) const MSIX_LAYOUT: &str = "msix-layout";
pub(crate) const NO_DEVICE_SPEC: &str = "no-device-spec";
pub(crate) const NOVA_FILTER: &str = "nova-filter";
pub(crate) const NUMA_POLICY: &str = "numa-policy";
pub(crate) const PF_IN_USE: &str = "pf-in-use";
pub(crate) const PHYSICAL_FUNCTION: &str = "physical-function";
pub(crate) const PORT_NETWORK: &str = "port-network";
pub(crate) const PROBED_MIGRATABLE: &str = "probed-migratable";
pub(crate) const VARIANT_DRIVER: &str = "variant-driver";
pub(crate) const VENDOR_FACTS: &str = "vendor-facts";
