//! Names that Placement accepts: resource classes and traits as Nova normalises them
//! (`nova/compute/pci_placement_translator.py`).

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

/// Resource classes of the `os-resource-classes` library.
const STANDARD_CLASSES: [&str; 21] = [
    "DISK_GB",
    "FPGA",
    "IPV4_ADDRESS",
    "MEMORY_MB",
    "MEM_ENCRYPTION_CONTEXT",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    "NUMA_CORE",
    "NUMA_MEMORY_MB",
    "NUMA_SOCKET",
    "NUMA_THREAD",
    "PCI_DEVICE",
    "PCPU",
    "PGPU",
    "SRIOV_NET_VF",
    "VCPU",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
];

/// Traits of the `os-traits` library, one per line.
static STANDARD_TRAITS: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("data/standard_traits.txt").lines().collect());

/// Whether `name` is exactly a standard trait.
pub(crate) fn is_standard_trait(name: &str) -> bool {
    STANDARD_TRAITS.contains(name)
}

/// The resource class of a device or an alias: the one asked for, normalised, or one made from the ids.
pub fn resource_class(requested: Option<&str>, vendor_id: &str, product_id: &str) -> String {
    match requested.filter(|name| !name.is_empty()) {
        Some(name) => {
            let name = name.to_uppercase();
            if STANDARD_CLASSES.contains(&name.as_str()) || name.starts_with("CUSTOM_") { name } else { custom(&name) }
        }
        None => format!("CUSTOM_PCI_{vendor_id}_{product_id}").to_uppercase(),
    }
}

/// The traits in a comma-separated list, normalised. Nova does not strip the blanks around them.
pub fn traits(list: &str) -> BTreeSet<String> {
    if list.is_empty() {
        return BTreeSet::new();
    }
    list.split(',').map(normalise_trait).collect()
}

/// One trait, normalised.
pub(crate) fn normalise_trait(name: &str) -> String {
    if is_standard_trait(name) {
        return name.to_owned();
    }
    let name = name.to_uppercase();
    if name.starts_with("CUSTOM_") { name } else { custom(&name) }
}

/// `CUSTOM_` and the name, every run of other characters one underscore.
fn custom(name: &str) -> String {
    let mut out = String::from("CUSTOM_");
    let mut in_run = false;
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_uppercase());
            in_run = false;
        } else if !in_run {
            out.push('_');
            in_run = true;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_nova_does() {
        assert_eq!(resource_class(Some("my gpu-1"), "", ""), "CUSTOM_MY_GPU_1");
        assert_eq!(resource_class(Some("vgpu"), "", ""), "VGPU");
        assert_eq!(resource_class(Some(""), "15b3", "101e"), "CUSTOM_PCI_15B3_101E");
        let names = |list: &str| traits(list).into_iter().collect::<Vec<_>>();
        assert_eq!(names("blue, big"), ["CUSTOM_BLUE", "CUSTOM__BIG"]);
        assert_eq!(names("a,,b"), ["CUSTOM_", "CUSTOM_A", "CUSTOM_B"]);
        assert_eq!(names("HW_GPU_API_VULKAN,hw_gpu_api_vulkan"), ["CUSTOM_HW_GPU_API_VULKAN", "HW_GPU_API_VULKAN"]);
    }
}
