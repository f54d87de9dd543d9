//! The layers of the crate: who may use whom, and how long a file may get.

use std::fs;
use std::path::{Path, PathBuf};

/// Module, and the modules it may use. `finding` and `pci` are vocabulary for all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("pci", &[]),
    ("finding", &[]),
    ("time", &[]),
    ("outcome", &[]),
    ("source", &["finding"]),
    ("snapshot", &["finding", "pci"]),
    ("config", &["finding", "pci", "source", "snapshot"]),
    ("inventory", &["finding", "pci", "source", "snapshot", "config", "domain", "time"]),
    ("domain", &["finding", "pci", "snapshot"]),
    ("plan", &["finding", "pci", "snapshot", "config", "domain"]),
    ("preflight", &["finding", "pci", "snapshot", "config", "domain", "plan", "time"]),
    ("hypervisor", &["finding", "pci", "snapshot", "domain"]),
    (
        "host",
        &[
            "finding",
            "pci",
            "source",
            "snapshot",
            "config",
            "inventory",
            "domain",
            "hypervisor",
            "proof",
            "time",
            "journal",
        ],
    ),
    (
        "migrate",
        &[
            "finding",
            "pci",
            "snapshot",
            "domain",
            "plan",
            "preflight",
            "hypervisor",
            "outcome",
            "journal",
            "proof",
            "recover",
            "time",
        ],
    ),
    ("proof", &["pci", "time", "snapshot"]),
    ("journal", &["pci", "time", "proof"]),
    ("recover", &["pci", "time", "proof", "journal", "hypervisor", "domain", "outcome"]),
    ("cli", &["outcome", "pci", "time"]),
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

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were not found");
    found
}

#[test]
fn modules_use_only_what_is_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in all_sources() {
        let inside = path.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else { continue };
        let text = fs::read_to_string(&path).unwrap();
        for used in text.split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !name.is_empty()
                && name != module
                && !allowed.contains(&name.as_str())
                && text.contains(&format!("crate::{name}"))
            {
                wrong.push(format!("{} uses crate::{name}", inside.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One that starts it in its own way would sooner or later do so with the state directory of this machine.
#[test]
fn tests_start_pvm_in_one_place() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    let name = concat!("CARGO_BIN", "_EXE_pvm");
    found.retain(|path| fs::read_to_string(path).unwrap().contains(name));
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
