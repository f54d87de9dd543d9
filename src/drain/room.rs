//! A host that is filled guest by guest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::capacity::{Need, Supply};
use crate::plan::memory::{self, Place};

/// One device of one guest: the guest's number, and which of its devices.
type Slot = (usize, usize);

/// What the guests on a host take together, each device with one of the host's that it may have. Whoever comes is served, if
/// need be by giving others another device of theirs.
#[derive(Debug, Clone)]
pub(crate) struct Room<'a> {
    supply: &'a Supply,
    guests: BTreeMap<usize, &'a Need>,
    /// Bytes by where they may lie.
    demands: BTreeMap<&'a BTreeSet<Place>, u128>,
    /// Bytes that are not of huge pages.
    plain: u128,
    /// Who has each device of the host.
    holder: Vec<Holder>,
    /// What each has.
    own: BTreeMap<Slot, usize>,
    /// How much was looked at, to bound a search.
    pub work: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    Slot(Slot),
    /// It is given away for good.
    Pinned,
}

impl<'a> Room<'a> {
    /// An empty one.
    pub(crate) fn new(supply: &'a Supply) -> Self {
        let (guests, demands, own) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { supply, guests, demands, plain: 0, holder: Vec::new(), own, work: 0 }
    }

    /// Whether a guest fits alone.
    pub(crate) fn takes(supply: &'a Supply, need: &'a Need) -> bool {
        Room::new(supply).push(0, need)
    }

    /// Takes a guest in, if there is room for it beside the others.
    pub(crate) fn push(&mut self, guest: usize, need: &'a Need) -> bool {
        self.guests.insert(guest, need);
        self.count(need, true);
        let fits = self.has_memory() && (0..need.devices.len()).all(|nth| self.serve((guest, nth)));
        if !fits {
            self.remove(guest);
        }
        fits
    }

    /// Lets a guest go.
    pub(crate) fn remove(&mut self, guest: usize) {
        let Some(need) = self.guests.remove(&guest) else { return };
        self.count(need, false);
        self.release(guest, need);
    }

    /// The devices that a guest has for now, in the order of its own.
    pub(crate) fn devices_of(&self, guest: usize) -> Vec<usize> {
        self.own.range((guest, 0)..=(guest, usize::MAX)).map(|(_, device)| *device).collect()
    }

    /// Gives these devices to a guest for good, if the others still find theirs without them.
    pub(crate) fn pin(&mut self, guest: usize, devices: &[usize]) -> bool {
        let Some(need) = self.guests.get(&guest).copied() else { return false };
        let before = (self.holder.clone(), self.own.clone());
        self.release(guest, need);
        let mut without = Vec::new();
        for device in devices {
            self.know(*device);
            if let Holder::Slot(slot) = self.holder[*device] {
                self.own.remove(&slot);
                without.push(slot);
            }
            self.holder[*device] = Holder::Pinned;
        }
        let is_harmless = without.into_iter().all(|slot| self.serve(slot));
        if !is_harmless {
            (self.holder, self.own) = before;
        }
        is_harmless
    }

    fn release(&mut self, guest: usize, need: &Need) {
        for nth in 0..need.devices.len() {
            if let Some(device) = self.own.remove(&(guest, nth)) {
                self.holder[device] = Holder::Nobody;
            }
        }
    }

    fn count(&mut self, need: &'a Need, comes: bool) {
        for (bytes, places) in &need.memory {
            let bytes = u128::from(*bytes);
            let demand = self.demands.entry(places).or_default();
            *demand = if comes { *demand + bytes } else { *demand - bytes };
            if *demand == 0 {
                self.demands.remove(places);
            }
            if places.iter().all(|(_, pages)| pages.is_none()) {
                self.plain = if comes { self.plain + bytes } else { self.plain - bytes };
            }
        }
    }

    fn has_memory(&mut self) -> bool {
        self.work += 1 + self.demands.len() as u64;
        self.supply.holds(self.plain) && memory::fits(&self.demands, &self.supply.free)
    }

    fn know(&mut self, device: usize) {
        if device >= self.holder.len() {
            self.holder.resize(device + 1, Holder::Nobody);
        }
    }

    /// Finds a device for one that has none: the shortest chain of guests that give theirs up for another one.
    fn serve(&mut self, slot: Slot) -> bool {
        let mut asked_by: BTreeMap<usize, Slot> = BTreeMap::new();
        let mut waiting = VecDeque::from([slot]);
        while let Some(asking) = waiting.pop_front() {
            let Some(need) = self.guests.get(&asking.0).copied() else { continue };
            self.work += need.devices[asking.1].len() as u64;
            for device in &need.devices[asking.1] {
                if asked_by.contains_key(device) {
                    continue;
                }
                self.know(*device);
                match self.holder[*device] {
                    Holder::Pinned => continue,
                    Holder::Slot(other) => waiting.push_back(other),
                    Holder::Nobody => {
                        asked_by.insert(*device, asking);
                        self.hand_on(*device, &asked_by);
                        return true;
                    }
                }
                asked_by.insert(*device, asking);
            }
        }
        false
    }

    /// Gives a free device to who asked for it, the one that it had to who asked for that, and so on.
    fn hand_on(&mut self, free: usize, asked_by: &BTreeMap<usize, Slot>) {
        let mut device = Some(free);
        while let Some(given) = device {
            let slot = asked_by[&given];
            self.holder[given] = Holder::Slot(slot);
            device = self.own.insert(slot, given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::guest::{Guest, MemoryPart};
    use crate::model::snapshot::Host;
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
        assert!(!Supply::of(&host).is_known_for(&need) && !Room::takes(&Supply::of(&host), &need));
        assert_eq!(Need::of(&Guest::default(), &host, Vec::new()), None);
    }
}
