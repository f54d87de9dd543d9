//! `pvm recover`, `verify` and `evidence` as far as they need no libvirt: what waits, damaged journals, wrong usage.

use std::fs;
use std::path::Path;

use pvm::internals::journal::{Entry, Host, Instance, Journal, Lock, Plan, Receipt, Store, Subject};

use crate::program;

/// Exit code, stdout and stderr of pvm with its state in `state`.
fn pvm(state: &Path, args: &[&str]) -> (i32, String, String) {
    let output = program::pvm(state).args(args).env("STATE_DIRECTORY", state).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn migration(state: &Path, id: &str) -> Journal {
    let host =
        |name: &str| Host { name: name.into(), uri: format!("qemu+tcp://{name}.invalid/system"), ..Host::default() };
    let plan = Plan {
        id: id.into(),
        instance: Instance { name: "web\u{1b}1".into(), uuid: format!("uuid-of-{id}") },
        source: host("cmp-a"),
        destination: host("cmp-b"),
        ..Plan::default()
    };
    Store::at(state).create(plan).unwrap()
}

#[test]
fn what_waits_is_listed_and_every_other_command_says_so() {
    let dir = tempfile::tempdir().unwrap();
    // Whether there is a libvirt on this machine to ask for marks is not the point here.
    let (code, list, said) = pvm(dir.path(), &["recover", "-c", "test:///default"]);
    assert_eq!((code, list.as_str()), (0, ""));
    assert!(said.starts_with("No unfinished migrations"), "{said}");
    assert_eq!(pvm(dir.path(), &["-q", "recover", "-c", "test:///default"]), (0, String::new(), String::new()));
    // Where the guests cannot be asked, there may be more.
    let (code, document, said) = pvm(dir.path(), &["recover", "-o", "json", "-c", "qemu+tcp://127.0.0.1:1/system"]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!((code, &document["unknown"][0]["fact"]), (3, &"locks".into()));
    assert!(said.contains("could not be checked for migration locks"), "{said}");
    migration(dir.path(), "a-1").append(&Entry::Recheck).unwrap();
    migration(dir.path(), "b-2").append(&Entry::Done { receipt: Receipt::default() }).unwrap();
    migration(dir.path(), "c-3");
    let _alive = Lock::take(dir.path(), &Subject::Guest("uuid-of-c-3".into()), "migration c-3").unwrap();

    let (code, list, _) = pvm(dir.path(), &["recover", "-c", "test:///default"]);
    let lines: Vec<_> = list.lines().map(|line| line.split_once(", 2").map_or(line, |(text, _)| text)).collect();
    assert_eq!(
        (code, lines),
        (
            0,
            vec![
                "a-1  web\\u{1b}1  cmp-a -> cmp-b  last record: recheck",
                "c-3  web\\u{1b}1  cmp-a -> cmp-b  last record: plan"
            ]
        )
    );
    assert!(list.lines().nth(1).unwrap().ends_with("; in progress"), "{list}");

    let (_, document, _) = pvm(dir.path(), &["recover", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["schema"], "pvm.recover/1");
    let shown: Vec<_> =
        document["migrations"].as_array().unwrap().iter().map(|m| (&m["id"], &m["under_way"])).collect();
    assert_eq!(shown, [(&"a-1".into(), &false.into()), (&"c-3".into(), &true.into())]);

    let (code, _, notes) = pvm(dir.path(), &["explain"]);
    assert_eq!((code, notes.as_str()), (0, "pvm: migration a-1 of web\\u{1b}1 is not finished: pvm recover a-1\n"));
    assert_eq!(pvm(dir.path(), &["-q", "explain"]).2, "");
}

#[test]
fn a_migration_that_touched_nothing_is_closed_though_no_host_answers() {
    let dir = tempfile::tempdir().unwrap();
    migration(dir.path(), "a-1").append(&Entry::Recheck).unwrap();
    let (code, text, notes) = pvm(dir.path(), &["recover", "a-1"]);
    assert_eq!(code, 0, "{text}{notes}");
    assert!(
        text.contains("Nothing had been touched.") && !text.contains("row ") && text.contains("cmp-b: does not answer"),
        "{text}"
    );
    assert_eq!(pvm(dir.path(), &["recover"]).1, "");
    let (code, text, _) = pvm(dir.path(), &["recover", "a-1"]);
    assert!(code == 0 && text.contains("The migration is over."), "{text}");
}

#[test]
fn a_guest_names_its_unfinished_migration() {
    let dir = tempfile::tempdir().unwrap();
    migration(dir.path(), "b-2").append(&Entry::Done { receipt: Receipt::default() }).unwrap();
    for id in ["a-1", "c-3"] {
        migration(dir.path(), id).append(&Entry::Recheck).unwrap();
    }
    let (code, _, said) = pvm(dir.path(), &["recover", "web\u{1b}1"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("has several unfinished migrations") && said.contains("name one: a-1, c-3"), "{said}");
    assert!(pvm(dir.path(), &["recover", "UUID-OF-a-1"]).1.contains("Nothing had been touched."));
    let (code, text, said) = pvm(dir.path(), &["recover", "web\u{1b}1"]);
    assert!(code == 0 && text.contains("c-3: "), "the only one that is left: {text}{said}");
}

/// Who looks for a guest where it was is told where pvm has moved it.
#[cfg(feature = "libvirt")]
#[test]
fn a_guest_that_has_moved_away_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let look = || pvm(dir.path(), &["verify", "web\u{1b}1", "--host", "test:///default"]).2;
    assert!(!look().contains("moved"), "{}", look());
    let mut journal = migration(dir.path(), "a-1");
    let receipt = Receipt { runs_on: Some("cmp-b".into()), ..Receipt::default() };
    journal.append(&Entry::Done { receipt }).unwrap();
    assert!(look().contains("it moved to cmp-b at ") && look().contains("by migration a-1"), "{}", look());
    migration(dir.path(), "b-2").append(&Entry::Recheck).unwrap();
    assert!(look().contains("its migration b-2 to cmp-b is not finished: pvm recover b-2"), "{}", look());
}

#[test]
fn one_that_was_under_way_stays_open_while_no_host_answers() {
    let dir = tempfile::tempdir().unwrap();
    migration(dir.path(), "a-1").append(&Entry::Switched).unwrap();
    let path = dir.path().join("migrations/a-1.ndjson");
    let before = fs::read(&path).unwrap();
    for args in [&["recover", "a-1"][..], &["recover", "a-1", "--keep", "src"], &["recover", "--auto"]] {
        let (code, text, notes) = pvm(dir.path(), args);
        assert_eq!(code, 3, "{text}{notes}");
        assert!(text.contains("Neither host answers."), "{text}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_damaged_journal_is_shown_and_never_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    migration(dir.path(), "a-1").append(&Entry::Switched).unwrap();
    let path = dir.path().join("migrations/a-1.ndjson");
    let damaged = fs::read_to_string(&path).unwrap().replace("switched", "switchee");
    fs::write(&path, &damaged).unwrap();
    for args in [&["recover", "a-1"][..], &["recover", "--auto"]] {
        let (code, _, notes) = pvm(dir.path(), args);
        assert_eq!(code, 5);
        assert!(notes.contains("a-1.ndjson: line 2 is damaged: its checksum does not match"), "{notes}");
    }
    assert!(pvm(dir.path(), &["recover"]).1.contains("line 2 is damaged"));
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}

#[test]
fn wrong_usage_and_unknown_names_have_their_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let since = ["--since", "2026-11-23T06:24:00Z"];
    let cases: [(&[&str], i32, &str); 11] = [
        (&["recover", "none-such"], 3, "no migration has the id 'none-such'"),
        (&["recover", "../etc"], 3, "no migration has the id '../etc'"),
        (&["recover", "--keep", "src"], 2, "<ID|INSTANCE>"),
        (&["recover", "--auto", "--keep", "src"], 2, "cannot be used with"),
        (&["recover", "a-1", "--keep", "both"], 2, "invalid value 'both'"),
        (&["recover", "a-1", "--keep", "src", "--destroy-guest"], 2, "cannot be used with"),
        (&["recover", "a-1", "--keep", "none"], 3, "--keep none is now --destroy-guest"),
        (&["migrate", "web1", "b", "--live"], 2, "pvm always migrates live; leave --live out"),
        (&["recover", "--root", "/nowhere"], 2, "does not go with --root"),
        (&["verify", "web1", "--since", "yesterday"], 2, "not a time"),
        (&["verify", "web1", "--host", "./snapshot.json", since[0], since[1]], 2, "its logs cannot be read"),
    ];
    for (args, expected, words) in cases {
        let (code, out, notes) = pvm(dir.path(), args);
        assert_eq!((code, out.as_str()), (expected, ""), "{args:?}: {notes}");
        assert!(notes.contains(words), "{args:?}: {notes}");
    }
    assert!(!dir.path().join("migrations").exists(), "nothing was made");
}

#[test]
fn evidence_is_hidden_reads_below_a_root_and_says_what_it_could_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let (_, help, _) = pvm(dir.path(), &["--help"]);
    assert!(help.contains("verify") && !help.contains("evidence"), "{help}");
    let root = dir.path().to_str().unwrap();
    let since = "2026-11-23T06:24:00Z";
    let (code, text, _) = pvm(dir.path(), &["evidence", "web1", "--since", since, "--root", root]);
    let evidence: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &evidence["schema"]), (0, &"pvm.evidence/1".into()));
    let unknown: Vec<_> = evidence["unknown"].as_array().unwrap().iter().map(|u| &u["fact"]).collect();
    assert_eq!(unknown, ["log", "kernel", "host_uuid", "domain_uuid"]);
}
