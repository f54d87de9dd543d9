//! What a host has, and whether several guests fit it together.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::guest::Guest;
use crate::model::snapshot::Host;
use crate::plan::matching;

/// Memory that guests take from: a NUMA node, and a size of huge pages or none.
type Place = (u32, Option<u64>);

/// The node of a host whose nodes are not known.
const WHOLE: u32 = u32::MAX;

/// The most classes of demand of which every union is looked at; beyond, a guest counts in each place it may take from.
const MOST_CLASSES: usize = 12;

/// What a guest needs on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Need {
    /// Bytes of memory.
    pub memory: u64,
    /// Where they may lie.
    pub places: BTreeSet<Place>,
    /// For each device, the host's devices that may take its place.
    pub devices: Vec<Vec<usize>>,
}

impl Need {
    /// What this guest needs on this host; `None` when its memory is not known.
    pub(crate) fn of(guest: &Guest, host: &Host, devices: Vec<Vec<usize>>) -> Option<Self> {
        let memory = guest.memory?;
        let nodes = |id: &u32| guest.nodes.is_empty() || guest.nodes.contains(id);
        let places = match guest.hugepages.first() {
            None if guest.nodes.is_empty() => BTreeSet::from([(WHOLE, None)]),
            None => guest.nodes.iter().map(|node| (*node, None)).collect(),
            Some(wanted) => {
                let cells = host.numa_cells.iter().flatten().filter(|cell| nodes(&cell.id));
                let sizes = cells.flat_map(|cell| cell.hugepages.keys().map(|size| (cell.id, *size)));
                sizes.filter(|(_, size)| *wanted == 0 || size == wanted).map(|(id, size)| (id, Some(size))).collect()
            }
        };
        Some(Self { memory, places, devices })
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
        !need.places.is_empty() && need.places.iter().all(|place| self.free.contains_key(place))
    }

    /// Whether these guests fit together.
    pub(crate) fn fits(&self, needs: &[&Need]) -> bool {
        self.has_memory(needs) && devices(needs).is_some()
    }

    fn has_memory(&self, needs: &[&Need]) -> bool {
        let plain = |need: &&&Need| need.places.iter().all(|(_, pages)| pages.is_none());
        let total = needs.iter().filter(plain).fold(0u64, |sum, need| sum.saturating_add(need.memory));
        if self.free.get(&(WHOLE, None)).is_some_and(|free| total > *free) {
            return false;
        }
        let mut demand: BTreeMap<&BTreeSet<Place>, u64> = BTreeMap::new();
        for need in needs {
            let sum = demand.entry(&need.places).or_default();
            *sum = sum.saturating_add(need.memory);
        }
        let classes: Vec<(&BTreeSet<Place>, u64)> = demand.into_iter().collect();
        let free = |places: &BTreeSet<Place>| {
            places.iter().filter_map(|place| self.free.get(place)).fold(0u64, |sum, free| sum.saturating_add(*free))
        };
        if classes.len() > MOST_CLASSES {
            let all: BTreeSet<Place> = classes.iter().flat_map(|(places, _)| places.iter().copied()).collect();
            return all.into_iter().all(|place| {
                let here = classes.iter().filter(|(places, _)| places.contains(&place));
                here.fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes)) <= free(&BTreeSet::from([place]))
            });
        }
        // Hall's condition: no union of classes asks for more than there is where they may take it from.
        (1u32..1 << classes.len()).all(|set| {
            let chosen = classes.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0).map(|(_, class)| class);
            let (mut places, mut bytes) = (BTreeSet::new(), 0u64);
            for (of_class, demand) in chosen {
                places.extend(of_class.iter().copied());
                bytes = bytes.saturating_add(*demand);
            }
            bytes <= free(&places)
        })
    }
}

/// One device of the host for each device of these guests, in their order; `None` when they do not suffice.
pub(crate) fn devices(needs: &[&Need]) -> Option<Vec<usize>> {
    let edges: Vec<Vec<usize>> = needs.iter().flat_map(|need| need.devices.iter().cloned()).collect();
    matching::maximum(&edges).into_iter().collect()
}
