//! Transcripts of `pvm preflight`: a pair of snapshots on which everything fits, one thing broken, the whole report. The
//! files of `tests/cmd/preflight` are read as [`cases`] says; one that is named like a check must be failed by that check
//! alone.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::cases::{self, Case, PAIR, printed};
use crate::program;

/// Codes of everything in a JSON report that is neither ok nor info.
fn complaints(report: &Value, found: &mut BTreeSet<String>) {
    match report {
        Value::Object(map) => {
            let word = |key: &str| map.get(key).and_then(Value::as_str);
            if let (Some(code), Some(result)) = (word("code"), word("result"))
                && !matches!(result, "ok" | "info")
            {
                found.insert(code.to_owned());
            }
            map.values().for_each(|value| complaints(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| complaints(value, found)),
        _ => {}
    }
}

#[test]
fn reports_are_as_recorded() {
    cases::print_what_is_written("preflight", |_, _| {});
}

#[test]
fn every_check_has_a_case_in_which_it_alone_complains() {
    let cases = Case::all("preflight");
    let mut wrong = Vec::new();
    for check in pvm::internals::preflight::checks() {
        let code = check.rule.code;
        let Some(case) = cases.iter().find(|case| case.name == code) else {
            wrong.push(format!("{code}: no case"));
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        case.lay_out(dir.path());
        let (_, output) = printed(dir.path(), &case.runs[0].command, &["-o", "json"]);
        let report: Value = serde_json::from_str(&output).unwrap_or_else(|e| panic!("{code}: {e}: {output}"));
        let mut found = BTreeSet::new();
        complaints(&report, &mut found);
        // A device that no condition lets pass leaves no map, which is then said as well.
        found.remove("device-map");
        let expected = if check.rule.severity == pvm::internals::model::finding::Severity::Info || code == "device-map"
        {
            assert!(output.contains(&format!("\"{code}\"")), "{code}: not reported");
            BTreeSet::new()
        } else {
            BTreeSet::from([code.to_owned()])
        };
        if found != expected {
            wrong.push(format!("{code}: complaints are {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let case = Case::all("preflight").into_iter().find(|case| case.name == "compatible").unwrap();
    let dir = tempfile::tempdir().unwrap();
    case.lay_out(dir.path());
    for format in ["table", "json", "yaml"] {
        assert_eq!(
            printed(dir.path(), &case.runs[0].command, &["-o", format]),
            printed(dir.path(), &case.runs[0].command, &["-o", format])
        );
    }
}

#[test]
fn the_checklist_names_every_check_and_no_other() {
    let text = include_str!("../../src/preflight/CHECKLIST.md");
    let codes: BTreeSet<&str> = pvm::internals::preflight::checks().map(|check| check.rule.code).collect();
    let rows = text.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2));
    assert_eq!(rows.collect::<BTreeSet<_>>(), codes);
}

/// Runs preflight on two documents; every way to end is fine but a panic, and nothing may drive the terminal.
fn judged(pair: &[String; 2], more: &[&str]) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in ["src.json", "dst.json"].iter().zip(pair) {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let output = program::pvm(dir.path())
        .args(["--color", "never", "preflight", "src.json", "dst.json"])
        .args(more)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let code = output.status.code().unwrap();
    assert!(matches!(code, 0 | 1 | 3), "{code}: {text}");
    let drives = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.chars().any(drives), "{text:?}");
    (code, text)
}

fn edited(edit: impl Fn(&mut Value)) -> [String; 2] {
    PAIR.map(|text| {
        let mut document: Value = serde_json::from_str(text).unwrap();
        edit(&mut document);
        document.to_string()
    })
}

#[test]
fn documents_that_are_no_snapshots_are_refused_in_one_sentence() {
    for (document, words) in [
        ("{\"schema\": \"pvm.inventory/9\"}", "its schema is 'pvm.inventory/9'"),
        ("{\"schema\": \"pvm.plan/1\", \"map\": []}", "its schema is 'pvm.plan/1'"),
        ("{\"devices\": []}", "it has no schema"),
        ("{\"schema\": \"pvm.inventory/1\", \"domains\": {\"a\": 1}}", "invalid type"),
        ("{\"schema\": \"pvm.inventory/1\", \"devices\": [{\"address\": \"zz\"}]}", "src.json"),
        ("[[[[", "invalid type"),
    ] {
        let (code, text) = judged(&[document.to_owned(), PAIR[1].to_owned()], &[]);
        assert_eq!((code, text.lines().count()), (1, 1), "{text}");
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn missing_fields_are_never_a_yes() {
    let bare = "{\"schema\": \"pvm.inventory/1\"}".to_owned();
    for pair in [[bare.clone(), bare.clone()], [PAIR[0].to_owned(), bare.clone()], [bare, PAIR[1].to_owned()]] {
        assert_ne!(judged(&pair, &[]).0, 0);
    }
    // Each fact of the destination alone: without it the answer may change, but pvm ends.
    let document: Value = serde_json::from_str(PAIR[1]).unwrap();
    for key in document.as_object().unwrap().keys().chain(document["host"].as_object().unwrap().keys()) {
        let lacking = edited(|document| {
            if key != "schema" {
                document.as_object_mut().unwrap().remove(key);
            }
            if let Some(host) = document["host"].as_object_mut() {
                host.remove(key);
            }
        });
        judged(&[PAIR[0].to_owned(), lacking[1].clone()], &["--all"]);
    }
}

#[test]
fn names_cannot_drive_the_terminal() {
    fn poison(value: &mut Value, key: &str) {
        match value {
            Value::String(text) if !matches!(key, "schema" | "xml" | "inactive_xml") => {
                // What must be an address, a word or a time stays one; everything else is a name.
                let kept = text.parse::<pvm::internals::model::pci::PciAddress>().is_ok() || text.len() < 2;
                let kept = kept
                    || matches!(
                        key,
                        "via" | "dev_type" | "declared" | "live_migratable" | "kind" | "severity" | "taken_at"
                    );
                let kept =
                    kept || key.ends_with("_id") || key.starts_with('/') || key == "supported" || key == "source";
                if !kept {
                    text.push_str("\u{1b}[2J\u{202e}\u{7}");
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| poison(value, key)),
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| poison(value, key)),
            _ => {}
        }
    }
    let pair = edited(|document| poison(document, ""));
    let (_, text) = judged(&pair, &["--all"]);
    assert!(text.contains("db-1\\u{1b}[2J"), "{text}");
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("src.json"), &pair[0]).unwrap();
    let output = program::pvm(dir.path()).args(["-o", "json", "preflight", "src.json", "src.json"]).output().unwrap();
    serde_json::from_slice::<Value>(&output.stdout).unwrap();
}

#[test]
fn ten_thousand_guests_and_devices_in_a_ring_end() {
    let pair = edited(|document| {
        // Each device is the PF of the one before it, and in one group with all.
        let devices = document["devices"].as_array_mut().unwrap();
        let addresses: Vec<Value> = devices.iter().map(|device| device["address"].clone()).collect();
        for (at, device) in devices.iter_mut().enumerate() {
            device["parent_addr"] = addresses[(at + 1) % addresses.len()].clone();
            device["iommu_group_members"] = addresses.clone().into();
        }
        let guests = document["domains"].as_array_mut().unwrap();
        if let Some(guest) = guests.pop() {
            *guests = (0..10_000)
                .map(|number| {
                    let mut guest = guest.clone();
                    guest["name"] = format!("guest-{number}").into();
                    if number > 100 {
                        // All the others are of the same kind, and parsing takes its time.
                        guest["xml"] = Value::Null;
                        guest["inactive_xml"] = Value::Null;
                    }
                    guest["uuid"] = format!("00000000-0000-4000-8000-{number:012}").into();
                    guest
                })
                .collect();
        }
    });
    // The same guests are there as well.
    let (_, text) = judged(&[pair[0].clone(), pair[0].clone()], &[]);
    assert_eq!(text.lines().filter(|line| line.starts_with("guest-")).count(), 10_000);
}
