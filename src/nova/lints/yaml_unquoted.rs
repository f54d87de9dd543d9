//! Plain YAML values that other readers take for something else.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::yaml;
use crate::nova::python::node::{Node, Value};

lint! {
    /// A YAML value without quotes is a number or a boolean for other readers.
    ///
    /// # Meaning
    /// pvm takes plain values as they are written. PyYAML, and so most of OpenStack's tools, makes numbers of them:
    /// 1572 is a number, 0154 is 108, 0x1572 is 5490, and 0000:05:00.1 is 300.1 (base 60), while 0000:81:00.1 and 15b3
    /// stay text. yes and no become booleans, which an alias does not take.
    /// # Check by hand
    /// python3 -c 'import yaml, sys; print(yaml.safe_load(sys.stdin))' < FILE
    /// # Fix
    /// Put the value in quotes.
    "yaml-unquoted": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let config = subject.config;
    for entry in config.spec_entries.iter().chain(&config.alias_entries).filter(|entry| entry.text.is_none()) {
        if let Some(node) = &entry.node {
            look(subject, node, found);
        }
    }
}

fn look(subject: &Subject<'_>, node: &Node, found: &mut Vec<Finding>) {
    let sources = &subject.config.sources;
    match &node.value {
        Value::Array(items) => items.iter().for_each(|item| look(subject, item, found)),
        Value::Object(members) => members.iter().for_each(|member| look(subject, &member.value, found)),
        Value::String(text) if sources.text(node.span) == text => {
            let is_tagged = yaml::is_tagged(sources.file(node.span.file), node.span);
            if let Some(what) = other_type(text).filter(|_| !is_tagged) {
                found.push(
                    Finding::new(&RULE, format!("without quotes other YAML readers take {text} for {what}"))
                        .at(node.span, what)
                        .remedy(format!("\"{text}\""))
                        .fix(node.span, text, format!("\"{text}\"")),
                );
            }
        }
        _ => {}
    }
}

/// What YAML 1.1 (PyYAML) makes of a plain scalar that is text here.
fn other_type(text: &str) -> Option<&'static str> {
    if matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off") {
        return Some("a boolean");
    }
    let plain = text.trim_start_matches(['+', '-']);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let number = plain.starts_with(|c: char| c.is_ascii_digit());
    if let Some(hex) = plain.strip_prefix("0x") {
        return (!hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_')).then_some("a number");
    }
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    if plain.contains(':') {
        let mut parts = whole.split(':');
        let first = parts.next().unwrap_or_default();
        let base_60 = digits(first)
            && parts.all(|part| part.len() <= 2 && digits(part) && part.parse::<u8>().is_ok_and(|n| n < 60))
            && (fraction.is_empty() || digits(fraction));
        return base_60.then_some("a number in base 60");
    }
    (number && digits(whole) && (fraction.is_empty() || digits(fraction))).then_some("a number")
}
