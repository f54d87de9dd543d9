//! `pvm history` on journals that tests wrote.

use std::fs;
use std::path::Path;

use pvm::internals::journal::{Entry, Host, Instance, Journal, Plan, Receipt, Store};
use serde_json::Value;

use crate::program;

fn pvm(state: &Path, args: &[&str]) -> (i32, String, String) {
    let output = program::pvm(state).arg("history").args(args).env("STATE_DIRECTORY", state).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn json(state: &Path, args: &[&str]) -> (i32, Value) {
    let (code, text, said) = pvm(state, &[args, &["-o", "json"]].concat());
    (code, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}")))
}

fn begin(state: &Path, id: &str, guest: &str) -> Journal {
    let host = |name: &str| Host { name: name.into(), ..Host::default() };
    let plan = Plan {
        id: id.into(),
        instance: Instance { name: guest.into(), uuid: format!("uuid-of-{guest}") },
        source: host("cmp-a"),
        destination: host("cmp-b"),
        ..Plan::default()
    };
    Store::at(state).create(plan).unwrap()
}

/// One that moved, one of which libvirt did not say the downtime, one undone, one unfinished.
fn four(state: &Path) {
    let receipt = Receipt {
        summary: "db-7 runs on cmp-b".into(),
        downtime_ms: Some(1234),
        total_ms: Some(61_000),
        vfio_bytes: Some(3 << 20),
        ..Receipt::default()
    };
    begin(state, "20260101-000000-aaaaaa", "db-7").append(&Entry::Done { receipt }).unwrap();
    let unsaid = Entry::Done { receipt: Receipt { exit_code: 5, ..Receipt::default() } };
    begin(state, "20260102-000000-bbbbbb", "web\u{1b}1").append(&unsaid).unwrap();
    begin(state, "20260103-000000-cccccc", "db-7").append(&Entry::Undone { receipt: Receipt::default() }).unwrap();
    begin(state, "20260104-000000-dddddd", "db-7").append(&Entry::Recheck).unwrap();
}

#[test]
fn every_migration_has_a_line_the_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (code, list, said) = pvm(dir.path(), &[]);
    assert_eq!((code, list.as_str(), said.as_str()), (0, "", "No migrations, no drains.\n"));
    four(dir.path());
    let (code, list, _) = pvm(dir.path(), &[]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(list, @r"
    MIGRATION               GUEST       FROM -> TO      RESULT      DOWNTIME
    20260104-000000-dddddd  db-7        cmp-a -> cmp-b  unfinished  -
    20260103-000000-cccccc  db-7        cmp-a -> cmp-b  undone      -
    20260102-000000-bbbbbb  web\u{1b}1  cmp-a -> cmp-b  incomplete  unknown
    20260101-000000-aaaaaa  db-7        cmp-a -> cmp-b  migrated    1.2 s
    ");
    assert!(list.lines().all(|line| line.len() <= 80), "{list}");
    let (_, of_one, _) = pvm(dir.path(), &["uuid-of-db-7"]);
    assert_eq!(of_one.lines().count(), 4, "{of_one}");
    let (code, one, _) = pvm(dir.path(), &["20260101-000000-aaaaaa"]);
    assert_eq!(code, 0);
    for part in ["db-7 runs on cmp-b", "total 61.0 s\n", "downtime 1.2 s", "device state 3.0 MiB"] {
        assert!(one.contains(part), "{part}: {one}");
    }
    let (code, _, said) = pvm(dir.path(), &["nobody"]);
    assert!(code == 3 && said.contains("no migration or drain has the id 'nobody'"), "{said}");
}

#[test]
fn what_is_unknown_is_null_and_not_zero() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    let (code, document) = json(dir.path(), &["--since", "1h"]);
    let of =
        |id: &str| document["migrations"].as_array().unwrap().iter().find(|past| past["id"] == id).unwrap().clone();
    assert_eq!((code, &document["schema"]), (0, &"pvm.history/1".into()));
    assert_eq!(of("20260101-000000-aaaaaa")["receipt"]["downtime_ms"], 1234);
    let unsaid = of("20260102-000000-bbbbbb");
    assert!(unsaid["receipt"]["downtime_ms"].is_null() && unsaid["ended"].is_string(), "{unsaid}");
    let unfinished = of("20260104-000000-dddddd");
    assert!(unfinished["receipt"].is_null() && unfinished["ended"].is_null(), "{unfinished}");
    let (_, none) = json(dir.path(), &["--since", "2999-01-01T00:00:00Z"]);
    assert_eq!(none["migrations"], serde_json::json!([]));
}

#[test]
fn a_damaged_journal_is_named_and_never_removed() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    let damaged = dir.path().join("closed/20260105-000000-eeeeee.ndjson");
    fs::write(&damaged, "{}\n{}\n").unwrap();
    let (code, list, said) = pvm(dir.path(), &[]);
    assert_eq!((code, list.lines().count()), (3, 5), "{list}");
    assert!(said.contains("pvm: migration 20260105-000000-eeeeee: the journal is damaged"), "{said}");
    let (code, _, said) = pvm(dir.path(), &["20260105-000000-eeeeee"]);
    assert!(code == 3 && !said.contains("has the id"), "{said}");
    assert_eq!(pvm(dir.path(), &["20260101-000000-aaaaaa"]).0, 0);
    let cut = dir.path().join("closed/20260106-000000-ffffff.ndjson");
    fs::write(&cut, "").unwrap();
    let (code, _, said) = pvm(dir.path(), &["20260106-000000-ffffff"]);
    assert!(code == 3 && said.contains("ffffff: the journal is damaged: it has no whole record"), "{said}");
    fs::remove_file(&cut).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let (code, removed) = json(dir.path(), &["--prune", "1ms"]);
    assert_eq!((code, removed["removed"].as_array().unwrap().len()), (5, 3), "{removed}");
    assert!(damaged.exists());
}

