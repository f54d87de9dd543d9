//! The inventory as a Prometheus text file, for the node exporter's textfile collector.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::facts::kernel::mismatch;
use crate::model::snapshot::Snapshot;
use crate::model::snapshot::device::{DevType, Supported};

/// Metrics of one or several hosts.
pub(crate) fn render(snapshots: &[&Snapshot]) -> String {
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
    text
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
        let text = render(&[&snapshot]);
        assert!(
            text.contains("pvm_vfs{host=\"a\\\"\\n\",pf=\"0000:01:00.0\",used=\"no\",migratable=\"yes\"} 2\n"),
            "{text}"
        );
        assert!(text.contains("used=\"yes\",migratable=\"unknown\"} 1\n"), "{text}");
        assert!(text.contains("code=\"declared-cannot\"} 0\n"), "{text}");
    }
}
