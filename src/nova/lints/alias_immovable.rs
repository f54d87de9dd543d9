//! An alias whose guests can never be live-migrated.

use super::Subject;
use crate::model::finding::{Finding, Severity};
use crate::model::snapshot::Declared;

lint! {
    /// An alias has no live_migratable yes, so its guests can never be live-migrated.
    ///
    /// # Meaning
    /// Nova decides about a live migration by the request that was stored when the guest was made. An alias without
    /// live_migratable makes requests that forbid it forever, whatever device the guest holds. Guests that exist keep
    /// their old request when the alias changes: they must be resized to a flavor with the new alias.
    /// # Check by hand
    /// grep -n '^alias' FILE, and openstack flavor show FLAVOR -c properties
    /// # Fix
    /// "live_migratable": "yes" for devices with a variant driver, "no" where guests shall stay.
    "alias-never-migrates": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let config = subject.config;
    // Where nothing at all is about migration, it is only worth knowing.
    let in_use = config.device_specs.iter().any(|spec| spec.tags.live_migratable.is_some())
        || config.aliases.iter().any(|alias| alias.spec.live_migratable != Declared::Unset);
    for alias in config.aliases.iter().filter(|alias| alias.spec.live_migratable == Declared::Unset) {
        found.push(
            Finding::new(&RULE, format!("guests with alias '{}' can never be live-migrated", alias.name.value))
                .severity(if in_use { Severity::Warning } else { Severity::Info })
                .at(alias.name.span, "no live_migratable")
                .remedy("\"live_migratable\": \"yes\", or \"no\" if that is meant"),
        );
    }
}
