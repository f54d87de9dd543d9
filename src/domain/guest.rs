//! What a guest needs of its host besides host devices.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::xml::{self, XmlError};

/// What a definition asks of the host it runs on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guest {
    /// `kvm`, `qemu`, …
    pub virt_type: String,
    /// Architecture.
    pub arch: Option<String>,
    /// Machine type.
    pub machine: Option<String>,
    /// Host NUMA nodes its memory is bound to.
    pub nodes: BTreeSet<u32>,
    /// Host CPUs its threads are pinned to.
    pub cpus: BTreeSet<u32>,
}

/// Reads a definition.
pub fn read(text: &str) -> Result<Guest, XmlError> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let kind = xml::child(root, "os").and_then(|os| xml::child(os, "type"));
    Ok(Guest {
        virt_type: root.attribute("type").unwrap_or_default().to_owned(),
        arch: kind.and_then(|kind| kind.attribute("arch")).map(str::to_owned),
        machine: kind.and_then(|kind| kind.attribute("machine")).map(str::to_owned),
        nodes: sets(root, "numatune", "nodeset"),
        cpus: sets(root, "cputune", "cpuset"),
    })
}

/// Every number in the attribute `name` of the children of `parent`.
fn sets(root: Node<'_, '_>, parent: &str, name: &str) -> BTreeSet<u32> {
    xml::child(root, parent)
        .into_iter()
        .flat_map(|parent| parent.children().filter(Node::is_element))
        .filter_map(|child| child.attribute(name))
        .flat_map(numbers)
        .collect()
}

/// Largest CPU or node number worth listing; Linux has no machine with more.
const MOST: u32 = 16_384;

/// libvirt's sets of numbers: `0-3,^2,8`.
pub fn numbers(text: &str) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (excluded, part) = part.strip_prefix('^').map_or((false, part), |rest| (true, rest));
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.trim().parse::<u32>(), last.trim().parse::<u32>()) else { continue };
        for number in first..=last.min(MOST) {
            if excluded {
                set.remove(&number);
            } else {
                set.insert(number);
            }
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pinning() {
        let guest = read(
            "<domain type='kvm'><os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type></os>\
             <cputune><vcpupin vcpu='0' cpuset='4-7,^5'/><emulatorpin cpuset='8'/></cputune>\
             <numatune><memory mode='strict' nodeset='1'/><memnode cellid='0' nodeset='3'/></numatune></domain>",
        )
        .unwrap();
        assert_eq!(guest.machine.as_deref(), Some("pc-q35-9.0"));
        assert_eq!(guest.nodes, BTreeSet::from([1, 3]));
        assert_eq!(guest.cpus, BTreeSet::from([4, 6, 7, 8]));
    }

    #[test]
    fn hostile_sets_are_bounded() {
        assert!(numbers("0-4294967295").len() <= 16_385);
        assert!(numbers("x,-,^,5-2").is_empty());
    }
}
