//! A saved snapshot, from a file or from another pvm. Somebody else may have written it.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::packed::Packing;
use crate::facts::HostError;
use crate::facts::compact::{self, Compact};
use crate::model::regular::read_regular;
use crate::model::snapshot::{SCHEMA, Snapshot, Via};

/// A host with more than 10,000 functions has less.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// Values and objects in a document: together with its lists' own bounds they keep its memory within a few times its text.
/// Ten thousand functions have fewer.
const MOST_VALUES: usize = 3 << 19;
const MOST_OBJECTS: usize = 1 << 18;

/// Reads the snapshot at `path`.
pub(crate) fn load(path: &Path) -> Result<Snapshot, HostError> {
    let origin = path.display().to_string();
    let bytes = read_regular(path, MOST_BYTES).map_err(|source| match source.kind() {
        // What is there is no document.
        io::ErrorKind::Other => malformed(&origin, &source.to_string()),
        _ => HostError::Read { path: path.to_owned(), source },
    })?;
    let (packing, inner) = Packing::of(path);
    let bytes = match packing {
        Some(packing) => packing.unpack(&bytes, MOST_BYTES).map_err(|why| malformed(&origin, &why.to_string()))?,
        None => bytes,
    };
    let yaml = inner.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let mut snapshot = parse(&bytes, yaml, &origin)?;
    // What libvirt alone could tell is less, also in a file.
    if snapshot.via != Via::Libvirt {
        snapshot.via = Via::File;
    }
    Ok(snapshot)
}

/// Reads a snapshot document. `origin` is who it came from, for messages.
pub fn parse(bytes: &[u8], yaml: bool, origin: &str) -> Result<Snapshot, HostError> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(malformed(origin, "it is larger than 64 MiB"));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(malformed(origin, "it is empty"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| malformed(origin, "it is not text"))?;
    if let Some(why) = too_much(text, yaml) {
        return Err(malformed(origin, &why));
    }
    // It names its schema first; a document that does not is read as any other.
    if !yaml && text.get(..200).unwrap_or(text).contains(compact::SCHEMA) {
        let compact: Compact =
            serde_json::from_str(text).map_err(|e| malformed(origin, &first_line(&e.to_string())))?;
        return checked(compact.expand().map_err(|why| malformed(origin, &why))?, origin);
    }
    let parsed = if yaml {
        serde_yaml::from_str::<Snapshot>(text).map_err(|e| first_line(&e.to_string()))
    } else {
        serde_json::from_str::<Snapshot>(text).map_err(|e| first_line(&e.to_string()))
    };
    match parsed {
        Ok(snapshot) if snapshot.schema == SCHEMA => checked(snapshot, origin),
        Ok(snapshot) => Err(malformed(origin, &wrong_schema(Some(&snapshot.schema)))),
        // Another document of ours explains itself better by its name than by the first field that differs.
        Err(why) => match schema_of(text, yaml) {
            Some(schema) if schema != SCHEMA => Err(malformed(origin, &wrong_schema(Some(&schema)))),
            Some(_) => Err(malformed(origin, &why)),
            None if why.contains("expected") || why.contains("EOF") => Err(malformed(origin, &why)),
            None => Err(malformed(origin, &wrong_schema(None))),
        },
    }
}

/// The snapshot in order, unless it names a guest twice: each is on a host once.
fn checked(mut snapshot: Snapshot, origin: &str) -> Result<Snapshot, HostError> {
    snapshot.normalise();
    let mut guests = BTreeSet::new();
    if let Some(twice) = snapshot.domains.iter().find(|domain| !domain.uuid.is_empty() && !guests.insert(&domain.uuid))
    {
        return Err(malformed(origin, &format!("it has two guests with the UUID {}", twice.uuid)));
    }
    Ok(snapshot)
}

