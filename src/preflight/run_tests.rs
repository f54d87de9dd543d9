//! Snapshots that nobody honest would make end in findings.

use super::*;
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
