//! What an open migration keeps is kept, however the next one spells its hosts. Offline.

use std::fs;

use pvm::internals::journal::{Action, DeviceMove, Host, Instance, Plan, Store};
use serde_json::Value;

use crate::cases::PAIR;
use crate::program;

#[test]
fn a_device_that_an_open_migration_keeps_is_kept_however_the_destination_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in ["src.json", "dst.json"].into_iter().zip(PAIR) {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let spellings =
        ["./dst.json".to_owned(), ".//dst.json".to_owned(), dir.path().join("dst.json").display().to_string()];
    let given = || {
        spellings.each_ref().map(|destination| {
            let arguments = ["-o", "json", "migrate", "db-1", destination, "--from", "./src.json", "--dry-run"];
            let output = program::pvm(dir.path()).args(arguments).output().unwrap();
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            let map = document["plan"]["map"].as_array().or(document["map"].as_array()).cloned().unwrap_or_default();
            map.iter().map(|moved| moved["destination"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
    };
    let [kept, ..] = given();
    assert_eq!((kept.len(), given()), (2, [kept.clone(), kept.clone(), kept.clone()]));

    let host = |text: &str, name: &str| {
        let snapshot: Value = serde_json::from_str(text).unwrap();
        Host { name: name.into(), uri: String::new(), uuid: snapshot["host"]["uuid"].as_str().map(str::to_owned) }
    };
    let device = kept[0].parse().unwrap();
    let plan = Plan {
        id: "20260101-000000-aabbcc".into(),
        instance: Instance { name: "other".into(), uuid: "00000000-0000-4000-8000-000000000001".into() },
        source: host(PAIR[0], "./src.json"),
        destination: host(PAIR[1], "./dst.json"),
        map: vec![DeviceMove::new(device, device, Action::Migrate)],
        ..Plan::default()
    };
    let _journal = Store::at(dir.path().join("state")).create(plan).unwrap();
    for (spelling, map) in spellings.iter().zip(given()) {
        assert!(map.len() == 2 && !map.contains(&kept[0]), "{spelling}: {map:?}");
    }
}
