//! How many devices that guests hold could move each way between two hosts.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Capacity;
use crate::model::snapshot::{DevType, Device, Snapshot};
use crate::plan::{Known, Planner, matching, pair};

/// One line per kind of VF that a guest of either host holds.
pub(crate) fn capacity(source: &Snapshot, destination: &Snapshot) -> Vec<Capacity> {
    let there = one_way(source, destination);
    let back = one_way(destination, source);
    let kinds: BTreeSet<&String> = there.keys().chain(back.keys()).collect();
    kinds
        .into_iter()
        .map(|kind| {
            let (source_used, to_destination) = there.get(kind).copied().unwrap_or_default();
            let (destination_used, to_source) = back.get(kind).copied().unwrap_or_default();
            Capacity { kind: kind.clone(), source_used, to_destination, destination_used, to_source }
        })
        .collect()
}

/// For each kind how many devices are held, and how many of them have a place on the other host.
fn one_way(from: &Snapshot, to: &Snapshot) -> BTreeMap<String, (usize, usize)> {
    let mut held: BTreeMap<String, Vec<&Device>> = BTreeMap::new();
    for device in &from.devices {
        if device.dev_type == DevType::Vf && device.used_by.as_ref().is_some_and(|by| !by.is_empty()) {
            held.entry(kind(device)).or_default().push(device);
        }
    }
    let planner = Planner::new(from, to, &BTreeSet::new());
    let mut known = Known::default();
    held.into_iter()
        .map(|(kind, devices)| {
            let profiles: BTreeSet<Option<usize>> = devices.iter().map(|d| planner.source_profile(d)).collect();
            if profiles.len() == 1 {
                // They have the same takers.
                let takers = planner.takers(devices[0], &mut known).len();
                return (kind, (devices.len(), takers.min(devices.len())));
            }
            // As many places as there are devices are enough for each of them.
            let edges: Vec<Vec<usize>> = devices
                .iter()
                .map(|device| {
                    let mut takers = planner.takers(device, &mut known);
                    takers.truncate(devices.len());
                    takers
                })
                .collect();
            let placed = matching::maximum(&edges).iter().flatten().count();
            (kind, (devices.len(), placed))
        })
        .collect()
}

/// What devices have to share to be of one kind.
pub(super) fn kind(device: &Device) -> String {
    let id = |id: Option<crate::model::pci::PciId>| id.map_or("????".to_owned(), |id| id.to_string());
    let driver = pair::effective_driver(device).unwrap_or_else(|| "no driver".to_owned());
    format!("{}:{} {driver}", id(device.vendor_id), id(device.product_id))
}