/// Why the text holds more than any host has to say: short text can stand for many objects.
fn too_much(text: &str, yaml: bool) -> Option<String> {
    let (mut values, mut objects, mut quoted, mut escaped) = (0, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !yaml => quoted = !quoted,
            _ if quoted => {}
            b'{' => objects += 1,
            b',' | b'[' => values += 1,
            // A line of YAML is a value, and may begin a map.
            b'\n' if yaml => values += 1,
            _ => {}
        }
    }
    // In YAML any line may be an object.
    if objects > MOST_OBJECTS || values > if yaml { MOST_OBJECTS * 4 } else { MOST_VALUES } {
        return Some(format!("it has more than {MOST_OBJECTS} objects or {MOST_VALUES} values"));
    }
    None
}

/// The first line of a reader's message; the rest draws the place, which one sentence cannot.
fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unreadable").trim().to_owned()
}

#[derive(Deserialize)]
struct SchemaOnly {
    schema: String,
}

fn schema_of(text: &str, yaml: bool) -> Option<String> {
    let only: Option<SchemaOnly> = if yaml { serde_yaml::from_str(text).ok() } else { serde_json::from_str(text).ok() };
    only.map(|o| o.schema)
}

fn wrong_schema(found: Option<&str>) -> String {
    match found {
        Some("pvm.inventories/1") => {
            "it holds several hosts (pvm.inventories/1); save each with pvm inventory HOST -o json".to_owned()
        }
        Some("") | None => format!("it has no schema; this pvm reads {SCHEMA}"),
        Some(other) => format!("its schema is '{other}'; this pvm reads {SCHEMA}"),
    }
}

fn malformed(origin: &str, why: &str) -> HostError {
    HostError::Malformed { origin: origin.to_owned(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_on_a_host_once() {
        let text = |second: &str| {
            format!(
                r#"{{"schema": "{SCHEMA}", "domains": [{{"name": "a", "uuid": "u"}}, {{"name": "b", "uuid": "{second}"}}]}}"#
            )
        };
        assert!(parse(text("v").as_bytes(), false, "x").is_ok());
        assert!(
            parse(text("u").as_bytes(), false, "x").unwrap_err().to_string().contains("two guests with the UUID u")
        );
    }

    fn why(text: &str) -> String {
        parse(text.as_bytes(), false, "x.json").unwrap_err().to_string()
    }

    #[test]
    fn a_snapshot_survives_both_forms() {
        let snapshot = Snapshot { schema: SCHEMA.to_owned(), ..Snapshot::default() };
        let json = serde_json::to_string(&snapshot).unwrap();
        assert_eq!(parse(json.as_bytes(), false, "x").unwrap(), snapshot);
        let yaml = serde_yaml::to_string(&snapshot).unwrap();
        assert_eq!(parse(yaml.as_bytes(), true, "x").unwrap(), snapshot);
    }

    #[test]
    fn what_is_no_snapshot_is_refused_in_one_sentence() {
        for (text, expected) in [
            ("", "it is empty"),
            ("nova", "expected"),
            ("[]", ""),
            ("{}", "it has no schema"),
            ("{\"schema\": \"pvm.plan/1\", \"devices\": 3}", "its schema is 'pvm.plan/1'"),
            ("{\"schema\": \"pvm.inventory/2\"}", "its schema is 'pvm.inventory/2'"),
            ("{\"schema\": \"pvm.inventories/1\"}", "several hosts"),
            ("{\"schema\": \"pvm.inventory/1\", \"devices\": 3}", "invalid type"),
            ("{\"schema\": \"pvm.inventory/1\"", "EOF"),
        ] {
            let message = why(text);
            assert!(message.contains(expected), "{text:?}: {message}");
            assert!(!message.contains('\n'), "{message}");
        }
        assert!(parse(&[0xff, 0xfe, 0x00], false, "x").is_err());
    }

    #[test]
    fn a_list_longer_than_any_host_is_refused() {
        let devices = vec!["{}"; crate::model::snapshot::MOST_ENTRIES + 1].join(",");
        let message = why(&format!("{{\"schema\": \"{SCHEMA}\", \"devices\": [{devices}]}}"));
        assert!(message.contains("more than"), "{message}");
    }
}
