//! `pvm drain` on snapshots: guests of one host that compete for what the others have.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::cases::PAIR;
use crate::program;

const UUIDS: [&str; 2] = ["8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e90", "8a7b1c52-4c3e-4f0a-9d6b-2b1f3c5d7e91"];

/// The source with a second guest, which holds the VFs 3 and 4 where the first holds 1 and 2.
fn source() -> Value {
    let mut source: Value = serde_json::from_str(PAIR[0]).unwrap();
    let text = source["domains"][0].to_string();
    let mut text = text.replace("db-1", "db-2").replace(UUIDS[0], UUIDS[1]);
    for (held, instead) in [(1, 3), (2, 4)] {
        text = text.replace(&format!("0000:3b:00.{held}"), &format!("0000:3b:00.{instead}"));
        let function = |at: u32| format!("bus='0x3b' slot='0x00' function='0x{at}'");
        text = text.replace(&function(held), &function(instead));
    }
    let second: Value = serde_json::from_str(&text).unwrap();
    for at in [3, 4] {
        let first = source["devices"].as_array().unwrap()[at - 2].clone();
        let device = &mut source["devices"][at];
        let address = device["address"].clone();
        for key in
            first.as_object().unwrap().keys().filter(|key| ["used_by", "driver", "migration"].contains(&key.as_str()))
        {
            device[key] = first[key].clone();
        }
        device["used_by"][0]["name"] = json!("db-2");
        device["used_by"][0]["uuid"] = json!(UUIDS[1]);
        assert_eq!(device["address"], address);
    }
    source["domains"].as_array_mut().unwrap().push(second);
    source
}

/// A destination of this name that has the first `vfs` of its VFs.
fn destination(name: &str, uuid_ends: &str, vfs: usize) -> Value {
    let mut host: Value = serde_json::from_str(PAIR[1]).unwrap();
    host["host"]["name"] = json!(name);
    let uuid = host["host"]["uuid"].as_str().unwrap().to_owned();
    host["host"]["uuid"] = json!(format!("{}{uuid_ends}", &uuid[..uuid.len() - uuid_ends.len()]));
    let mut left = vfs;
    host["devices"].as_array_mut().unwrap().retain(|device| {
        let is_vf = device["parent_addr"].is_string();
        let stays = !is_vf || left > 0;
        left -= usize::from(is_vf && stays);
        stays
    });
    host
}

fn lay_out(place: &Path, hosts: &[(&str, Value)]) {
    for (name, host) in hosts {
        std::fs::write(place.join(name), host.to_string()).unwrap();
    }
}

/// The exit code and the plan.
fn drain(place: &Path, line: &str) -> (i32, Value) {
    let output = program::pvm(place).args(line.split(' ')).args(["-o", "json"]).output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{line}: {e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// Every device that the plan gives away, as host and address; none twice.
fn given(plan: &Value) -> BTreeSet<(String, String)> {
    let mut given = BTreeSet::new();
    for leaving in plan["moves"].as_array().unwrap() {
        assert_eq!(leaving["map"].as_array().unwrap().len(), 2, "{leaving}");
        for moved in leaving["map"].as_array().unwrap() {
            let device = (leaving["destination"].to_string(), moved["destination"].to_string());
            assert!(given.insert(device), "twice in {plan}");
        }
    }
    given
}

#[test]
fn guests_get_devices_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 8))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run --parallel 1");
    assert_eq!((code, given(&plan).len()), (0, 4), "{plan}");
    assert!(plan["moves"][1]["start"].as_f64() >= plan["moves"][0]["seconds"].as_f64(), "one at a time: {plan}");
    assert_eq!(plan["is_proved"], true);
}

/// What hinders guests with host devices is nothing to one without.
#[test]
fn a_guest_without_devices_goes_where_devices_cannot() {
    let place = tempfile::tempdir().unwrap();
    let (mut source, mut there) = (source(), destination("b", "b", 8));
    for xml in ["xml", "inactive_xml"] {
        let mut text = source["domains"][1][xml].as_str().unwrap().to_owned();
        while let (Some(begin), Some(end)) = (text.find("<hostdev"), text.find("</hostdev>")) {
            text.replace_range(begin..end + "</hostdev>".len(), "");
        }
        source["domains"][1][xml] = json!(text);
    }
    source["domains"][1]["hostdevs"] = json!([]);
    there["host"]["iommu"]["enabled"] = json!(false);
    lay_out(place.path(), &[("src.json", source), ("b.json", there)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, &plan["moves"][0]["guest"]), (1, &json!("db-2")), "{plan}");
    assert_eq!((&plan["stays"][0]["guest"], &plan["stays"][0]["code"]), (&json!("db-1"), &json!("iommu-enabled")));
}

