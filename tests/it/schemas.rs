//! Every document that pvm prints has a JSON Schema in `man/schema`, and is what that says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::documents::{fits, folder, schema, whole};
use crate::program;

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
        "explain hooks",
        "explain unknown[HOOKS]",
        "explain nosuchword",
        "verify nosuch",
        "check-config --host nosuch.json nova.conf",
    ] {
        let form: &[&str] = if line.contains(" -o ") { &["-q"] } else { &["-o", "json", "-q"] };
        let output = program::pvm(place.path()).args(line.split(' ')).args(form).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}"));
        seen.insert(fits(&document));
    }
    let unseen: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let mut unseen: Vec<&str> = unseen.iter().map(String::as_str).filter(|name| !seen.contains(*name)).collect();
    unseen.sort_unstable();
    // A live migration is needed for these: all that the tests with two hosts print is looked at there.
    assert_eq!(unseen, ["pvm.event.1.json", "pvm.migrate.1.json", "pvm.uncordon.1.json", "pvm.verify.1.json"]);
}

/// Whoever asks with a machine's format gets one document, whatever stands against the command.
#[test]
fn a_command_that_ends_early_prints_one_document() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("nova.conf"), "[pci]\n").unwrap();
    for (line, code) in [
        ("drain nosuch.json --to other.json --dry-run", 3),
        ("drain nosuch --uncordon", 3),
        ("drain nosuch --resume", 3),
        ("drain a --root /tmp", 2),
        ("verify nosuch -c test:///default", 3),
        ("migrate nosuch b.json --from a.json --dry-run", 3),
        ("recover 20260101-000000-aaaaaa", 3),
        ("recover --root /tmp", 2),
        ("history nosuch", 3),
        ("explain nosuchword", 3),
        ("check-config nosuch.conf", 3),
        ("check-config --allow nosuch nova.conf", 2),
        ("inventory --probe everything", 2),
        ("preflight", 2),
        ("nosuch", 2),
    ] {
        for form in ["json", "yaml"] {
            let output = program::pvm(place.path()).args(line.split(' ')).args(["-o", form]).output().unwrap();
            let document: Value = serde_yaml::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!(fits(&document), "pvm.error.1.json", "{line}");
            assert_eq!(
                (output.status.code(), &document["exit_code"]),
                (Some(code), &json!(code)),
                "{line}: {document}"
            );
            assert!(!output.stderr.is_empty(), "{line}: the words are on stderr");
        }
        let table = program::pvm(place.path()).args(line.split(' ')).output().unwrap();
        assert!(table.stdout.is_empty(), "{line}");
    }
    let place = place.path();
    let stopped = |form| program::pvm(place).args(["check-config", "nosuch.conf", "-o", form]).output().unwrap().stdout;
    let github = String::from_utf8(stopped("github")).unwrap();
    assert!(github.starts_with("::error title=pvm::") && github.lines().count() == 1, "{github}");
    let sarif: Value = serde_json::from_slice(&stopped("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

/// The part of SARIF 2.1.0 that pvm prints, with what the standard asks of it.
fn sarif() -> Value {
    let object = |required: &[&str], properties: Value| json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false});
    let list = |items: Value| json!({"type": "array", "items": items});
    let level = json!({"enum": ["none", "note", "warning", "error"]});
    let message = object(&["text"], json!({"text": {"type": "string", "minLength": 1}}));
    let number = |least: i32| json!({"type": "integer", "minimum": least});
    let region = json!({
        "startLine": number(1), "startColumn": number(1), "endLine": number(1), "endColumn": number(1),
        "snippet": message,
    });
    let artifact = object(&["uri"], json!({"uri": {"type": "string", "format": "uri-reference"}}));
    let physical = json!({"artifactLocation": artifact, "region": object(&["startLine"], region)});
    let location = object(&[], json!({"physicalLocation": object(&["artifactLocation"], physical)}));
    let result = json!({
        "ruleId": {"type": "string"}, "ruleIndex": number(0), "level": level, "message": message,
        "locations": list(location.clone()), "relatedLocations": list(location),
    });
    let rule = json!({
        "id": {"type": "string"}, "shortDescription": message, "fullDescription": message, "help": message,
        "helpUri": {"type": "string", "format": "uri"},
        "defaultConfiguration": object(&[], json!({"level": level})),
    });
    let driver = json!({
        "name": {"type": "string", "minLength": 1}, "version": {"type": "string"},
        "informationUri": {"type": "string", "format": "uri"}, "rules": list(object(&["id"], rule)),
    });
    let run = json!({
        "tool": object(&["driver"], json!({"driver": object(&["name"], driver)})),
        "results": list(object(&["message"], result)),
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    });
    let runs = json!({"type": "array", "minItems": 1, "items": object(&["tool"], run)});
    object(&["version", "runs"], json!({"$schema": {"type": "string"}, "version": {"const": "2.1.0"}, "runs": runs}))
}

#[test]
fn code_scanning_is_told_in_sarif() {
    let place = tempfile::tempdir().unwrap();
    let two = "[pci]\ndevice_spec = {'vendor_id': '8086'}\nalias = {\"name\": \"a\", \"live_migratable\": \"ja\"}\n";
    fs::write(place.path().join("two nova.conf"), two).unwrap();
    fs::write(
        place.path().join("none.conf"),
        "[pci]\nalias = {\"name\": \"a\", \"vendor_id\": \"15b3\", \"product_id\": \"101e\"}\n",
    )
    .unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&sarif()).unwrap();
    for (file, least) in [("two nova.conf", 2), ("none.conf", 0)] {
        let output = program::pvm(place.path()).args(["check-config", "-o", "sarif", file]).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let wrong: Vec<String> =
            validator.iter_errors(&document).map(|e| format!("{}: {e:.200}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}\n{document}");
        let run = &document["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert!(results.len() >= least, "{document}");
        for result in results {
            let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
            assert_eq!(rule["id"], result["ruleId"]);
        }
    }
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
