//! An address expression that matches no device because of its case.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::address::{FIELDS, Field, WIDTHS};
use crate::nova::python::regex::Regex;

lint! {
    /// An address expression has upper case and can never match: addresses are lower case.
    ///
    /// # Meaning
    /// The fields of a device's address are lower-case hex digits with leading zeros, and Nova compares expressions
    /// with them as they are. Plain addresses (text) are normalised, expressions are not.
    /// # Check by hand
    /// lspci -D shows the addresses as Nova compares them.
    /// # Fix
    /// Write the expression in lower case.
    "regex-upper-case": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for spec in &subject.config.device_specs {
        let Some(address) = &spec.address else { continue };
        for (i, field) in address.fields.iter().enumerate() {
            let Field::Regex(regex) = field else { continue };
            let lower = lower_digits(&address.text[i]);
            let values = || 0..[0x1_0000, 0x100, 0x20, 8][i];
            let matches = |regex: &Regex| values().any(|v| regex.matches_number(v, WIDTHS[i]));
            if lower == address.text[i] || matches(regex) || !Regex::new(&lower).is_ok_and(|regex| matches(&regex)) {
                continue;
            }
            let Some(member) = spec.node.get("address").and_then(|m| m.value.get(FIELDS[i])) else { continue };
            found.push(
                Finding::new(
                    &RULE,
                    format!("the expression for {} never matches: addresses are lower case", FIELDS[i]),
                )
                .at(member.value.span, "upper case")
                .remedy(format!(
                    "\"{}\": \"{}\"",
                    FIELDS[i],
                    lower.replace('\\', "\\\\").replace('"', "\\\"")
                )),
            );
        }
    }
}

/// Hex digits in lower case; escapes such as `\D` keep their meaning.
fn lower_digits(text: &str) -> String {
    let mut escaped = false;
    text.chars()
        .map(|c| {
            let lower = if escaped { c } else { c.to_ascii_lowercase() };
            escaped = c == '\\' && !escaped;
            if c.is_ascii_hexdigit() { lower } else { c }
        })
        .collect()
}
