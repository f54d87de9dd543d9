//! The layers of the crate: who may use whom, and how long a file may get.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it uses: each arrow that the code has, and no other. A room uses only rooms above it in this list.
pub(crate) const USES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("text", &["model"]),
    ("openstack", &["model"]),
    ("domain", &["model"]),
    ("libvirt", &["model"]),
    ("proof", &["model"]),
    ("journal", &["model", "proof"]),
    ("nova", &["model", "text"]),
    ("facts", &["model", "domain", "libvirt", "proof", "journal", "nova"]),
    ("plan", &["model", "domain", "nova"]),
    ("preflight", &["model", "domain", "proof", "plan"]),
    ("drain", &["model", "domain", "plan", "preflight"]),
    ("migration", &["model", "openstack", "domain", "libvirt", "proof", "journal"]),
    ("cli", &["model"]),
    ("output", &["model", "text", "nova", "facts", "preflight", "drain", "migration"]),
    (
        "commands",
        &[
            "model",
            "openstack",
            "domain",
            "libvirt",
            "proof",
            "journal",
            "nova",
            "facts",
            "plan",
            "preflight",
            "drain",
            "migration",
            "cli",
            "output",
        ],
    ),
];

/// A file is one noun; past this it is two. Lines of tests count half.
const MOST_LINES: usize = 600;

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

pub(crate) fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

#[test]
fn rooms_use_exactly_what_the_table_says() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in all_sources() {
        let inside = path.strip_prefix(&top).unwrap();
        let mut parts = inside.components();
        let (Some(first), Some(_)) = (parts.next(), parts.next()) else { continue };
        let room = first.as_os_str().to_string_lossy().into_owned();
        let targets = found.entry(room.clone()).or_default();
        for path in fs::read_to_string(&path).unwrap().split("crate::").skip(1) {
            let name: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if name != room && !name.is_empty() {
                targets.insert(name);
            }
        }
    }
    let table: BTreeMap<String, BTreeSet<String>> =
        USES.iter().map(|(room, uses)| ((*room).to_owned(), uses.iter().map(|u| (*u).to_owned()).collect())).collect();
    assert_eq!(found, table, "left: the code; right: the table");
    for (at, (room, uses)) in USES.iter().enumerate() {
        for name in *uses {
            assert!(USES[..at].iter().any(|(above, _)| above == name), "{room} uses {name}, which is not above it");
        }
    }
}

/// One that starts it in its own way would sooner or later do so with the state directory of this machine.
#[test]
fn tests_start_pvm_in_one_place() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    let ways =
        [concat!("CARGO_BIN", "_EXE_pvm"), concat!("Command::new(", "PVM"), concat!("Command::new(program", "::PVM")];
    let starts = |path: &PathBuf| ways.iter().any(|way| fs::read_to_string(path).unwrap().contains(way));
    found.retain(starts);
    assert_eq!(found, [Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/program.rs")]);
}

#[test]
fn files_stay_short() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            let tests = path.to_string_lossy().ends_with("_tests.rs");
            (if tests { lines / 2 } else { lines }, path)
        })
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {long:#?}");
}
