//! A permitted downtime that is too short for devices.

use super::{Subject, option_span, uses_migration};
use crate::model::finding::Finding;
use crate::nova::config::options::DOWNTIME;

lint! {
    /// live_migration_downtime is too short for the state of the devices.
    ///
    /// # Meaning
    /// A device's last state goes while the guest is paused, and QEMU ends the migration only when it expects to stay
    /// within the permitted downtime. With too little it never ends. pvm takes 1 GiB/s for the link and Nova's default
    /// of 500 ms as the least.
    /// # Check by hand
    /// The state's size is in pvm inventory -o json, migration.state_size.
    /// # Fix
    /// live_migration_downtime = 500 or more in [libvirt], milliseconds.
    "downtime-too-short": Warning, run
}

/// Bytes that go over in a millisecond on a link of 10 Gbit/s, about.
const BYTES_PER_MS: u64 = 1 << 20;

/// Nova's default.
const LEAST_MS: u64 = 500;

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    if !uses_migration(subject) {
        return;
    }
    let Some(value) = subject.config.options.get("libvirt.live_migration_downtime").and_then(|o| o.value.as_u64())
    else {
        return;
    };
    let largest = subject.host.and_then(|host| host.devices.iter().filter_map(|d| d.migration.state_size).max());
    let needed = LEAST_MS.max(largest.map_or(0, |bytes| bytes / BYTES_PER_MS));
    if value >= needed {
        return;
    }
    let finding = Finding::new(
        &RULE,
        format!("live_migration_downtime of {value} ms is too short: devices need about {needed} ms"),
    )
    .remedy(format!("live_migration_downtime = {needed}"));
    found.push(match option_span(subject, &DOWNTIME) {
        Some(span) => finding.at(span, "milliseconds"),
        None => finding.note("it is not set; Nova's default is 500"),
    });
}
