//! The inventory, and what this machine's pvm has done, as a Prometheus text file, for the node exporter's textfile collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::facts::kernel::mismatch;
use crate::model::snapshot::Snapshot;
use crate::model::snapshot::device::{DevType, Supported};
use crate::model::time::Timestamp;

/// What a machine's pvm has done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Migrations on record by what they came to.
    pub by_result: BTreeMap<&'static str, u64>,
    /// Those of them that failed: undone, or with something missing, or to be decided.
    pub failed: u64,
    /// Journals that cannot be read.
    pub unreadable: u64,
    /// When the last one ended.
    pub last_end: Option<Timestamp>,
    /// The downtime of the last one that has one.
    pub last_downtime_ms: Option<u64>,
    /// The longest downtime.
    pub longest_downtime_ms: Option<u64>,
    /// The last drain of each host.
    pub drains: BTreeMap<String, LastDrain>,
}

/// The last drain of a host.
#[derive(Debug)]
pub(crate) struct LastDrain {
    /// When it began.
    pub begun: Timestamp,
    /// Whether no guest may go to the host.
    pub is_cordoned: bool,
    /// Its guests by what has become of them.
    pub guests: BTreeMap<&'static str, usize>,
}

/// Metrics of one or several hosts, and of what this machine's pvm has done.
pub(crate) fn render(snapshots: &[&Snapshot], done: Option<&Done>) -> String {
    let mut text = String::new();
    head(&mut text, "pvm_vfs", "Virtual functions by PF, by whether a guest uses them and whether they can migrate.");
    for snapshot in snapshots {
        for ((pf, used, migratable), count) in vfs(snapshot) {
            let labels =
                labels(&[("host", &snapshot.host.name), ("pf", &pf), ("used", used), ("migratable", migratable)]);
            let _ = writeln!(text, "pvm_vfs{labels} {count}");
        }
    }
    head(&mut text, "pvm_sriov_vfs_max", "Virtual functions that a PF can have.");
    for snapshot in snapshots {
        for device in &snapshot.devices {
            if let Some(sriov) = &device.sriov {
                let labels = labels(&[("host", &snapshot.host.name), ("pf", &device.address.to_string())]);
                let _ = writeln!(text, "pvm_sriov_vfs_max{labels} {}", sriov.total);
            }
        }
    }
    head(&mut text, "pvm_mismatches", "Devices whose declaration, driver and answer do not fit together, by finding.");
    for snapshot in snapshots {
        for rule in mismatch::RULES.iter().filter(|rule| mismatch::is_mismatch(rule.code)) {
            let count = snapshot.findings.iter().filter(|finding| finding.code == rule.code).count();
            let labels = labels(&[("host", &snapshot.host.name), ("code", rule.code)]);
            let _ = writeln!(text, "pvm_mismatches{labels} {count}");
        }
    }
    if let Some(done) = done {
        migrations(&mut text, done);
        drains(&mut text, &done.drains);
    }
    text
}

fn migrations(text: &mut String, done: &Done) {
    head(text, "pvm_migrations", "Migrations on record of this machine's pvm, by what they came to.");
    for (result, count) in &done.by_result {
        let _ = writeln!(text, "pvm_migrations{} {count}", labels(&[("result", result)]));
    }
    let numbers = [
        (
            "pvm_migrations_failed",
            "Migrations on record that failed: undone, or something is missing, or to be decided.",
            Some(done.failed.to_string()),
        ),
        ("pvm_migrations_unreadable", "Journals of migrations that cannot be read.", Some(done.unreadable.to_string())),
        ("pvm_migration_last_end_timestamp_seconds", "When the last migration ended.", done.last_end.map(seconds)),
        (
            "pvm_migration_last_downtime_seconds",
            "Downtime of the last migration of which it is known.",
            done.last_downtime_ms.map(|ms| thousandths(i128::from(ms))),
        ),
        (
            "pvm_migration_longest_downtime_seconds",
            "Longest downtime of the migrations on record.",
            done.longest_downtime_ms.map(|ms| thousandths(i128::from(ms))),
        ),
    ];
    for (name, help, value) in numbers {
        // What is not known has no number.
        if let Some(value) = value {
            head(text, name, help);
            let _ = writeln!(text, "{name} {value}");
        }
    }
}

