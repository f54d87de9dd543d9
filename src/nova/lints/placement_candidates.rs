//! So many providers that Placement stops counting.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::options::REPORT_IN_PLACEMENT;
use crate::nova::config::placement_names;
use std::collections::{BTreeMap, BTreeSet};

lint! {
    /// With Placement, more than 8 providers of one class make its answers explode.
    ///
    /// # Meaning
    /// pvm looks for this only with --host. A flavor with several devices asks Placement for one group each, and every
    /// combination of providers is a candidate: 8 providers and 8 devices are 16 million. Placement cuts the list, and
    /// the scheduler's filter, which alone looks at live_migratable, may then find none that fits: no valid host,
    /// although there is one.
    /// # Check by hand
    /// openstack resource provider list --resource CLASS=1
    /// # Fix
    /// max_allocation_candidates and allocation_candidates_generation_strategy = breadth-first in placement.conf, and
    /// [scheduler] max_placement_results in nova.conf; or separate resource classes.
    "placement-candidates": Warning, run
}

/// From here on the number of combinations is beyond Placement's limits.
const MOST: usize = 8;

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if !subject.config.is_on(&REPORT_IN_PLACEMENT) {
        return;
    }
    let mut classes: BTreeMap<String, (usize, BTreeSet<_>)> = BTreeMap::new();
    for (device, winner) in subject.matched() {
        let (Some(winner), Some(vendor), Some(product)) = (winner, device.vendor_id, device.product_id) else {
            continue;
        };
        let name = subject.config.device_specs[winner].tags.resource_class.as_ref().and_then(|v| v.as_str());
        let class = placement_names::resource_class(name, &vendor.to_string(), &product.to_string());
        let (_, providers) = classes.entry(class).or_insert_with(|| (winner, BTreeSet::new()));
        providers.insert(device.parent_addr.unwrap_or(device.address));
    }
    for (class, (winner, providers)) in classes {
        if providers.len() > MOST {
            found.push(
                Finding::new(&RULE, format!("{} providers of {class} on this host: Placement cuts the list of candidates", providers.len()))
                    .at(subject.config.device_specs[winner].span(), "the first of this class")
                    .remedy("allocation_candidates_generation_strategy = breadth-first and a larger max_allocation_candidates in [placement] of placement.conf"),
            );
        }
    }
}
