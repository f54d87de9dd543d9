//! Every document that pvm prints has a JSON Schema in `man/schema`, and is what that says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man/schema")
}

fn schema(name: &str) -> Value {
    let path = folder().join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}: each document has a schema", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// A schema with those that it names put in their place.
fn whole(mut schema_text: Value) -> Value {
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

/// The name of the schema of a document: `pvm.plan/1` is in `pvm.plan.1.json`.
fn of(document: &Value) -> String {
    document["schema"].as_str().expect("each document names its schema").replace('/', ".") + ".json"
}

#[test]
fn what_is_printed_is_what_the_schemas_say() {
    let place = tempfile::tempdir().unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for from in
        ["demo/nova.conf", "demo/lab-a.json", "demo/lab-b.json", "fixtures/pair/src.json", "fixtures/pair/dst.json"]
    {
        let from = tests.join(from);
        fs::copy(&from, place.path().join(from.file_name().unwrap())).unwrap();
    }
    let mut seen = BTreeSet::new();
    for line in [
        "check-config nova.conf",
        "check-config nova.conf --host lab-a.json --request vf_live:1 --trace 0000:01:10.0",
        "inventory lab-a.json",
        "inventory lab-a.json -o compact",
        "inventory src.json",
        "inventory lab-a.json dst.json nosuch.json",
        "preflight lab-a.json lab-b.json",
        "preflight src.json dst.json --all",
        "preflight src.json lab-b.json --all",
        "preflight src.json dst.json nosuch.json",
        "preflight --matrix src.json dst.json nosuch.json lab-b.json",
        "drain src.json --to dst.json,nosuch.json --dry-run",
        "drain lab-a.json --to src.json --dry-run",
        "migrate guest lab-b.json --from lab-a.json --dry-run",
        "migrate db-1 dst.json --from src.json --dry-run",
        "recover -c test:///default",
        "recover -c qemu+tcp://127.0.0.1:1/system",
        "history",
        "history --prune 90d",
    ] {
        let form: &[&str] = if line.contains(" -o ") { &["-q"] } else { &["-o", "json", "-q"] };
        let output = program::pvm(place.path()).args(line.split(' ')).args(form).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}"));
        let name = of(&document);
        let validator = jsonschema::validator_for(&whole(schema(&name))).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&document).map(|e| format!("{}: {e:.200}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{line} is not {name}: {wrong:#?}");
        seen.insert(name);
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

/// A schema that accepts everything says nothing.
#[test]
fn what_is_no_document_is_refused() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let validator = jsonschema::validator_for(&whole(schema(&name))).unwrap();
        assert!(!validator.is_valid(&serde_json::json!({})), "{name}");
        assert!(!validator.is_valid(&serde_json::json!({"schema": "pvm.other/1"})), "{name}");
        count += 1;
    }
    assert!(count >= 9, "{count}");
}
