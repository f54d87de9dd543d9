//! Sizes and sets of numbers as libvirt writes them.

use std::collections::BTreeSet;

use roxmltree::Node;

/// The size that an element holds, in bytes.
pub(super) fn size(node: Node<'_, '_>) -> Option<u64> {
    bytes(node.text()?, node.attribute("unit"))
}

/// A number with libvirt's unit, which is KiB where none is written.
pub(super) fn bytes(number: &str, unit_name: Option<&str>) -> Option<u64> {
    number.trim().parse::<u64>().ok()?.checked_mul(unit(unit_name.unwrap_or("KiB"))?)
}

pub(super) fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "b" | "bytes" => 1,
        "KB" => 1000,
        "k" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    })
}

/// Largest CPU or node number worth listing; Linux has no machine with more.
const MOST: u32 = 16_384;

/// libvirt's sets of numbers: `0-3,^2,8`.
pub(crate) fn numbers(text: &str) -> BTreeSet<u32> {
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
