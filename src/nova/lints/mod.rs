//! What Nova takes in silence: one file per trap, each with its rule and its page. A lint is added by its file and one line
//! in the list.

mod alias_device_type;
mod alias_immovable;
mod alias_kinds;
mod alias_mixed;
mod alias_no_untagged;
mod alias_unsatisfied;
mod capability_type;
mod declared_incapable;
mod deprecated_option;
mod device_unmatched;
mod downtime;
mod duplicate_key;
mod managed;
mod physical_network;
mod placement_candidates;
mod placement_devname;
mod placement_providers;
mod post_copy;
mod regex_prefix;
mod regex_upper_case;
mod shadowed_spec;
mod spec_unused;
mod trait_blank;
mod tunnelled;
mod unknown_option;
mod unknown_tag;
mod versions;
mod yaml_unquoted;

use std::collections::BTreeMap;

use crate::model::finding::Rule;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Device, Snapshot};
use crate::nova::config::device_spec::{DeviceSpec, IdPattern};
use crate::nova::config::options::OptionDef;
use crate::nova::config::{Matcher, ParsedConfig, View};
use crate::text::{Diagnostic, Span};

/// What a lint looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The configuration.
    pub config: &'a ParsedConfig,
    /// Its specs, compiled.
    pub matcher: &'a Matcher,
    /// The host it is for, if one was named.
    pub host: Option<&'a Snapshot>,
}

impl<'a> Subject<'a> {
    /// Every device of the host, and the index of the spec that wins for it.
    pub fn winners(&self) -> Vec<(PciAddress, Option<usize>)> {
        self.matched().into_iter().map(|(device, winner)| (device.address, winner)).collect()
    }

    /// Every device of the host with the spec that wins for it.
    pub(super) fn matched(&self) -> Vec<(&'a Device, Option<usize>)> {
        let devices = self.host.map(|host| host.devices.as_slice()).unwrap_or_default();
        let by_address: std::collections::HashMap<_, _> = devices.iter().map(|d| (d.address, d)).collect();
        devices
            .iter()
            .map(|device| {
                let parent = device.parent_addr.and_then(|address| by_address.get(&address).copied());
                (device, self.matcher.first_match(&View::of(device, parent)))
            })
            .collect()
    }
}

/// One trap.
#[derive(Debug)]
pub struct Lint {
    /// Its rule.
    pub rule: &'static Rule,
    /// Looks for it.
    pub run: fn(&Subject<'_>, &mut Vec<Diagnostic>),
}

/// Every lint.
pub const LINTS: &[&Lint] = &[
    &alias_device_type::LINT,
    &alias_immovable::LINT,
    &alias_kinds::LINT,
    &alias_mixed::LINT,
    &alias_no_untagged::LINT,
    &alias_unsatisfied::LINT,
    &capability_type::LINT,
    &declared_incapable::LINT,
    &deprecated_option::LINT,
    &device_unmatched::LINT,
    &downtime::LINT,
    &duplicate_key::LINT,
    &managed::LINT,
    &physical_network::LINT,
    &placement_candidates::LINT,
    &placement_devname::LINT,
    &placement_providers::LINT,
    &post_copy::LINT,
    &regex_prefix::LINT,
    &regex_upper_case::LINT,
    &shadowed_spec::LINT,
    &spec_unused::LINT,
    &trait_blank::LINT,
    &tunnelled::LINT,
    &unknown_option::LINT,
    &unknown_tag::LINT,
    &versions::LINT,
    &yaml_unquoted::LINT,
];

/// The lints' rules, for `pvm explain`.
pub const RULES: [&Rule; LINTS.len()] = {
    let mut rules = [LINTS[0].rule; LINTS.len()];
    let mut i = 0;
    while i < LINTS.len() {
        rules[i] = LINTS[i].rule;
        i += 1;
    }
    rules
};

/// Everything the lints have to say.
pub fn run(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for lint in LINTS {
        (lint.run)(subject, &mut found);
    }
    found
}

/// Whether the ids, or with Placement the resource class, of an alias could be those of a spec's devices.
pub(super) fn serves(spec: &DeviceSpec, want: &BTreeMap<String, String>) -> bool {
    let fits = |pattern: &IdPattern, key: &str| {
        pattern.is_any() || want.get(key).is_none_or(|id| id.eq_ignore_ascii_case(&pattern.text))
    };
    let by_class = !want.contains_key("product_id");
    let class =
        |name: Option<&str>| name.map(|name| crate::nova::config::placement_names::resource_class(Some(name), "", ""));
    fits(&spec.vendor_id, "vendor_id")
        && fits(&spec.product_id, "product_id")
        && (!by_class
            || class(want.get("resource_class").map(String::as_str))
                == class(spec.tags.get("resource_class").and_then(|v| v.as_str())))
}

/// Whether a spec's `live_migratable` is this (`true` or `false`).
fn tagged(spec: &DeviceSpec, value: &str) -> bool {
    spec.tags.get("live_migratable").is_some_and(|v| v == value)
}

/// Whether anything here is declared live-migratable.
fn uses_migration(subject: &Subject<'_>) -> bool {
    subject.config.device_specs.iter().any(|spec| tagged(spec, "true"))
        || subject.config.aliases.iter().any(|alias| alias.spec.get("live_migratable").is_some_and(|v| v == "true"))
}

/// Where an option is written.
fn option_span(subject: &Subject<'_>, def: &OptionDef) -> Option<Span> {
    subject.config.options.get(&format!("{}.{}", def.group, def.name)).and_then(|option| option.span)
}
