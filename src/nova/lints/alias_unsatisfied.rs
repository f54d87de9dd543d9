//! An alias that wants migratable devices where none is declared.

use super::{Subject, serves, spec_pf_id};
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// An alias says live_migratable yes, but no device_spec that could serve it says yes.
    ///
    /// # Meaning
    /// A request for an alias with live_migratable yes is met only by devices whose device_spec says yes. With no such
    /// spec in these files no guest of that alias can start on this host.
    /// # Check by hand
    /// grep -nE '^(alias|device_spec)' FILE
    /// # Fix
    /// "live_migratable": "yes" in the device_spec of the devices, on every host that shall take such guests.
    "alias-yes-unsatisfied": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let specs = &subject.config.device_specs;
    if specs.is_empty() {
        // A controller's file: the specs are on the hosts.
        return;
    }
    for alias in &subject.config.aliases {
        if alias.spec.live_migratable != Declared::Yes {
            continue;
        }
        if specs.iter().any(|spec| serves(spec, &alias.spec) && spec.declared() == Declared::Yes) {
            continue;
        }
        let ids = alias.spec.get("vendor_id").zip(alias.spec.get("product_id"));
        if ids.is_some_and(|(vendor, product)| spec_pf_id::meant_for(subject, vendor, product)) {
            // The spec is there, with the id of the PF.
            continue;
        }
        let mut finding = Finding::new(
            &RULE,
            format!(
                "alias '{}' wants live_migratable devices, and no device_spec here declares any for it",
                alias.name.value
            ),
        )
        .at(
            alias.node.get("live_migratable").map_or(alias.node.span, |m| m.key.span.to(m.value.span)),
            "nothing serves this",
        )
        .remedy("\"live_migratable\": \"yes\" in the device_spec of these devices");
        if let Some(spec) = specs.iter().find(|spec| serves(spec, &alias.spec)) {
            finding = finding.also(spec.span(), "could serve it, but does not say yes");
        }
        found.push(finding);
    }
}
