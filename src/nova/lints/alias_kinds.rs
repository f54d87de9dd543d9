//! One alias for different kinds of devices.

use super::{Subject, serves};
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;
use crate::nova::config::device_spec::DeviceSpec;

lint! {
    /// One alias reaches different kinds of devices, which cannot take each other's state.
    ///
    /// # Meaning
    /// A guest's device state can only be loaded by a device of the same kind. An alias with several vendor or product
    /// ids, or with a resource_class that several kinds of devices share, lets Nova choose another kind at the
    /// destination; the migration then fails in its last phase.
    /// # Check by hand
    /// lspci -nn -d VENDOR:PRODUCT for each id of the alias.
    /// # Fix
    /// One alias, and one flavor, for each kind of device.
    "alias-several-kinds": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let aliases = &subject.config.aliases;
    let ids = |i: usize| (aliases[i].spec.get("vendor_id"), aliases[i].spec.get("product_id"));
    for i in 0..aliases.len() {
        let alias = &aliases[i];
        if alias.spec.live_migratable != Declared::Yes {
            continue;
        }
        let name = &alias.name.value;
        if let Some(first) = (0..i).find(|j| aliases[*j].name.value == *name && ids(*j) != ids(i)) {
            found.push(
                Finding::new(&RULE, format!("alias '{name}' reaches devices of different kinds"))
                    .at(alias.place("product_id"), "other ids")
                    .also(aliases[first].place("product_id"), "the first of that name")
                    .remedy("give each kind of device its own alias and flavor"),
            );
        }
        if ids(i) != (None, None) {
            continue;
        }
        let class =
            |spec: &DeviceSpec| spec.tags.resource_class.as_ref().and_then(|v| v.as_str().map(str::to_uppercase));
        let wanted = alias.spec.get("resource_class").map(|v| v.to_uppercase());
        let mut kinds =
            subject.config.device_specs.iter().filter(|spec| class(spec) == wanted && serves(spec, &alias.spec));
        let Some(first) = kinds.next() else { continue };
        if let Some(other) = kinds.find(|s| (&s.vendor_id, &s.product_id) != (&first.vendor_id, &first.product_id)) {
            found.push(
                Finding::new(
                    &RULE,
                    format!("the resource_class of alias '{name}' is shared by devices of different kinds"),
                )
                .at(alias.place("resource_class"), "by resource_class alone")
                .also(first.span(), "one kind")
                .also(other.span(), "another kind")
                .remedy("give each kind of device its own resource_class, alias and flavor"),
            );
        }
    }
}
