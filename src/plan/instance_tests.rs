//! One guest between two hosts, started from a pair of snapshots on which everything fits.

use std::collections::BTreeSet;

use super::*;
use crate::domain::rewrite::{Interfaces, rewrite};
use crate::model::snapshot::domain::NovaMetadata;
use crate::model::snapshot::{Snapshot, Supported};

fn pair() -> (Snapshot, Snapshot) {
    let read = |text| serde_json::from_str::<Snapshot>(text).unwrap();
    (read(include_str!("../../tests/fixtures/pair/src.json")), read(include_str!("../../tests/fixtures/pair/dst.json")))
}

fn at(text: &str) -> PciAddress {
    text.parse().unwrap()
}

/// The map as text, or what cannot be met.
fn planned(source: &Snapshot, destination: &Snapshot, wishes: &Wishes<'_>) -> Result<Vec<String>, Unmet> {
    let planner = Planner::new(source, destination, &BTreeSet::new());
    let plan = planner.plan(&source.domains[0], wishes, &mut Known::default());
    match plan.map {
        Some(map) => Ok(map.iter().map(|e| format!("{} {} {:?}", e.source, e.destination, e.action)).collect()),
        None => Err(plan.unmet.unwrap_or_default()),
    }
}

fn nova(source: &mut Snapshot, alias: &str) {
    source.domains[0].nova = Some(NovaMetadata {
        extra_specs: Some([("pci_passthrough:alias".to_owned(), alias.to_owned())].into()),
        ..NovaMetadata::default()
    });
}

#[test]
fn a_guest_without_metadata_asks_for_devices_like_its_own() {
    let (source, destination) = pair();
    assert_eq!(
        planned(&source, &destination, &Wishes::default()).unwrap(),
        ["0000:3b:00.1 0000:3b:00.1 Migrate", "0000:3b:00.2 0000:3b:00.2 Migrate"]
    );
}

#[test]
fn devices_on_the_guests_nodes_come_first() {
    let (mut source, destination) = pair();
    let xml = source.domains[0].xml.as_mut().unwrap();
    *xml = xml.replace("nodeset='0'", "nodeset='1'");
    assert_eq!(
        planned(&source, &destination, &Wishes::default()).unwrap(),
        ["0000:3b:00.1 0000:af:00.1 Migrate", "0000:3b:00.2 0000:af:00.2 Migrate"]
    );
}

#[test]
fn devices_in_use_claimed_or_excluded_are_not_taken() {
    let (source, mut destination) = pair();
    destination.devices[1].used_by = Some(vec![crate::model::snapshot::device::UsedBy::default()]);
    destination.devices[2].claimed_by = Some("m-1".into());
    let planner = Planner::new(&source, &destination, &BTreeSet::from([at("3b:00.3")]));
    let plan = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
    let targets: Vec<_> = plan.map.unwrap().iter().map(|e| e.destination.to_string()).collect();
    assert_eq!(targets[0], "0000:3b:00.4");
    assert!(targets[1].starts_with("0000:af:"));
}

#[test]
fn the_smallest_set_that_cannot_be_met_is_named() {
    let (mut source, mut destination) = pair();
    nova(&mut source, "cx7:2");
    for device in &mut destination.devices[..5] {
        device.migration.supported = Some(Supported::No);
    }
    for device in &mut destination.devices[6..] {
        device.migration.variant_driver = None;
        device.driver = Some("vfio-pci".into());
    }
    let unmet = planned(&source, &destination, &Wishes::default()).unwrap_err();
    assert_eq!(unmet.requests, ["cx7:2"]);
    assert_eq!(unmet.removed_by, [("probed-migratable".to_owned(), 4), ("variant-driver".to_owned(), 4)].into());
}

