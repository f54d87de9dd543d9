//! The boolean words of `oslo_utils.strutils.bool_from_string`.

use crate::nova::python::node::{Node, Value};
use crate::nova::python::words;

/// Every word Nova takes, for messages.
pub(crate) const WORDS: &str = "yes, true, on, 1 or no, false, off, 0";

/// The word's meaning, after stripping and lower-casing.
pub(crate) fn word(text: &str) -> Option<bool> {
    match words::strip(text).to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// The meaning of any value: numbers and the rest are turned into text first.
pub(crate) fn value(node: &Node) -> Option<bool> {
    match &node.value {
        Value::Bool(b) => Some(*b),
        _ => word(&node.python_str()),
    }
}

/// Nova's words for one it does not know.
pub(crate) fn refusal(text: &str) -> String {
    format!(
        "Unrecognized value '{text}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', 't', 'true', 'y', 'yes'"
    )
}
