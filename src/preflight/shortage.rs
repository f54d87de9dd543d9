//! Which kinds of device a fleet has too few of to empty a host.

use std::collections::BTreeMap;

use serde::Serialize;

use super::capacity::kind;
use crate::model::snapshot::{DevType, Device, Snapshot};

/// A kind of device of which the guests of one host hold more than are free on all others together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// `vendor:product` and driver.
    pub kind: String,
    /// The host that lacks most places for its devices.
    pub host: String,
    /// How many its guests hold.
    pub held: usize,
    /// How many are free on the other hosts.
    pub free: usize,
}

/// For each kind how many of a host's VFs guests hold, and how many are free.
pub(super) type Kinds = BTreeMap<String, (usize, usize)>;

/// The VFs of a host by kind.
pub(super) fn kinds(host: &Snapshot) -> Kinds {
    let mut kinds = Kinds::new();
    for device in host.devices.iter().filter(|device| device.dev_type == DevType::Vf) {
        let of_kind = kinds.entry(kind(device)).or_default();
        of_kind.0 += usize::from(is_held(device));
        of_kind.1 += usize::from(is_free(device));
    }
    kinds
}

/// What is short of everything that guests hold, by kind.
pub(super) fn shortages(hosts: &[(&str, &Kinds)]) -> Vec<Shortage> {
    // For each kind, held and free on each host.
    let mut counts: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (at, (_, kinds)) in hosts.iter().enumerate() {
        for (kind, both) in *kinds {
            counts.entry(kind.clone()).or_insert_with(|| vec![(0, 0); hosts.len()])[at] = *both;
        }
    }
    let most = |(kind, counts): (String, Vec<(usize, usize)>)| {
        let free: usize = counts.iter().map(|(_, free)| free).sum();
        let lacks = |at: usize| counts[at].0.saturating_sub(free - counts[at].1);
        let host = (0..counts.len()).rev().max_by_key(|at| lacks(*at)).filter(|at| lacks(*at) > 0)?;
        let (held, own) = counts[host];
        Some(Shortage { kind, host: hosts[host].0.to_owned(), held, free: free - own })
    };
    counts.into_iter().filter_map(most).collect()
}

fn is_held(device: &Device) -> bool {
    device.used_by.as_ref().is_some_and(|by| !by.is_empty())
}

fn is_free(device: &Device) -> bool {
    device.used_by.as_ref().is_some_and(Vec::is_empty)
}
