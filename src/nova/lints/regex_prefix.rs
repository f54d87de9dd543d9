//! An address expression that matches more than it says.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::address::{FIELDS, Field, WIDTHS};

lint! {
    /// An address expression is matched at the start only and also takes longer values.
    ///
    /// # Meaning
    /// Nova matches the expressions of an address with Python's re.match: anchored at the start, open at the end.
    /// {"bus": "8"} takes the buses 80 to 8f, {"function": ""} takes all.
    /// # Check by hand
    /// python3 -c 'import re; print(bool(re.match("8", "81")))'
    /// # Fix
    /// End the expression with $.
    "regex-prefix": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for spec in &subject.config.device_specs {
        let Some(address) = &spec.address else { continue };
        for (i, field) in address.fields.iter().enumerate() {
            let Field::Regex(regex) = field else { continue };
            let values = 0..[0x100, 0x100, 0x20, 8][i];
            let mut extra =
                values.filter(|v| regex.matches_number(*v, WIDTHS[i]) && !regex.matches_fully(*v, WIDTHS[i]));
            let Some(example) = extra.next() else { continue };
            let Some(member) = spec.node.get("address").and_then(|m| m.value.get(FIELDS[i])) else { continue };
            let text = &address.text[i];
            found.push(
                Finding::new(
                    &RULE,
                    format!(
                        "the expression for {} also matches {example:0w$x}: it is anchored at the start only",
                        FIELDS[i],
                        w = WIDTHS[i]
                    ),
                )
                .at(member.value.span, "matches longer values too")
                .remedy(format!(
                    "\"{}\": \"{}\"",
                    FIELDS[i],
                    if text.is_empty() {
                        ".*".to_owned()
                    } else {
                        format!("{text}$").replace('\\', "\\\\").replace('"', "\\\"")
                    }
                )),
            );
        }
    }
}
