//! What is declared against what the device says.

use super::Subject;
use crate::model::finding::Severity;
use crate::model::snapshot::{Declared, Supported};
use crate::text::Diagnostic;

lint! {
    /// A device is declared live-migratable, but it or its driver says it cannot migrate.
    ///
    /// # Meaning
    /// Only with --host. Nova believes the configuration. A device that cannot migrate, or one that has vfio-pci or a
    /// host driver bound instead of a variant driver, makes the migration fail in libvirt, after Nova has moved
    /// everything else.
    /// # Check by hand
    /// pvm inventory HOST --pf ADDRESS
    /// # Fix
    /// Bind the variant driver, or say "live_migratable": "no".
    "declared-not-capable": Error, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Diagnostic>) {
    for (i, spec) in subject.config.device_specs.iter().enumerate() {
        let devices: Vec<_> =
            subject.matched().into_iter().filter(|(_, winner)| *winner == Some(i)).map(|(device, _)| device).collect();
        let Some(tag) = spec.node.get("live_migratable").filter(|_| spec.declared() == Declared::Yes) else {
            continue;
        };
        let span = tag.key.span.to(tag.value.span);
        let cannot: Vec<_> = devices.iter().filter(|d| d.migration.supported == Some(Supported::No)).collect();
        if let Some(first) = cannot.first() {
            let others = if cannot.len() > 1 { format!(" and {} more", cannot.len() - 1) } else { String::new() };
            found.push(
                Diagnostic::new(&RULE, format!("{}{others} cannot migrate, although this says yes", first.address))
                    .at(span, "declared")
                    .device(&first.address)
                    .remedy("\"live_migratable\": \"no\", or bind the variant driver that can"),
            );
        }
        let plain = |d: &&&crate::model::snapshot::Device| {
            d.migration.supported.is_none() && d.driver.is_some() && !d.has_variant_driver() && d.parent_addr.is_some()
        };
        let plain: Vec<_> = devices.iter().filter(plain).collect();
        if let Some(first) = plain.first() {
            let others = if plain.len() > 1 { format!(" and {} more", plain.len() - 1) } else { String::new() };
            found.push(
                Diagnostic::new(
                    &RULE,
                    format!("{}{others} is declared live-migratable, but no variant driver is bound", first.address),
                )
                .severity(Severity::Warning)
                .at(span, format!("bound to {}", first.driver.as_deref().unwrap_or("nothing")))
                .device(&first.address)
                .remedy("bind the variant driver before guests start (driverctl set-override ADDRESS DRIVER)"),
            );
        }
    }
}
