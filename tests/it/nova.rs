//! Nova's own answers (34.0.0) to the cases in `tests/nova/`, one file for each kind, one case a line with the answer beside
//! it: `refused` with the class of Nova's exception, or the fields that pvm must give as well. The example program's
//! functions answer them.

#[allow(dead_code, unreachable_pub, reason = "the example's main is not the test's")]
#[path = "../examples/nova_verdicts.rs"]
mod nova_verdicts;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Why pvm's answer is not Nova's; `None` when it is.
fn difference(nova: &Value, pvm: &Value) -> Option<String> {
    let accepted = pvm["verdict"] == "accepted";
    if let Some(class) = nova.get("refused") {
        return accepted.then(|| format!("Nova refuses with {class}, pvm does not"));
    }
    if !accepted {
        return Some(format!("Nova accepts, pvm refuses: {} {}", pvm["error"], pvm["message"]));
    }
    nova.as_object().into_iter().flatten().find_map(|(field, wanted)| {
        let mut given = pvm.get(field).cloned().unwrap_or(Value::Null);
        match (field.as_str(), &mut given) {
            // After a claim that failed Nova has lost devices, so its answer ends there.
            ("steps", Value::Array(steps)) => steps.truncate(wanted.as_array().map_or(0, Vec::len)),
            // Nova keeps the source's `managed`, pvm writes the destination's.
            ("after", Value::Array(hostdevs)) => {
                for hostdev in hostdevs.iter_mut().filter_map(Value::as_object_mut) {
                    hostdev.remove("managed");
                }
            }
            _ => {}
        }
        (given != *wanted).then(|| format!("{field}: Nova {wanted}, pvm {given}"))
    })
}

#[test]
fn every_case_is_answered_as_nova_answered_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nova");
    let mut cases = Vec::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let kind = path.file_stem().unwrap().to_string_lossy().into_owned();
        for (line, text) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let mut case: Value = serde_json::from_str(text).unwrap();
            case["case"]["id"] = json!(format!("{kind}.jsonl:{}", line + 1));
            assert_eq!(case["case"]["kind"], json!(kind), "a case of another kind in {kind}.jsonl");
            cases.push(case);
        }
    }
    assert!(cases.len() > 300, "only {} cases", cases.len());
    let mut answers = Vec::new();
    let lines = cases.iter().map(|case| Ok(case["case"].to_string()));
    nova_verdicts::answer(lines, |answer| answers.push(answer)).unwrap();
    assert_eq!(answers.len(), cases.len(), "a kind has no answer");
    let differing: Vec<String> = cases
        .iter()
        .zip(&answers)
        .filter_map(|(case, pvm)| {
            let why = difference(&case["nova"], pvm)?;
            Some(format!("{}: {why}\n  {}", case["case"]["id"], case["case"]))
        })
        .collect();
    assert!(differing.is_empty(), "{} of {} differ:\n{}", differing.len(), cases.len(), differing.join("\n"));
}

#[test]
fn differences_are_noticed() {
    let accepted = json!({"verdict": "accepted", "steps": [1, 2], "after": [{"source": 1, "managed": "no"}]});
    assert!(difference(&json!({"refused": "E"}), &accepted).is_some());
    assert!(difference(&json!({"steps": [1]}), &json!({"verdict": "rejected"})).is_some());
    assert!(difference(&json!({"steps": [2]}), &accepted).is_some());
    assert!(difference(&json!({"steps": [1, 2, 3]}), &accepted).is_some());
    assert!(difference(&json!({"pools": []}), &accepted).is_some());
    assert_eq!(difference(&json!({"steps": [1], "after": [{"source": 1}]}), &accepted), None);
    assert_eq!(difference(&json!({"refused": "E"}), &json!({"verdict": "rejected"})), None);
}
