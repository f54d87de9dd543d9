//! A key of a device_spec that Nova does not know.

use super::Subject;
use crate::model::finding::{Finding, Severity};
use crate::model::near_miss::near_miss;
use crate::nova::config::device_spec::{KNOWN_TAGS, MATCHING_KEYS};

lint! {
    /// A device_spec has a key that Nova takes as a free tag, probably a misspelt one.
    ///
    /// # Meaning
    /// Nova takes every key it does not know as a tag of the operator's own: it splits the pools of devices, and
    /// nothing else. live-migratable, Live_Migratable or livemigratable are such tags, so the device is simply
    /// untagged.
    /// # Check by hand
    /// grep -n device_spec FILE
    /// # Fix
    /// live_migratable, managed, physical_network, trusted, remote_managed, resource_class, traits, one_time_use,
    /// vendor_id, product_id, address and devname are the keys Nova knows.
    "unknown-tag": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let known: Vec<&str> = MATCHING_KEYS.iter().chain(&KNOWN_TAGS).copied().collect();
    for member in subject.config.device_specs.iter().flat_map(|spec| spec.node.members()) {
        let key = member.key.value.as_str();
        if known.contains(&key) {
            continue;
        }
        let of_alias = matches!(key, "name" | "device_type" | "dev_type" | "numa_policy" | "capability_type");
        let finding = match near_miss(key, &known) {
            Some(near) => Finding::new(&RULE, format!("Nova takes '{key}' for a tag of your own, not for {near}"))
                .at(member.key.span, format!("did you mean {near}?"))
                .remedy(format!("\"{near}\": …")),
            None if of_alias => {
                Finding::new(&RULE, format!("'{key}' is a key of alias; here Nova takes it for a tag of your own"))
                    .at(member.key.span, "does nothing here")
                    .remedy("remove it")
            }
            None => Finding::new(&RULE, format!("'{key}' is a tag of your own"))
                .severity(Severity::Info)
                .at(member.key.span, "splits the pool of devices")
                .note("devices with different tags are in different pools; only a Neutron port can ask for such a tag")
                .remedy("keep it if a port's binding profile asks for it, else remove it"),
        };
        found.push(finding);
    }
}
