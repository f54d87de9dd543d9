//! Licences and sources of everything that is compiled into pvm, as `cargo metadata` has them; `deny.toml` says the same to
//! cargo-deny.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Licences that go with Apache-2.0. LGPL: the crates of libvirt, see the README.
const ALLOWED: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "MIT-0",
    "Unlicense",
    "LGPL-2.1",
    "LGPL-2.1-or-later",
];

/// Whether an expression of SPDX can be fulfilled with what is allowed. An exception only allows more.
fn is_allowed(licence: &str) -> bool {
    let licence = licence.replace(['(', ')'], " ").replace('/', " OR ");
    licence.split(" AND ").all(|all| {
        all.split(" OR ").any(|one| ALLOWED.contains(&one.split(" WITH ").next().unwrap_or_default().trim()))
    })
}

#[test]
fn every_dependency_has_a_licence_that_fits_and_comes_from_the_registry() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let args =
        ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"];
    let output = Command::new(cargo).args(args).current_dir(Path::new(env!("CARGO_MANIFEST_DIR"))).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50);
    for package in packages {
        let name = &package["name"];
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence), "{name}: the licence {licence:?} is not one of deny.toml");
        let source = package["source"].as_str();
        assert!(source.is_none_or(|source| source.starts_with("registry+")), "{name} comes from {source:?}");
        assert!(source.is_some() || name == "pvm", "{name} comes from a path");
    }
}

#[test]
fn deny_toml_allows_the_same() {
    let deny = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".cargo/deny.toml")).unwrap();
    for licence in ALLOWED {
        assert!(deny.contains(&format!("\"{licence}\"")), "{licence}");
    }
    assert!(!is_allowed("GPL-3.0-only") && !is_allowed("") && is_allowed("MIT OR GPL-3.0-only"));
    assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0") && !is_allowed("MIT AND GPL-3.0-only"));
}
