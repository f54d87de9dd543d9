//! The next boot is like this one.

use super::prelude::*;
use std::collections::BTreeSet;

use crate::domain::read;

check! {
    /// The persistent definition has other host devices than the running guest.
    ///
    /// # Meaning
    /// The persistent definition moves along. Host devices that only it has keep the source's addresses, and the next
    /// boot on the destination would ask for them.
    /// # Check by hand
    /// virsh dumpxml DOMAIN --inactive.
    /// # Fix
    /// virsh detach-device DOMAIN FILE --config, with the pending element in FILE; or restart the guest before.
    "pending-config": Warning, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let domain = instance.domain;
    let (Some(xml), true) = (domain.inactive_xml.as_deref(), domain.persistent && domain.is_active()) else {
        return Vec::new();
    };
    let Ok(pending) = read::read(xml) else { return Vec::new() };
    let live: BTreeSet<_> = domain.hostdevs.iter().filter_map(|hostdev| hostdev.source).collect();
    let next: BTreeSet<_> = pending.hostdevs.iter().filter_map(|hostdev| hostdev.source).collect();
    let list =
        |of: Vec<&crate::model::pci::PciAddress>| of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (added, gone) = (list(next.difference(&live).collect()), list(live.difference(&next).collect()));
    let mut verdicts = Vec::new();
    if !added.is_empty() {
        verdicts.push(Verdict::fail(format!("the next boot would ask for {added} of the source")));
    }
    if !gone.is_empty() {
        verdicts.push(Verdict::fail(format!("the next boot will be without {gone}")));
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