#[test]
fn an_undeclared_destination_is_refused_when_anything_is_declared_there() {
    let (mut source, mut destination) = pair();
    nova(&mut source, "cx7:2");
    for device in &mut destination.devices {
        device.tags.live_migratable = None;
        device.declared = crate::model::snapshot::Declared::Unset;
    }
    let unmet = planned(&source, &destination, &Wishes::default()).unwrap_err();
    assert_eq!(unmet.removed_by, [("declared-migratable".to_owned(), 8)].into());
    destination.config.device_specs.clear();
    for device in &mut destination.devices {
        device.spec_index = None;
    }
    assert!(planned(&source, &destination, &Wishes::default()).is_ok());
}

#[test]
fn ports_do_not_block_and_get_a_device_of_their_network() {
    let (mut source, mut destination) = pair();
    nova(&mut source, "cx7:1");
    let network = |device: &mut Device| device.tags.physical_network = Some("physnet2".into());
    network(&mut source.devices[2]);
    source.devices[2].declared = crate::model::snapshot::Declared::No;
    network(&mut destination.devices[9]);
    // Plain host device whose spec has a physical network: a direct-physical port.
    assert_eq!(
        planned(&source, &destination, &Wishes::default()).unwrap(),
        ["0000:3b:00.1 0000:3b:00.1 Migrate", "0000:3b:00.2 0000:af:00.4 Reattach"]
    );
    // With the tag and the declaration on both sides its state moves.
    source.devices[2].declared = crate::model::snapshot::Declared::Yes;
    assert_eq!(planned(&source, &destination, &Wishes::default()).unwrap()[1], "0000:3b:00.2 0000:af:00.4 Migrate");
}

#[test]
fn a_device_that_nobody_asked_for_is_a_port_only_when_the_operator_says_so() {
    let (mut source, destination) = pair();
    nova(&mut source, "cx7:1");
    assert!(planned(&source, &destination, &Wishes::default()).is_err());
    let ports = [at("3b:00.2")];
    let map = planned(&source, &destination, &Wishes { ports: &ports, ..Wishes::default() }).unwrap();
    assert_eq!(map[1], "0000:3b:00.2 0000:3b:00.2 Reattach");
}

#[test]
fn the_map_is_what_the_rewriter_needs() {
    let (source, mut destination) = pair();
    for device in &mut destination.devices {
        device.tags.managed = Some(crate::model::snapshot::Declared::No);
    }
    let planner = Planner::new(&source, &destination, &BTreeSet::new());
    let plan = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
    let xml = source.domains[0].xml.as_ref().unwrap();
    let moved = rewrite(xml, &plan.map.unwrap(), Interfaces::MustBeMapped).unwrap();
    assert_eq!(moved, xml.replace("type='pci' managed='yes'", "type='pci' managed='no'"));
}

#[test]
fn novas_choice_is_reported_beside() {
    let (mut source, destination) = pair();
    nova(&mut source, "cx7:2");
    let planner = Planner::new(&source, &destination, &BTreeSet::new());
    let plan = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
    assert_eq!(plan.nova.verdict, "ok");
    // Nova takes the last of the first pool that fits.
    assert_eq!(plan.nova.map, [(at("3b:00.1"), at("3b:00.4")), (at("3b:00.2"), at("3b:00.3"))]);
}

#[test]
fn unknown_aliases_and_ambiguous_devices_are_not_guessed() {
    let (mut source, destination) = pair();
    nova(&mut source, "nope:1");
    let planner = Planner::new(&source, &destination, &BTreeSet::new());
    let plan = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
    assert!(matches!(plan.asked, Err(RequestError::Malformed(_))), "{:?}", plan.asked);
    let mut source = source.clone();
    let mut second = source.config.aliases[0].clone();
    second.name = "other".into();
    source.config.aliases.push(second);
    source.domains[0].nova = Some(NovaMetadata::default());
    let planner = Planner::new(&source, &destination, &BTreeSet::new());
    let plan = planner.plan(&source.domains[0], &Wishes::default(), &mut Known::default());
    assert!(matches!(plan.asked, Err(RequestError::Ambiguous { .. })), "{:?}", plan.asked);
}
