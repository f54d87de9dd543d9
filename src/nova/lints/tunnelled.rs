//! Tunnelled migration, which costs more than devices have time for.

use super::{Subject, option_span, uses_migration};
use crate::model::finding::Finding;
use crate::nova::config::options::TUNNELLED;

lint! {
    /// Tunnelled migration is on, while devices are declared live-migratable.
    ///
    /// # Meaning
    /// Through the tunnel all data goes over the libvirt connection and is copied several times; a device's state,
    /// which is sent while the guest is paused, takes that much longer. libvirt refuses it with some flags, and Nova
    /// has deprecated it.
    /// # Check by hand
    /// grep -n live_migration_tunnelled FILE
    /// # Fix
    /// live_migration_tunnelled = false in [libvirt], and live_migration_with_native_tls = true for encryption.
    "tunnelled-migration": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if let Some(span) =
        option_span(subject, &TUNNELLED).filter(|_| subject.config.is_on(&TUNNELLED) && uses_migration(subject))
    {
        found.push(
            Finding::new(&RULE, "tunnelled migration lengthens the downtime, while the device state is transferred")
                .at(span, "on")
                .remedy(
                    "live_migration_tunnelled = false; live_migration_with_native_tls = true encrypts without a tunnel",
                ),
        );
    }
}
