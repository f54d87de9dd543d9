//! The alias key that makes every request fail.

use super::Subject;
use crate::model::finding::Finding;

lint! {
    /// An alias has capability_type, so no request for it can ever be met.
    ///
    /// # Meaning
    /// Nova keeps capability_type in the request, no device has such a property, and so no device matches.
    /// # Check by hand
    /// grep -n capability_type FILE
    /// # Fix
    /// Remove capability_type.
    "capability-type": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for alias in &subject.config.aliases {
        if let Some(member) = alias.node.get("capability_type") {
            found.push(
                Finding::new(
                    &RULE,
                    format!("alias '{}' can never be served: no device has a capability_type", alias.name.value),
                )
                .at(member.key.span.to(member.value.span), "matches no device")
                .remedy("remove capability_type"),
            );
        }
    }
}
