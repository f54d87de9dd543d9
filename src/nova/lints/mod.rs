//! What Nova accepts silently: one file per trap, with its page.
//!
//! # Adding a lint
//!
//! 1. Write `src/nova/lints/NAME.rs`: `lint!` with the page (a sentence that says what is wrong, then *Meaning*, *Check by
//!    hand* and *Fix*; a page that lacks one does not compile), the code, the severity, and `run`, which pushes one
//!    [`Finding::new(&RULE, …)`](Finding::new) for each place.
//! 2. Add `NAME` to `lints!` below, which declares the module and registers the lint.
//! 3. Write `tests/cmd/check-config/CODE.case`: a file that has the trap, and the corrected one. `UPDATE=1` records what pvm
//!    says; a lint without a case fails the test.

use crate::model::finding::{Finding, Rule};
use crate::model::pci::PciAddress;
use crate::model::snapshot::{AliasSpec, Declared, Device, Snapshot};
use crate::nova::config::device_spec::{DeviceSpec, IdPattern};
use crate::nova::config::options::OptionDef;
use crate::nova::config::{Matcher, ParsedConfig, View};
use crate::text::Span;

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
    pub run: fn(&Subject<'_>, &mut Vec<Finding>),
}

/// Declares the lint of a file: its page, code and severity, and the function that looks for it.
macro_rules! lint {
    ($(#[doc = $page:literal])+ $code:literal: $severity:ident, $run:ident) => {
        #[allow(rustdoc::broken_intra_doc_links, reason = "a page is read in a terminal: [pci] is a section of nova.conf")]
        $(#[doc = $page])+
        static RULE: $crate::model::finding::Rule =
            $crate::model::finding::rule!($code, $severity, $($page)+);

        pub(super) static LINT: super::Lint = super::Lint { rule: &RULE, run: $run };
    };
}

/// Declares the modules of the lints and their list.
macro_rules! lints {
    ($($name:ident,)+) => {
        $(mod $name;)+

        /// Every lint.
        pub const LINTS: &[&Lint] = &[$(&$name::LINT),+];
    };
}

lints! {
    alias_device_type,
    alias_immovable,
    alias_kinds,
    alias_mixed,
    alias_no_untagged,
    alias_unsatisfied,
    alias_unserved,
    capability_type,
    declared_incapable,
    deprecated_option,
    device_unmatched,
    downtime,
    duplicate_key,
    force_complete,
    managed,
    parallel_post_copy,
    physical_network,
    placement_candidates,
    placement_devname,
    placement_providers,
    post_copy,
    regex_prefix,
    regex_upper_case,
    shadowed_spec,
    spec_pf_id,
    spec_unused,
    trait_blank,
    tunnelled,
    unknown_option,
    unknown_tag,
    versions,
    yaml_unquoted,
}

/// Everything the lints have to say.
pub fn run(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for lint in LINTS {
        (lint.run)(subject, &mut found);
    }
    found
}

/// Whether the ids, or with Placement the resource class, of an alias could be those of a spec's devices.
pub(super) fn serves(spec: &DeviceSpec, want: &AliasSpec) -> bool {
    let fits = |pattern: &IdPattern, key: &str| {
        pattern.is_any() || want.get(key).is_none_or(|id| id.eq_ignore_ascii_case(&pattern.text))
    };
    let by_class = want.get("product_id").is_none();
    let class =
        |name: Option<&str>| name.map(|name| crate::nova::config::placement_names::resource_class(Some(name), "", ""));
    fits(&spec.vendor_id, "vendor_id")
        && fits(&spec.product_id, "product_id")
        && (!by_class
            || class(want.get("resource_class").map(String::as_str))
                == class(spec.tags.resource_class.as_ref().and_then(|v| v.as_str())))
}

/// Whether anything here is declared live-migratable.
fn uses_migration(subject: &Subject<'_>) -> bool {
    subject.config.device_specs.iter().any(|spec| spec.declared() == Declared::Yes)
        || subject.config.aliases.iter().any(|alias| alias.spec.live_migratable == Declared::Yes)
}

/// Where an option is written.
fn option_span(subject: &Subject<'_>, def: &OptionDef) -> Option<Span> {
    subject.config.options.get(&format!("{}.{}", def.group, def.name)).and_then(|option| option.span)
}
