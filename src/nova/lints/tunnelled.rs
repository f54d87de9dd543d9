//! Tunnelled migration, which costs more than devices have time for.

use super::{Lint, Subject, option_span, uses_migration};
use crate::model::finding::{Rule, Severity};
use crate::nova::config::options::TUNNELLED;
use crate::text::Diagnostic;

pub(super) const LINT: Lint = Lint { rule: &RULE, run };

const RULE: Rule = Rule {
    code: "tunnelled-migration",
    severity: Severity::Warning,
    summary: "tunnelled migration is on, while devices are declared live-migratable",
    page: "Through the tunnel all data goes over the libvirt connection and is copied several times; a device's state, which goes while
the guest stands still, takes that much longer. libvirt refuses it with some flags, and Nova has deprecated it.

Fix: live_migration_tunnelled = false in [libvirt], and live_migration_with_native_tls = true for encryption.",
};

fn run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    if let Some(span) =
        option_span(subject, &TUNNELLED).filter(|_| subject.config.is_on(&TUNNELLED) && uses_migration(subject))
    {
        found.push(
            Diagnostic::new(
                &RULE,
                "tunnelled migration makes the guest stand still longer, while its devices' state goes over",
            )
            .at(span, "on")
            .remedy(
                "live_migration_tunnelled = false; live_migration_with_native_tls = true encrypts without a tunnel",
            ),
        );
    }
}
