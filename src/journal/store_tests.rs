//! The journals on a real file system.

#![expect(clippy::disallowed_methods, reason = "the tests look at the files")]

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::*;

fn plan(id: &str) -> Plan {
    Plan { id: id.into(), ..Plan::default() }
}

#[test]
fn records_are_private_on_disk_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let mut journal = store.create(plan("a-1")).unwrap();
    journal.append(&Entry::Recheck).unwrap();
    assert_eq!(journal.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(store.directory().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let names: Vec<_> = store.read("a-1").unwrap().records.iter().map(|r| (r.seq, r.entry.name())).collect();
    assert_eq!(names, [(1, "plan"), (2, "recheck")]);
}

#[test]
fn an_id_is_used_once_and_is_a_plain_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    store.create(plan("a-1")).unwrap();
    let twice = store.create(plan("a-1")).unwrap_err();
    assert!(matches!(&twice, JournalError::Write { path, .. } if path.ends_with("a-1.ndjson")), "{twice:?}");
    for id in ["../x", "", "a/b", "a.b", "ä"] {
        assert!(matches!(store.create(plan(id)), Err(JournalError::NoSuchMigration { .. })), "{id:?}");
        assert!(matches!(store.open(id), Err(JournalError::NoSuchMigration { .. })), "{id:?}");
    }
    assert!(matches!(store.open("b-2"), Err(JournalError::NoSuchMigration { .. })));
}

#[test]
fn ids_sort_by_time_and_differ_by_guest() {
    let (one, other) = (new_id("1"), new_id("2"));
    assert_ne!(one, other);
    assert_eq!(one.len(), "20261123-062400-3f2a9c".len());
    assert!(one.starts_with("20"));
}

#[test]
fn a_torn_line_is_cut_before_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let path = store.create(plan("a-1")).unwrap().path().to_owned();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"v\":1,\"se").unwrap();
    let (mut journal, parsed) = store.open("a-1").unwrap();
    assert!(parsed.torn);
    journal.append(&Entry::Recheck).unwrap();
    let parsed = store.read("a-1").unwrap();
    assert_eq!((parsed.records.len(), parsed.torn, parsed.trouble), (2, false, None));
}

#[test]
fn a_damaged_or_newer_journal_is_shown_but_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    for (id, line) in [("a-1", "garbage\n"), ("a-2", "{\"v\":9}\n")] {
        let path = store.create(plan(id)).unwrap().path().to_owned();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(line.as_bytes()).unwrap();
        let before = std::fs::read(&path).unwrap();
        let refused = store.open(id).unwrap_err();
        assert!(matches!(&refused, JournalError::Trouble { path: named, .. } if *named == path), "{refused:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(store.read(id).unwrap().records.len(), 1);
    }
    let open: Vec<_> = store.list().unwrap().iter().map(|l| (l.id.clone(), l.is_closed())).collect();
    assert_eq!(open, [("a-1".to_owned(), false), ("a-2".to_owned(), false)]);
}

#[test]
fn the_list_tells_open_from_closed_and_skips_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    assert!(store.list().unwrap().is_empty());
    store.create(plan("b-2")).unwrap();
    store.create(plan("a-1")).unwrap().append(&Entry::Done { receipt: Receipt::default() }).unwrap();
    std::fs::write(store.directory().join("c-3.ndjson"), "").unwrap();
    std::fs::write(store.directory().join("note.txt"), "").unwrap();
    std::fs::write(store.directory().join("odd name.ndjson"), "").unwrap();
    let listed: Vec<_> = store.list().unwrap().iter().map(|l| (l.id.clone(), l.is_closed())).collect();
    assert_eq!(listed, [("b-2".into(), false), ("c-3".into(), true)]);
    let others: Vec<_> = store.list_if(|id| id != "b-2").unwrap().into_iter().map(|l| l.id).collect();
    assert_eq!(others, ["c-3"]);
    assert_eq!(store.closed_ids().unwrap(), ["a-1"]);
}

