//! An alias that no device_spec beside it can serve.

use super::{Subject, serves, spec_pf_id};
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// No device_spec of these files can serve an alias.
    ///
    /// # Meaning
    /// Each compute host has every alias of its guests in its nova.conf, but only its own device_spec. An alias without a
    /// device_spec that fits is right on a host without such devices, and a mistyped id on one that has them: no guest of
    /// the alias can then start there.
    /// # Check by hand
    /// grep -nE '^(alias|device_spec)' FILE, and lspci -nn
    /// # Fix
    /// The same vendor_id and product_id (or resource_class) in both, where the host has the devices.
    "alias-unserved": Info, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let specs = &subject.config.device_specs;
    if specs.is_empty() {
        // A controller's file: the specs are on the hosts.
        return;
    }
    for alias in &subject.config.aliases {
        let ids = alias.spec.get("vendor_id").zip(alias.spec.get("product_id"));
        let is_told_elsewhere = alias.spec.live_migratable == Declared::Yes
            || ids.is_some_and(|(vendor, product)| spec_pf_id::meant_for(subject, vendor, product));
        if is_told_elsewhere || specs.iter().any(|spec| serves(spec, &alias.spec)) {
            continue;
        }
        found.push(
            Finding::new(&RULE, format!("no device_spec here can serve alias '{}'", alias.name.value))
                .at(alias.name.span, "nothing serves this here")
                .remedy("the ids of its devices in a device_spec, if this host has them"),
        );
    }
}