#[test]
fn only_what_pvm_wrote_under_its_name_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    pvm(dir.path(), &["--prune", "90d"]);
    let closed = dir.path().join("closed");
    let journal = closed.join("20260101-000000-aaaaaa.ndjson");
    let elsewhere = dir.path().join("20260106-000000-ffffff.ndjson");
    let others = ["copy of 20260101-000000-aaaaaa.ndjson", "20260107-000000-aaaaaa.ndjson", "..ndjson"];
    for name in others {
        fs::copy(&journal, closed.join(name)).unwrap();
    }
    let renamed = fs::read_to_string(&journal).unwrap().replace("20260101-000000-aaaaaa", "20260106-000000-ffffff");
    fs::write(&elsewhere, renamed).unwrap();
    std::os::unix::fs::symlink(&elsewhere, closed.join("20260106-000000-ffffff.ndjson")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let (code, removed) = json(dir.path(), &["--prune", "1ms"]);
    assert_eq!((code, removed["removed"].as_array().unwrap().len()), (5, 3), "{removed}");
    // A name that is no id is nobody's journal.
    assert_eq!(removed["unknown"].as_array().unwrap().len(), 2, "{removed}");
    assert!(others.iter().all(|name| closed.join(name).exists()) && elsewhere.exists());
    assert!(closed.join("20260106-000000-ffffff.ndjson").symlink_metadata().is_ok());
}

/// A pvm that died between its last record and the tidying leaves a journal that is over among those that are not.
#[test]
fn what_is_over_is_pruned_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    pvm(dir.path(), &["--prune", "90d"]);
    let name = "20260101-000000-aaaaaa.ndjson";
    fs::rename(dir.path().join("closed").join(name), dir.path().join("migrations").join(name)).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(pvm(dir.path(), &["--prune", "1ms"]).1, "3 removed.\n");
}

#[test]
fn only_what_is_over_and_old_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    // The id is old; the migration ended a moment ago.
    assert_eq!(pvm(dir.path(), &["--prune", "90d"]).1, "0 removed.\n");
    std::thread::sleep(std::time::Duration::from_millis(5));
    assert_eq!(pvm(dir.path(), &["--prune", "1ms"]).1, "3 removed.\n");
    let (_, left) = json(dir.path(), &[]);
    assert_eq!(left["migrations"].as_array().unwrap().len(), 1);
    assert_eq!(left["migrations"][0]["id"], "20260104-000000-dddddd");
    assert_eq!(pvm(dir.path(), &["--prune", "0d"]).0, 2);
    assert_eq!(pvm(dir.path(), &["x", "--prune", "1d"]).0, 2);
    assert_eq!(pvm(dir.path(), &["--root", "/nonexistent"]).0, 2);
}

/// Without this, what a past year left would be read by every command of this one.
#[test]
fn what_is_older_than_the_settings_keep_is_removed_when_a_migration_ends() {
    let dir = tempfile::tempdir().unwrap();
    four(dir.path());
    let settings = dir.path().join("pvm.yaml");
    let recover = |keep: &str| {
        fs::write(&settings, format!("history: {{keep: {keep}}}\n")).unwrap();
        let mut command = program::pvm(dir.path());
        command.env("STATE_DIRECTORY", dir.path()).args(["recover", "--config"]).arg(&settings);
        let output = command.args(["-c", "test:///default"]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    std::thread::sleep(std::time::Duration::from_millis(5));
    recover("90d");
    assert_eq!(json(dir.path(), &[]).1["migrations"].as_array().unwrap().len(), 4);
    recover("1ms");
    let (_, left) = json(dir.path(), &[]);
    assert_eq!(left["migrations"].as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left["migrations"][0]["result"], "unfinished");
    fs::write(&settings, "hosts: {}\nhistory: {keep: soon}\n").unwrap();
    let output = program::pvm(dir.path()).args(["inventory", "x.json", "--config", "pvm.yaml"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("pvm.yaml:2: a time is"), "{said}");
}
