//! What a guest needs of a host, and what a host has.

use std::collections::{BTreeMap, BTreeSet};

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
}