#[test]
fn a_destination_is_not_given_away_twice() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 3))]);
    for guest in ["db-1", "db-2"] {
        let (code, plan) = drain(place.path(), &format!("drain src.json --to b.json --dry-run --only {guest}"));
        assert_eq!((code, given(&plan).len()), (0, 2), "alone each can go: {plan}");
    }
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, given(&plan).len()), (1, 2), "{plan}");
    assert!(plan["stays"][0]["why"].as_str().unwrap().contains("2 devices"), "{plan}");
    lay_out(place.path(), &[("c.json", destination("c", "c", 2))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json,c.json --dry-run");
    assert_eq!((code, given(&plan).len()), (0, 4), "{plan}");
}

#[test]
fn memory_is_used_up() {
    let place = tempfile::tempdir().unwrap();
    let mut host = destination("b", "b", 8);
    host["host"]["numa_cells"][0]["memory_free"] = json!(6u64 << 30);
    lay_out(place.path(), &[("src.json", source()), ("b.json", host)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (1, 1), "4 GiB each do not fit 6 GiB: {plan}");
}

#[test]
fn what_is_not_known_is_not_taken_for_full() {
    let place = tempfile::tempdir().unwrap();
    let mut host = destination("b", "b", 8);
    host["host"]["memory_free"] = Value::Null;
    host["host"]["numa_cells"] = Value::Null;
    lay_out(place.path(), &[("src.json", source()), ("b.json", host)]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json --dry-run");
    assert_eq!((code, plan["moves"].as_array().unwrap().len()), (3, 0), "{plan}");
    for stay in plan["stays"].as_array().unwrap() {
        assert!(stay["is_unknown"] == true && stay["why"].as_str().unwrap().contains("not known"), "{plan}");
    }
}

#[test]
fn who_cannot_go_holds_nobody_up() {
    let place = tempfile::tempdir().unwrap();
    let mut from = source();
    from["domains"][0]["job"] = json!("migration-out");
    lay_out(place.path(), &[("src.json", from), ("b.json", destination("b", "b", 8))]);
    let (code, plan) = drain(place.path(), "drain src.json --to b.json,nosuch.json --dry-run");
    assert_eq!((code, &plan["moves"][0]["guest"], &plan["stays"][0]["guest"]), (1, &json!("db-2"), &json!("db-1")));
    assert_eq!(plan["stays"][0]["code"], "guest-job", "{plan}");
    assert_eq!(plan["unreachable"][0]["host"], "nosuch.json");
    let (code, _) = drain(place.path(), "drain src.json --to b.json --dry-run --except db-1");
    assert_eq!(code, 0);
}

#[test]
fn the_host_itself_is_none_of_its_destinations_under_any_name() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 8))]);
    let settings = place.path().join("pvm.yaml");
    std::fs::write(&settings, "hosts: {one: {facts: src.json}, two: {facts: b.json}}\n").unwrap();
    let (_, plan) = drain(place.path(), "--config pvm.yaml drain src.json --dry-run");
    let names = plan["destinations"].as_array().unwrap().iter().map(|host| host["host"].clone());
    assert_eq!(names.collect::<Vec<_>>(), [json!("b")], "{plan}");
    std::fs::write(&settings, "hosts: {one: {facts: src.json}}\n").unwrap();
    let args = "--config pvm.yaml drain src.json --dry-run";
    let output = program::pvm(place.path()).args(args.split(' ')).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_page_has_eighty_columns() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("b.json", destination("b", "b", 3))]);
    let output = program::pvm(place.path()).args("drain src.json --to b.json --dry-run".split(' ')).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("cannot be emptied: 1 of 2 guests"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn what_is_no_drain_is_refused() {
    let place = tempfile::tempdir().unwrap();
    lay_out(place.path(), &[("src.json", source()), ("copy.json", source()), ("b.json", destination("b", "b", 2))]);
    for (line, code) in [
        ("drain src.json --to copy.json --dry-run", 1),
        // Under two names it would be given away twice.
        ("drain src.json --to b.json,./b.json --dry-run", 1),
        ("drain src.json --dry-run", 2),
        ("drain src.json --to copy.json", 2),
        ("drain src.json --to nosuch.json --dry-run", 3),
        ("drain src.json --to copy.json --dry-run --only nobody", 3),
    ] {
        let output = program::pvm(place.path()).args(line.split(' ')).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{line}");
    }
}
