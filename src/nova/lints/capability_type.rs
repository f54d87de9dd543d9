//! The alias key that makes every request fail.

use super::{Lint, Subject};
use crate::model::finding::{Rule, Severity};
use crate::text::Diagnostic;

pub(super) const LINT: Lint = Lint { rule: &RULE, run };

const RULE: Rule = Rule {
    code: "capability-type",
    severity: Severity::Warning,
    summary: "an alias has capability_type, so no request for it can ever be met",
    page: "Nova keeps capability_type in the request, no device has such a property, and so no device matches.

Fix: remove capability_type.",
};

fn run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for alias in &subject.config.aliases {
        if let Some(member) = alias.node.get("capability_type") {
            found.push(
                Diagnostic::new(
                    &RULE,
                    format!("alias '{}' can never be served: no device has a capability_type", alias.name.value),
                )
                .at(member.key.span.to(member.value.span), "matches no device")
                .remedy("remove capability_type"),
            );
        }
    }
}
