//! Snapshots that nobody honest would make end in findings.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::model::pauses::{self, Pause, Pauses, Way};
use crate::preflight::terms::Terms;
use crate::preflight::verdict::CheckResult;

fn pair() -> (Snapshot, Snapshot) {
    let read = |text| serde_json::from_str::<Snapshot>(text).unwrap();
    (read(include_str!("../../tests/fixtures/pair/src.json")), read(include_str!("../../tests/fixtures/pair/dst.json")))
}

fn has(report: &Report, code: &str, result: CheckResult) -> bool {
    report
        .instances
        .iter()
        .flat_map(|i| &i.checks)
        .chain(&report.checks)
        .any(|r| r.finding.code == code && r.result == result)
}

#[test]
fn an_empty_destination_is_never_compatible() {
    let (source, _) = pair();
    let report = run(&source, &Snapshot::default(), &Question::default());
    assert_eq!(report.verdict, Compatibility::Incompatible);
    assert!(has(&report, "device-map", CheckResult::Error));
    assert!(has(&report, "libvirt-version", CheckResult::Unknown));
}

#[test]
fn a_destination_that_only_libvirt_describes_leaves_unknowns() {
    let (source, mut destination) = pair();
    for device in &mut destination.devices {
        device.migration = crate::model::snapshot::device::Migration::default();
        device.capabilities = None;
        device.bars = None;
        device.revision = None;
    }
    let report = run(&source, &destination, &Question::default());
    assert_eq!(report.verdict, Compatibility::Unknown);
    assert_eq!(report.instances[0].map.len(), 2, "a map is made nevertheless");
    for code in ["device-identity", "bar-layout", "capability-list", "probed-migratable"] {
        assert!(has(&report, code, CheckResult::Unknown), "{code}");
        assert!(report.unknown.iter().any(|u| u.fact == code), "{code}");
    }
}

#[test]
fn host_devices_that_the_snapshot_hides_are_noticed() {
    let (mut source, destination) = pair();
    source.domains[0].hostdevs.clear();
    let report = run(&source, &destination, &Question::default());
    assert!(has(&report, "definition-read", CheckResult::Error));
    source.domains[0].xml = Some("<domain><devices></domain>".to_owned() + "<hostdev");
    let report = run(&source, &destination, &Question::default());
    assert!(has(&report, "definition-read", CheckResult::Error));
}

#[test]
fn devices_that_are_their_own_parents_do_no_harm() {
    let (mut source, mut destination) = pair();
    for device in source.devices.iter_mut().chain(&mut destination.devices) {
        device.parent_addr = Some(device.address);
        device.iommu_group_members = vec![device.address; 3];
    }
    let report = run(&source, &destination, &Question::default());
    assert_eq!(report.instances.len(), 1);
}

#[test]
fn many_guests_and_a_guest_with_ten_thousand_devices_end() {
    let (mut source, destination) = pair();
    let mut guest = source.domains[0].clone();
    guest.hostdevs = vec![guest.hostdevs[0].clone(); 10_000];
    let report_on = |source: &Snapshot| run(source, &destination, &Question::default());
    source.domains = vec![guest];
    assert!(has(&report_on(&source), "device-map", CheckResult::Error));
    let mut small = pair().0.domains[0].clone();
    small.xml = Some("<domain><devices/></domain>".to_owned());
    source.domains = vec![small; 500];
    assert_eq!(report_on(&source).instances.len(), 500);
}

#[test]
fn a_downtime_that_nobody_can_tell_is_null_and_never_a_number() {
    let estimate = |state: Option<u64>| {
        let (mut source, destination) = pair();
        for device in &mut source.devices {
            device.migration.state_size = state;
        }
        let report = run(&source, &destination, &Question::default());
        serde_json::to_value(report.instances[0].estimate.as_ref().unwrap()).unwrap()["downtime_ms"].clone()
    };
    assert!(estimate(None).is_null());
    assert_eq!(estimate(Some(1 << 30)), 2 * 858 + 1);
    assert_eq!(estimate(Some(0)), 0);
}

#[test]
fn what_earlier_migrations_took_counts_more_than_what_devices_report() {
    let (mut source, destination) = pair();
    let way = Way::between(source.host.uuid.as_deref(), destination.host.uuid.as_deref());
    let held = source.domains[0].hostdevs.iter().filter_map(|held| source.device(held.source?));
    let kind = pauses::kind(held, false);
    let mut known = Pauses::default();
    (400..419).for_each(|ms| known.add(&kind, way.clone(), ms));
    let ask = |source: &Snapshot, most: u64, tls: bool, known: &Pauses| {
        let max_pause = Some(Duration::from_millis(most));
        let terms = Terms { max_pause, tls, pauses: Arc::new(known.clone()), ..Terms::default() };
        run(source, &destination, &Question { terms, ..Question::default() })
    };
    let pause = |report: &Report| report.instances[0].estimate.as_ref().and_then(|estimate| estimate.pause);
    let report = ask(&source, 417, false, &known);
    assert!(has(&report, "max-pause", CheckResult::Error));
    let expected = Pause { from_ms: 400, to_ms: 418, migrations: 19, same_hosts: true };
    assert_eq!(pause(&report), Some(expected));
    assert!(!has(&ask(&source, 418, false, &known), "max-pause", CheckResult::Error));
    // Where nothing is on record of such guests, devices say it, or nobody.
    let other = ask(&source, 417, true, &known);
    assert_eq!((pause(&other), has(&other, "max-pause", CheckResult::Error)), (None, false));
    source.devices.iter_mut().for_each(|device| device.migration.state_size = None);
    assert!(has(&ask(&source, 417, true, &known), "max-pause", CheckResult::Unknown));
    let told = ask(&source, 418, false, &known);
    assert!(pause(&told).is_some() && !has(&told, "max-pause", CheckResult::Unknown));
}
