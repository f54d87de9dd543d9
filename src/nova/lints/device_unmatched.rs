//! Devices of the host that no spec matches.

use super::{Subject, spec_pf_id};
use crate::model::finding::Finding;

lint! {
    /// A device that could be migrated falls under no device_spec, so Nova does not manage it.
    ///
    /// # Meaning
    /// pvm looks for this only with --host. The device is a VF, or has a variant driver, and no device_spec matches it.
    /// Nova never gives it to a guest.
    /// # Check by hand
    /// pvm check-config --host HOST --trace ADDRESS
    /// # Fix
    /// A device_spec for it, if guests shall have it.
    "device-unmatched": Info, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let mut by_kind: std::collections::BTreeMap<_, Vec<_>> = std::collections::BTreeMap::new();
    for (device, winner) in subject.matched() {
        let candidate = device.parent_addr.is_some() || device.has_variant_driver();
        // Beyond domain ffff Nova skips a device whatever the specs say.
        if winner.is_none() && candidate && device.address.domain <= 0xffff {
            by_kind.entry((device.vendor_id, device.product_id)).or_default().push(device);
        }
    }
    for ((vendor, product), devices) in by_kind {
        let (Some(vendor), Some(product), Some(first)) = (vendor, product, devices.first()) else { continue };
        if spec_pf_id::meant_for(subject, &vendor.to_string(), &product.to_string()) {
            continue;
        }
        let others = if devices.len() > 1 { format!(" and {} more", devices.len() - 1) } else { String::new() };
        found.push(
            Finding::new(&RULE, format!("no device_spec matches {}{others} ({vendor}:{product})", first.address))
                .device(&first.address)
                .remedy(format!("device_spec = {{\"vendor_id\": \"{vendor}\", \"product_id\": \"{product}\"}}")),
        );
    }
}
