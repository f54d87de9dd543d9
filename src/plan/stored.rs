//! What Nova stored as an instance's PCI requests, handed in by `--pci-requests FILE`.
//!
//! Two forms are read. The first is Nova's own: the text of the column `pci_requests` of the table `instance_extra`
//! (`nova/objects/instance_pci_requests.py`, `InstancePCIRequests.to_json`), a JSON list of objects with `count`, `spec`,
//! `alias_name`, `numa_policy` and others that decide nothing. The second is the same in YAML, written by hand: `alias` for
//! `alias_name`, `count` 1 and `numa_policy` legacy unless said.

use crate::model::snapshot::AliasSpec;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected, Visitor};

use super::requests::MOST_DEVICES;
use crate::nova::scheduler::Request;

/// Why a text is no list of requests, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {why}")]
pub struct StoredError {
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// One sentence.
    pub why: String,
}

#[derive(Debug, Deserialize)]
struct Stored {
    #[serde(default = "one", deserialize_with = "count")]
    count: usize,
    #[serde(default)]
    spec: Vec<BTreeMap<String, Option<String>>>,
    #[serde(default, alias = "alias")]
    alias_name: Option<String>,
    #[serde(default, deserialize_with = "policy")]
    numa_policy: Option<String>,
}

fn one() -> usize {
    1
}

fn count<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    struct Count;

    impl Visitor<'_> for Count {
        type Value = usize;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number of devices, 0 to {MOST_DEVICES}")
        }

        fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<usize, E> {
            let small = usize::try_from(count).ok().filter(|count| *count <= MOST_DEVICES);
            small.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(count), &self))
        }

        fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<usize, E> {
            let positive = u64::try_from(count).map_err(|_| E::invalid_value(Unexpected::Signed(count), &self))?;
            self.visit_u64(positive)
        }
    }

    from.deserialize_i64(Count)
}

fn policy<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let policy = Option::<String>::deserialize(from)?;
    match policy.as_deref() {
        None | Some("legacy" | "required" | "preferred" | "socket") => Ok(policy),
        Some(other) => Err(D::Error::custom(format_args!(
            "numa_policy {other:?} is none of legacy, preferred, required and socket"
        ))),
    }
}

/// The flavor's requests in such a text; those of ports, which have no alias, are left out. `NULL`, as databases print an
/// empty column, is no request.
pub fn read(text: &str) -> Result<Vec<Request>, StoredError> {
    let trimmed = text.trim();
    if matches!(trimmed, "NULL" | "null") {
        return Ok(Vec::new());
    }
    if trimmed.is_empty() {
        return Err(StoredError { line: 1, column: 1, why: "it is empty".to_owned() });
    }
    let list: Vec<Stored> = if is_json(trimmed) { json(text)? } else { yaml(text)? };
    let mut requests = Vec::new();
    for stored in list {
        let Some(alias) = stored.alias_name else { continue };
        let words = |spec: BTreeMap<String, Option<String>>| {
            spec.into_iter().filter_map(|(key, value)| Some((key, value?))).collect::<BTreeMap<_, _>>()
        };
        requests.push(Request {
            count: stored.count,
            alias,
            spec: stored.spec.into_iter().map(|spec| AliasSpec::from(words(spec))).collect(),
            numa_policy: stored.numa_policy.unwrap_or_else(|| "legacy".to_owned()),
        });
    }
    match requests.iter().find(|request| request.spec.is_empty()) {
        // Without one the request asks for nothing that can be looked for.
        Some(request) => Err(StoredError {
            line: 1,
            column: 1,
            why: format!("the request of alias {:?} has no spec", request.alias),
        }),
        None => Ok(requests),
    }
}

/// Nova's text, not a list in YAML that begins alike.
fn is_json(text: &str) -> bool {
    let start: String = text.chars().filter(|c| !c.is_whitespace()).take(3).collect();
    start == "[{\"" || start.starts_with("[]") || start.starts_with("{\"")
}

fn json(text: &str) -> Result<Vec<Stored>, StoredError> {
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line() as u64, error.column() as u64);
        // It is outside of every line when the text is another kind of value.
        let why = error.to_string();
        let place = format!(" at line {line} column {column}");
        StoredError { line, column: column.max(1), why: why.strip_suffix(&place).unwrap_or(&why).to_owned() }
    })
}

fn yaml(text: &str) -> Result<Vec<Stored>, StoredError> {
    serde_yaml::from_str(text).map_err(|error| {
        let error = error.without_snippet();
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let why = error.to_string();
        // The reader names the place as well, which the caller does.
        let why = why.lines().find(|line| !line.trim().is_empty()).unwrap_or("unreadable").trim();
        let why = why.strip_prefix(&format!("error: line {line} column {column}: ")).unwrap_or(why);
        let why = why.strip_suffix(&format!(" at line {line}, column {column}")).unwrap_or(why);
        StoredError { line, column, why: why.to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVA: &str = r#"[{"count": 2, "spec": [{"vendor_id": "15b3", "product_id": "101e", "dev_type": "type-VF",
        "live_migratable": "true"}], "alias_name": "cx7", "is_new": false, "numa_policy": "preferred", "request_id": null,
        "requester_id": null}, {"count": 1, "spec": [{"physical_network": null}], "alias_name": null,
        "request_id": "b1b3", "numa_policy": null}]"#;

    #[test]
    fn novas_text_and_the_same_by_hand_are_one() {
        let nova = read(NOVA).unwrap();
        assert_eq!(nova.len(), 1, "the port's request is not the flavor's");
        assert!(nova[0].is_live_migratable());
        let hand = "- alias: cx7\n  count: 2\n  numa_policy: preferred\n  spec:\n  - vendor_id: 15b3\n    product_id: 101e\n    \
                    dev_type: type-VF\n    live_migratable: true\n";
        assert_eq!(read(hand).unwrap(), nova);
        assert_eq!(read("NULL\n").unwrap(), []);
        assert_eq!(read("[]").unwrap(), []);
        let short = read("- {alias: a, spec: [{product_id: 1017, vendor_id: 0042}]}").unwrap();
        assert_eq!((short[0].count, short[0].numa_policy.as_str()), (1, "legacy"));
        assert_eq!(
            (short[0].spec[0].rest["product_id"].as_str(), short[0].spec[0].rest["vendor_id"].as_str()),
            ("1017", "0042")
        );
    }

    #[test]
    fn errors_have_a_place() {
        for (text, line, words) in [
            ("[{\"count\": 1,\n \"spec\": 3}]", 2, "expected a sequence"),
            ("[{\"alias_name\": \"a\",\n\n\"count\": -1}]", 3, "integer `-1`, expected a number of devices, 0 to 4096"),
            ("[{\"alias_name\": \"a\", \"count\": 99999, \"spec\": []}]", 1, "integer `99999`, expected a number"),
            ("[{\"numa_policy\": \"near\"}]", 1, "\"near\" is none of"),
            ("[{\"alias_name\": \"a\"}]", 1, "has no spec"),
            ("{\"requests\": []}", 1, "expected a sequence"),
            ("- alias: a\n  count: x\n", 2, ""),
            ("cx7:2", 1, ""),
            ("", 1, ""),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.why.contains(words) && !error.why.contains('\n'), "{text:?}: {error}");
        }
    }
}
