//! Documents that pvm prints, beside their schemas in `man/schema`.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by tests, which read files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Where the schemas are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man/schema")
}

/// A schema by the name of its file.
pub fn schema(name: &str) -> Value {
    let path = folder().join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}: each document has a schema", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A schema with those that it names put in their place.
pub fn whole(mut schema_text: Value) -> Value {
    fn fill(at: &mut Value) {
        if let Some(name) = at.get("$ref").and_then(Value::as_str) {
            let mut other = schema(name);
            other.as_object_mut().unwrap().remove("$schema");
            *at = other;
        }
        match at {
            Value::Object(map) => map.values_mut().for_each(fill),
            Value::Array(list) => list.iter_mut().for_each(fill),
            _ => {}
        }
    }
    fill(&mut schema_text);
    schema_text
}

/// The name of the schema of a document, which the document fits: `pvm.plan/1` is in `pvm.plan.1.json`.
#[track_caller]
pub fn fits(document: &Value) -> String {
    let name = document["schema"].as_str().expect("each document names its schema").replace('/', ".") + ".json";
    let validator = jsonschema::validator_for(&whole(schema(&name))).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(document).map(|e| format!("{}: {e:.200}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "this is not {name}: {wrong:#?}\n{document}");
    name
}

/// What one pvm tells another, by hidden commands; nobody else is promised it.
const BETWEEN_HOSTS: [&str; 2] = ["pvm.evidence/1", "pvm.storage/1"];

/// Fails where what pvm printed is a document, but not the one that it says it is.
#[track_caller]
pub fn check(printed: &str) {
    if !printed.starts_with('{') {
        return;
    }
    let documents = match serde_json::from_str::<Value>(printed) {
        Ok(document) => vec![document],
        Err(_) => printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    };
    for document in documents {
        if document.get("schema").is_some_and(|schema| !BETWEEN_HOSTS.iter().any(|other| schema == other)) {
            fits(&document);
        }
    }
}