fn drains(text: &mut String, drains: &BTreeMap<String, LastDrain>) {
    if drains.is_empty() {
        return;
    }
    head(text, "pvm_drain_begin_timestamp_seconds", "When the last drain of a host began.");
    for (host, drain) in drains {
        let labels = labels(&[("host", host)]);
        let _ = writeln!(text, "pvm_drain_begin_timestamp_seconds{labels} {}", seconds(drain.begun));
    }
    head(text, "pvm_drain_guests", "Guests of the last drain of a host, by what has become of them.");
    for (host, drain) in drains {
        for (state, count) in &drain.guests {
            let _ = writeln!(text, "pvm_drain_guests{} {count}", labels(&[("host", host), ("state", state)]));
        }
    }
    head(text, "pvm_cordoned", "Whether no guest may go to a host that was drained.");
    for (host, drain) in drains {
        let _ = writeln!(text, "pvm_cordoned{} {}", labels(&[("host", host)]), u8::from(drain.is_cordoned));
    }
}

fn seconds(time: Timestamp) -> String {
    thousandths(i128::from(time.0))
}

/// So many thousandths of a second as seconds.
fn thousandths(ms: i128) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03}", ms / 1000, ms % 1000)
}

fn vfs(snapshot: &Snapshot) -> BTreeMap<(String, &'static str, &'static str), u32> {
    let mut counts = BTreeMap::new();
    for device in snapshot.devices.iter().filter(|d| d.dev_type == DevType::Vf) {
        let pf = device.parent_addr.map(|pf| pf.to_string()).unwrap_or_default();
        let used = match device.is_free() {
            Some(true) => "no",
            Some(false) => "yes",
            None => "unknown",
        };
        let migratable = match device.migration.supported {
            Some(Supported::Yes) => "yes",
            Some(Supported::No) => "no",
            None => "unknown",
        };
        *counts.entry((pf, used, migratable)).or_default() += 1;
    }
    counts
}

fn head(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Device;

    #[test]
    fn counts_by_pf_and_escapes_names() {
        let vf = |address: &str, used: bool, supported| Device {
            address: address.parse().unwrap(),
            parent_addr: "0000:01:00.0".parse().ok(),
            dev_type: DevType::Vf,
            used_by: Some(if used { vec![crate::model::snapshot::device::UsedBy::default()] } else { vec![] }),
            migration: crate::model::snapshot::device::Migration { supported, ..Default::default() },
            ..Device::default()
        };
        let mut snapshot = Snapshot::default();
        snapshot.host.name = "a\"\n".to_owned();
        snapshot.devices = vec![
            vf("01:00.1", false, Some(Supported::Yes)),
            vf("01:00.2", false, Some(Supported::Yes)),
            vf("01:00.3", true, None),
        ];
        let text = render(&[&snapshot], None);
        assert!(
            text.contains("pvm_vfs{host=\"a\\\"\\n\",pf=\"0000:01:00.0\",used=\"no\",migratable=\"yes\"} 2\n"),
            "{text}"
        );
        assert!(text.contains("used=\"yes\",migratable=\"unknown\"} 1\n"), "{text}");
        assert!(text.contains("code=\"declared-cannot\"} 0\n"), "{text}");
    }

    #[test]
    fn what_was_done_is_told_and_what_is_unknown_has_no_number() {
        assert!(!render(&[], None).contains("pvm_migrations"));
        let mut done = Done { by_result: [("migrated", 2), ("unfinished", 0)].into(), failed: 1, ..Done::default() };
        let text = render(&[], Some(&done));
        assert!(!text.contains("downtime") && !text.contains("timestamp") && !text.contains("drain"), "{text}");
        done.last_downtime_ms = Some(1030);
        done.last_end = Some(Timestamp(1_700_000_000_005));
        let guests = [("left", 3), ("stays", 1)].into();
        done.drains.insert("a".into(), LastDrain { begun: Timestamp(0), is_cordoned: true, guests });
        let text = render(&[], Some(&done));
        for line in [
            "pvm_migrations{result=\"migrated\"} 2",
            "pvm_migrations{result=\"unfinished\"} 0",
            "pvm_migrations_failed 1",
            "pvm_migration_last_downtime_seconds 1.030",
            "pvm_migration_last_end_timestamp_seconds 1700000000.005",
            "pvm_drain_begin_timestamp_seconds{host=\"a\"} 0.000",
            "pvm_drain_guests{host=\"a\",state=\"left\"} 3",
            "pvm_cordoned{host=\"a\"} 1",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line}: {text}");
        }
    }
}