#[test]
fn ten_thousand_migrations_that_are_over_cost_no_command_anything() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let over = |id: &str| store.create(plan(id)).unwrap().append(&Entry::Done { receipt: Receipt::default() });
    over("a-1").unwrap();
    let text = std::fs::read(dir.path().join("closed/a-1.ndjson")).unwrap();
    for n in 0..10_000 {
        std::fs::write(dir.path().join(format!("closed/b-{n}.ndjson")), &text).unwrap();
    }
    // As a pvm before this one left it.
    std::fs::rename(dir.path().join("closed/a-1.ndjson"), store.directory().join("a-1.ndjson")).unwrap();
    store.create(plan("c-1")).unwrap();
    let begun = Instant::now();
    let listed = store.list().unwrap();
    let took = begun.elapsed();
    assert_eq!(listed.iter().map(|l| l.id.as_str()).collect::<Vec<_>>(), ["c-1"], "a-1 was put away");
    assert!(took < Duration::from_millis(5), "{took:?}");
    assert!(store.knows("a-1") && store.knows("c-1") && store.knows("b-7") && !store.knows("d-1"));
    assert!(store.read("b-7").is_ok());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = Store::at(dir.path().join("file")).create(plan("a-1")).unwrap_err();
    assert!(error.to_string().contains("file/migrations"), "{error}");
}

/// A file-size limit makes the file system refuse the rest of a line, as a full disk does. The limit is the whole process's,
/// so the test runs itself again with it.
#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_whole_records() {
    const ASKED: &str = "PVM_TEST_FULL_DISK";
    let Some(dir) = std::env::var_os(ASKED) else {
        let dir = tempfile::tempdir().unwrap();
        // bash counts in blocks of 1 KiB; without the signal ignored the writer would be killed instead.
        let run = std::process::Command::new("bash")
            .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "journal::store_tests::a_full_disk_is_an_error_that_names_the_file_and_leaves_whole_records",
            ])
            .env(ASKED, dir.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        let parsed = Store::at(dir.path()).read("a-1").unwrap();
        assert_eq!((parsed.torn, parsed.trouble), (false, None));
        assert!(matches!(parsed.records.last().unwrap().entry, Entry::Cleanup));
        return;
    };
    let store = Store::at(dir);
    let mut journal = store.create(plan("a-1")).unwrap();
    let long = Entry::PerformReturned { error: Some("x".repeat(2000)), vfio_bytes: None, peer_unreached: false };
    let error = journal.append(&long).unwrap_err();
    assert!(error.to_string().contains("a-1.ndjson"), "{error}");
    // What still fits is still written: an undo can be recorded.
    journal.append(&Entry::Cleanup).unwrap();
}

/// S7: what stood there was used as it was, and `a:b` was taken for one path.
#[test]
fn the_state_is_private_also_where_the_directory_was_there_before() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let dir = tempfile::tempdir().unwrap();
    let rights = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let inside = dir.path().join("migrations");
    std::fs::create_dir(&inside).unwrap();
    rights(&inside, 0o777);
    super::store::make_directory(&inside).unwrap();
    assert_eq!(std::fs::metadata(&inside).unwrap().mode() & 0o777, 0o700);
    rights(dir.path(), 0o777);
    let refused = super::store::make_directory(&inside).unwrap_err();
    assert!(format!("{refused:?}").contains("may be written by others"), "{refused:?}");
    rights(dir.path(), 0o755);
    super::store::make_directory(&inside).unwrap();
    let first = super::store::first_of(std::path::Path::new("/var/lib/pvm:/var/lib/other"));
    assert_eq!(first, Some("/var/lib/pvm".into()));
}

#[test]
fn a_migration_is_over_when_its_journal_here_says_so_wherever_that_lies() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let mut journal = store.create(plan("a-1")).unwrap();
    let is_over = || ["a-1", "b-2", "../a-1", ""].map(|id| store.is_over(id));
    assert_eq!(is_over(), [false; 4]);
    journal.append(&Entry::Undone { receipt: crate::journal::Receipt::default() }).unwrap();
    assert_eq!(is_over(), [true, false, false, false], "put away");
    std::fs::rename(journal.path(), store.directory().join("a-1.ndjson")).unwrap();
    assert_eq!(is_over(), [true, false, false, false], "it could not be put away");
}
