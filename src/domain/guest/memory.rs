//! Where a guest's memory must lie on the host.

use std::collections::BTreeSet;

use roxmltree::Node;

use super::quantity::{bytes, numbers, size};
use crate::domain::xml;

/// A part of a guest's memory that is bound as one: a NUMA cell of the guest, or all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryPart {
    /// How much it is.
    pub bytes: u64,
    /// The host's NUMA nodes it may lie on; none: on any.
    pub nodes: BTreeSet<u32>,
}

/// The parts of a guest's memory; none when their sizes are not known.
pub(super) fn parts(root: Node<'_, '_>) -> Vec<MemoryPart> {
    let tune = xml::child(root, "numatune");
    let nodes = |node: Node<'_, '_>| {
        // A preference is not kept when the node is full.
        let is_bound = node.attribute("mode") != Some("preferred");
        node.attribute("nodeset").filter(|_| is_bound).map(numbers)
    };
    let usual = tune.and_then(|tune| xml::child(tune, "memory")).and_then(nodes).unwrap_or_default();
    let numa = xml::child(root, "cpu").and_then(|cpu| xml::child(cpu, "numa"));
    let cells = numa.into_iter().flat_map(|numa| numa.children().filter(|node| node.has_tag_name("cell")));
    let part = |(position, cell): (usize, Node<'_, '_>)| {
        let id = cell.attribute("id").map_or_else(|| position.to_string(), str::to_owned);
        let is_own = |node: &Node<'_, '_>| node.has_tag_name("memnode") && node.attribute("cellid") == Some(&id);
        let own = tune.and_then(|tune| tune.children().find(is_own));
        let bytes = bytes(cell.attribute("memory")?, cell.attribute("unit"))?;
        Some(MemoryPart { bytes, nodes: own.map_or_else(|| Some(usual.clone()), nodes).unwrap_or_default() })
    };
    let cells: Option<Vec<MemoryPart>> = cells.enumerate().map(part).collect();
    match cells {
        Some(cells) if !cells.is_empty() => cells,
        // Cells without a size share what there is.
        _ => {
            let bytes = xml::child(root, "memory").and_then(size);
            bytes.map(|bytes| MemoryPart { bytes, nodes: usual }).into_iter().collect()
        }
    }
}

/// The size of the huge pages that a memory device is made of, and its own size, in bytes.
pub(super) fn pages(device: Node<'_, '_>) -> Option<(u64, u64)> {
    let page = xml::child(xml::child(device, "source")?, "pagesize").and_then(size)?;
    Some((page, xml::child(xml::child(device, "target")?, "size").and_then(size)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(inside: &str) -> Vec<(u64, Vec<u32>)> {
        let text = format!("<domain><memory unit='KiB'>4</memory>{inside}</domain>");
        let document = xml::parse(&text).unwrap();
        parts(document.root_element()).into_iter().map(|part| (part.bytes, part.nodes.into_iter().collect())).collect()
    }

    #[test]
    fn each_cell_is_bound_for_itself() {
        assert_eq!(read(""), [(4096, vec![])]);
        assert_eq!(read("<numatune><memory mode='strict' nodeset='0-1'/></numatune>"), [(4096, vec![0, 1])]);
        assert_eq!(read("<numatune><memory mode='preferred' nodeset='1'/></numatune>"), [(4096, vec![])]);
        let cells = "<cpu><numa><cell id='0' memory='1' unit='KiB'/><cell id='1' memory='3'/></numa></cpu>";
        assert_eq!(read(cells), [(1024, vec![]), (3072, vec![])]);
        let tune =
            "<numatune><memory mode='strict' nodeset='0'/><memnode cellid='1' mode='strict' nodeset='2'/></numatune>";
        assert_eq!(read(&format!("{cells}{tune}")), [(1024, vec![0]), (3072, vec![2])]);
        assert_eq!(read(&format!("<cpu><numa><cell id='0'/></numa></cpu>{tune}")), [(4096, vec![0])]);
    }
}
