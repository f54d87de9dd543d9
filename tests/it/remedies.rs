//! Remedies are pasted into a root's shell, and the names in them are somebody else's: a tenant's guest, an image's path, an
//! interface of another host. Whatever a name is, it stays one word of its command.

use std::fs;

use serde_json::Value;

use crate::cases::{Case, printed};

/// What every name ends with.
const HOSTILE: &str = ";$(x)`y`'\"\nz";

/// Names in snapshots, by key; the keys of these objects are names as well.
const NAMES: &[&str] = &["name", "netdev", "foreign_devices", "pools", "networks", "bridges", "taps", "hostname"];
const KEYED: &[&str] = &["paths", "path_details", "volumes", "bridges"];
/// Attributes of domain XML whose values others choose, and elements.
const ATTRIBUTES: &[&str] = &["file", "pool", "volume", "network", "bridge", "address", "listen", "socket"];

fn poison_xml(xml: &str) -> String {
    let escaped = HOSTILE.replace('\'', "&apos;").replace('"', "&quot;").replace('\n', "&#10;");
    let mut xml = xml.replace("</name>", &format!("{escaped}</name>"));
    for (attribute, quote) in ATTRIBUTES.iter().flat_map(|name| [(name, '\''), (name, '"')]) {
        let begin = format!(" {attribute}={quote}");
        let mut rest = std::mem::take(&mut xml);
        while let Some(at) = rest.find(&begin) {
            let (before, value) = rest.split_at(at + begin.len());
            let (value, after) = value.split_once(quote).unwrap();
            xml = format!("{xml}{before}{value}{escaped}{quote}");
            rest = after.to_owned();
        }
        xml += &rest;
    }
    xml
}

fn poison(at: &mut Value, is_name: bool) {
    match at {
        Value::String(text) if text.starts_with("<domain") => *text = poison_xml(text),
        Value::String(text) if is_name => text.push_str(HOSTILE),
        Value::Array(list) => list.iter_mut().for_each(|element| poison(element, is_name)),
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                poison(value, NAMES.contains(&key.as_str()));
                if let (true, Value::Object(keyed)) = (KEYED.contains(&key.as_str()), value) {
                    *keyed = std::mem::take(keyed).into_iter().map(|(key, value)| (key + HOSTILE, value)).collect();
                }
            }
        }
        _ => {}
    }
}

/// Whether a shell would read what is hostile in this line as anything but text.
fn is_read_by_a_shell(line: &str) -> bool {
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        match c {
            '\\' if !quoted => drop(characters.next()),
            // An apostrophe within a word opens nothing in what is no command.
            '\'' if quoted || !before.is_alphanumeric() => quoted = !quoted,
            '$' | '`' if !quoted && line.contains(HOSTILE.split('\'').next().unwrap()) => return true,
            _ => {}
        }
        before = c;
    }
    false
}

fn remedies(report: &Value, found: &mut Vec<(String, String)>) {
    match report {
        Value::Array(list) => list.iter().for_each(|element| remedies(element, found)),
        Value::Object(map) => {
            if let (Some(code), Some(remedy)) = (map.get("code"), map.get("remedy").and_then(Value::as_str)) {
                found.push((code.as_str().unwrap().to_owned(), remedy.to_owned()));
            }
            map.values().for_each(|value| remedies(value, found));
        }
        _ => {}
    }
}

#[test]
fn no_name_becomes_a_command_in_a_remedy() {
    assert!(is_read_by_a_shell("virsh destroy vm;$(x)`y`'\""));
    assert!(!is_read_by_a_shell("virsh destroy 'vm;$(x)`y`'\\''\"' on the guest's host"));
    let (mut wrong, mut codes) = (Vec::new(), std::collections::BTreeSet::new());
    for case in Case::all("preflight") {
        let Some(run) = case.runs.iter().find(|run| run.command.starts_with("preflight src.json dst.json")) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        case.lay_out(dir.path());
        for name in ["src.json", "dst.json"] {
            let file = dir.path().join(name);
            let mut snapshot: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            poison(&mut snapshot, false);
            fs::write(&file, snapshot.to_string()).unwrap();
        }
        let (_, text) = printed(dir.path(), &run.command, &["-o", "json", "--all"]);
        let Ok(report) = serde_json::from_str::<Value>(&text) else { continue };
        let mut found = Vec::new();
        remedies(&report, &mut found);
        for (code, remedy) in found {
            if remedy.contains("$(x)") {
                codes.insert(code.clone());
            }
            if is_read_by_a_shell(&remedy) {
                wrong.push(format!("{}: [{code}] {remedy}", case.name));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(codes.len() >= 10, "too few remedies name anything: {codes:?}");
}

/// Ids and addresses of the cases, and others in their place.
const REPLACED: &[(&str, &str)] = &[("15b3", "a5b3"), ("101e", "a01e"), ("101d", "a01d"), ("0000:81:", "0000:a1:")];

/// Writes every file of a folder anew, with other ids in it.
fn with_other_ids(dir: &std::path::Path) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            with_other_ids(&entry.path());
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            fs::write(entry.path(), REPLACED.iter().fold(text, |text, (id, other)| text.replace(id, other))).unwrap();
        }
    }
}

#[test]
fn no_finding_has_ids_that_are_nobodys() {
    let (mut wrong, mut runs) = (Vec::new(), 0);
    for case in ["check-config", "preflight"].into_iter().flat_map(Case::all) {
        let dir = tempfile::tempdir().unwrap();
        case.lay_out(dir.path());
        with_other_ids(dir.path());
        for run in case.runs.iter().filter(|run| REPLACED.iter().all(|(id, _)| !run.command.contains(id))) {
            if run.command.starts_with("explain") {
                continue; // a page shows what an entry looks like
            }
            let (_, text) = printed(dir.path(), &run.command, &[]);
            runs += 1;
            let sample = |line: &&str| REPLACED.iter().any(|(id, _)| line.contains(id));
            wrong.extend(text.lines().filter(sample).map(|line| format!("{}: {line}", case.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(runs > 200, "only {runs} commands were run");
}
