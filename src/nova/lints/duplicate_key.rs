//! The same key twice in one object.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::python::node::{Node, Value};

lint! {
    /// A JSON object has the same key twice; the last one counts.
    ///
    /// # Meaning
    /// Python's JSON reader, and so Nova, keeps the last of equal keys and drops the others silently.
    /// # Check by hand
    /// echo 'VALUE' | python3 -m json.tool shows what remains.
    /// # Fix
    /// Remove the one that is not meant.
    "duplicate-key": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let config = subject.config;
    for node in config.spec_entries.iter().chain(&config.alias_entries).filter_map(|entry| entry.node.as_ref()) {
        look(node, found);
    }
}

fn look(node: &Node, found: &mut Vec<Finding>) {
    match &node.value {
        Value::Array(items) => items.iter().for_each(|item| look(item, found)),
        Value::Object(members) => {
            let mut last = std::collections::HashMap::new();
            for member in members {
                if let Some(earlier) = last.insert(member.key.value.as_str(), member.key.span) {
                    found.push(
                        Finding::new(&RULE, format!("'{}' comes twice; Nova takes the last one", member.key.value))
                            .at(member.key.span, "this one counts")
                            .also(earlier, "dropped")
                            .remedy("remove the one that is not meant"),
                    );
                }
                look(&member.value, found);
            }
        }
        _ => {}
    }
}
