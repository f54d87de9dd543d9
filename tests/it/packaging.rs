//! What the packages carry: settings that can be uncommented, files that exist, units that fit the names in them.

use std::fs;
use std::path::Path;

use pvm::internals::facts::settings::{Defaults, GuestSettings, HostSettings, Settings};

fn text(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The file as an administrator makes it who takes away every `#` before a key.
fn uncommented(text: &str) -> String {
    let is_key =
        |line: &&str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with(' ') || rest.starts_with("  "));
    text.lines().filter(is_key).flat_map(|line| [&line[1..], "\n"]).collect()
}

#[test]
fn the_installed_settings_name_every_key_and_set_none() {
    let installed = text(".packaging/pvm.yaml");
    assert_eq!(Settings::parse(&installed).unwrap(), Settings::default());
    // A key that is added to the settings does not compile here until it is named, and then it has to be in the file.
    let Settings { hosts, groups, guests, apart, defaults, history, device_spec, alias, nova } =
        Settings::parse(&uncommented(&installed)).unwrap();
    let HostSettings { libvirt, migrate_uri, facts, config, slots } = &hosts["cmp-a1"];
    let Defaults { max_downtime, max_pause, bandwidth, tls, parallel_connections } = &defaults;
    assert!(libvirt.is_some() && migrate_uri.is_some() && facts.is_some() && !config.is_empty());
    assert!(slots.as_ref().is_some_and(|slots| slots.migrations.is_some() && slots.per_pf.is_some()));
    assert!(max_downtime.is_some() && max_pause.is_some() && bandwidth.is_some() && *tls && *parallel_connections > 0);
    let GuestSettings { max_pause, drain } = &guests["db-*"];
    assert!(max_pause.is_some() && *drain == Some(false) && !apart.is_empty());
    assert!(
        !groups.is_empty()
            && history.keep.is_some()
            && nova.cloud.is_some()
            && !device_spec.is_empty()
            && !alias.is_empty()
    );
    let page = text("man/text/pvm.yaml.md");
    for line in uncommented(&installed).lines() {
        let key = line.trim_start_matches([' ', '-']).split(':').next().unwrap();
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        assert!(!is_key || page.contains(&format!("`{key}`")), "pvm.yaml(5) does not have {key}");
    }
}

/// A page or unit that is forgotten in the manifest is not in the package.
#[test]
fn the_packages_have_every_file() {
    let manifest = text("Cargo.toml");
    for folder in ["man", "completions", ".packaging/systemd", ".packaging/prometheus"] {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_type().unwrap().is_file() {
                continue;
            }
            let name = entry.file_name().into_string().unwrap();
            let (_, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
            let named = [format!("\"{folder}/{name}\""), format!("\"{folder}/*.{extension}\"")];
            for package in ["[package.metadata.deb]", "[package.metadata.generate-rpm]"] {
                let from = manifest.split_once(package).unwrap().1.split("\n[package").next().unwrap();
                assert!(named.iter().any(|path| from.contains(path)), "{package} lacks {folder}/{name}");
            }
        }
    }
    let makefile = text("Makefile");
    for unit in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".packaging/systemd")).unwrap() {
        let unit = unit.unwrap().file_name().into_string().unwrap();
        assert!(unit.ends_with(".preset") || makefile.contains(&unit), "make install lacks {unit}");
    }
}
