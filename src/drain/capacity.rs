//! What a guest needs of a host, and what a host has.

use std::collections::{BTreeMap, BTreeSet};

use super::room::Room;
use crate::domain::guest::{Guest, MemoryPart};
use crate::model::snapshot::Host;
use crate::plan::memory::Place;

/// The node of a host whose nodes are not known.
const WHOLE: u32 = u32::MAX;

/// What a guest needs on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Need {
    /// The parts of its memory: bytes, and where they may lie.
    pub memory: Vec<(u64, BTreeSet<Place>)>,
    /// For each device, the host's devices that may take its place.
    pub devices: Vec<Vec<usize>>,
}

impl Need {
    /// What this guest needs on this host; `None` when its memory is not known.
    pub(crate) fn of(guest: &Guest, host: &Host, devices: Vec<Vec<usize>>) -> Option<Self> {
        let places = |part: &MemoryPart| {
            let nodes = |id: &u32| part.nodes.is_empty() || part.nodes.contains(id);
            match guest.hugepages.first() {
                None if part.nodes.is_empty() => BTreeSet::from([(WHOLE, None)]),
                None => part.nodes.iter().map(|node| (*node, None)).collect(),
                Some(wanted) => {
                    let cells = host.numa_cells.iter().flatten().filter(|cell| nodes(&cell.id));
                    let sizes = cells.flat_map(|cell| cell.hugepages.keys().map(|size| (cell.id, *size)));
                    let wanted = sizes.filter(|(_, size)| *wanted == 0 || size == wanted);
                    wanted.map(|(id, size)| (id, Some(size))).collect()
                }
            }
        };
        let memory: Vec<_> = guest.memory_parts.iter().map(|part| (part.bytes, places(part))).collect();
        (!memory.is_empty()).then_some(Self { memory, devices })
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.memory.iter().fold(0, |sum, (bytes, _)| sum.saturating_add(*bytes))
    }
}

/// What a host has left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Supply {
    /// Free bytes by place; the whole host's free memory bounds that of its nodes.
    pub free: BTreeMap<Place, u64>,
}

impl Supply {
    /// What this host has left. A figure that is not known is not there, and holds nothing.
    pub(crate) fn of(host: &Host) -> Self {
        let mut free: BTreeMap<Place, u64> = host.memory_free.map(|bytes| ((WHOLE, None), bytes)).into_iter().collect();
        for cell in host.numa_cells.iter().flatten() {
            free.extend(cell.memory_free.map(|bytes| ((cell.id, None), bytes)));
            let pages = cell.hugepages.iter();
            free.extend(pages.map(|(size, count)| ((cell.id, Some(*size)), size.saturating_mul(*count))));
        }
        Self { free }
    }

    /// Whether it is known how much there is where this guest may lie.
    pub(crate) fn is_known_for(&self, need: &Need) -> bool {
        need.memory
            .iter()
            .all(|(_, places)| !places.is_empty() && places.iter().all(|place| self.free.contains_key(place)))
    }

    /// Whether so many bytes that are not of huge pages are free on the whole host, as far as that is known.
    pub(crate) fn holds(&self, bytes: u128) -> bool {
        self.free.get(&(WHOLE, None)).is_none_or(|free| bytes <= u128::from(*free))
    }

    /// Whether a guest fits alone.
    pub(crate) fn fits(&self, need: &Need) -> bool {
        Room::new(self).push(0, need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::host::NumaCell;

    const MIB: u64 = 1 << 20;

    fn host() -> Host {
        let cell = |id, free, pages: &[(u64, u64)]| NumaCell {
            id,
            memory_free: Some(free * MIB),
            hugepages: pages.iter().copied().collect(),
            ..NumaCell::default()
        };
        let cells = vec![cell(0, 600, &[(2 * MIB, 50)]), cell(1, 400, &[(2 * MIB, 10), (1024 * MIB, 1)])];
        Host { memory_free: Some(1000 * MIB), numa_cells: Some(cells), ..Host::default() }
    }

    fn guest(pages: &[u64], parts: &[(u64, &[u32])]) -> Guest {
        let part =
            |(mib, nodes): &(u64, &[u32])| MemoryPart { bytes: mib * MIB, nodes: nodes.iter().copied().collect() };
        Guest { hugepages: pages.to_vec(), memory_parts: parts.iter().map(part).collect(), ..Guest::default() }
    }

    /// How many guests like this the host takes.
    fn count(guest: &Guest) -> usize {
        let host = host();
        let (supply, need) = (Supply::of(&host), Need::of(guest, &host, Vec::new()).unwrap());
        assert!(supply.is_known_for(&need));
        let mut room = Room::new(&supply);
        (0..100).take_while(|number| room.push(*number, &need)).count()
    }

    #[test]
    fn memory_is_counted_where_it_must_lie() {
        assert_eq!(count(&guest(&[], &[(300, &[])])), 3);
        assert_eq!(count(&guest(&[], &[(300, &[1])])), 1);
        assert_eq!(count(&guest(&[], &[(300, &[0, 1])])), 3);
        assert_eq!(count(&guest(&[], &[(100, &[0]), (200, &[1])])), 2, "each cell on its node");
        assert_eq!(count(&guest(&[2 * MIB], &[(20, &[0])])), 5);
        assert_eq!(count(&guest(&[2 * MIB], &[(20, &[])])), 6, "pages of both nodes");
        assert_eq!(count(&guest(&[1024 * MIB], &[(1024, &[])])), 1);
        assert_eq!(count(&guest(&[2 * MIB], &[(10, &[0]), (10, &[1])])), 2);
    }

    #[test]
    fn what_is_not_known_is_not_taken_for_free() {
        let mut host = host();
        host.numa_cells.as_mut().unwrap()[1].memory_free = None;
        let need = Need::of(&guest(&[], &[(1, &[1])]), &host, Vec::new()).unwrap();
        assert!(!Supply::of(&host).is_known_for(&need) && !Supply::of(&host).fits(&need));
        assert_eq!(Need::of(&Guest::default(), &host, Vec::new()), None);
    }
}
