//! Blanks in a list of traits.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::placement_names;

lint! {
    /// A list of traits has blanks, which become part of the names.
    ///
    /// # Meaning
    /// Nova splits traits at commas and strips nothing: "a, b" gives CUSTOM_A and CUSTOM__B, an empty item gives
    /// CUSTOM_. The documented examples have such blanks.
    /// # Check by hand
    /// openstack resource provider trait list PROVIDER
    /// # Fix
    /// No blanks around the commas.
    "trait-blank": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let config = subject.config;
    let nodes = config.device_specs.iter().map(|s| &s.node).chain(config.aliases.iter().map(|a| &a.node));
    for member in nodes.filter_map(|node| node.get("traits")) {
        let Some(text) = member.value.as_str() else { continue };
        let stripped: Vec<&str> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
        let stripped = stripped.join(",");
        let names = placement_names::traits(text);
        if text.is_empty() || placement_names::traits(&stripped) == names {
            continue;
        }
        let odd = names.difference(&placement_names::traits(&stripped)).cloned().collect::<Vec<_>>().join(", ");
        found.push(
            Finding::new(&RULE, format!("Nova does not strip traits: here they become {odd}"))
                .at(member.value.span, "blanks or empty items count")
                .remedy(format!("\"traits\": \"{stripped}\"")),
        );
    }
}
