//! An alias `no` that untagged devices do not serve.

use super::{Subject, serves};
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// An alias says live_migratable no, but the devices are only untagged.
    ///
    /// # Meaning
    /// For allocation an absent tag is not the same as no: an alias with live_migratable no is met only by devices
    /// whose device_spec says no. Untagged devices serve only aliases without the key.
    /// # Check by hand
    /// grep -nE '^(alias|device_spec)' FILE
    /// # Fix
    /// "live_migratable": "no" in the device_spec, or remove the key from the alias.
    "alias-no-untagged": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for alias in &subject.config.aliases {
        if alias.spec.live_migratable != Declared::No {
            continue;
        }
        let mut candidates = subject.config.device_specs.iter().filter(|spec| serves(spec, &alias.spec)).peekable();
        let Some(first) = candidates.peek().copied() else { continue };
        if candidates.any(|spec| spec.declared() == Declared::No) {
            continue;
        }
        found.push(
            Finding::new(
                &RULE,
                format!("alias '{}' says live_migratable no, which only devices tagged no can serve", alias.name.value),
            )
            .at(
                alias.node.get("live_migratable").map_or(alias.node.span, |m| m.key.span.to(m.value.span)),
                "nothing serves this",
            )
            .also(first.span(), "has no live_migratable no")
            .remedy("\"live_migratable\": \"no\" in the device_spec, or remove it from the alias"),
        );
    }
}
