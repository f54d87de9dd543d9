//! Numbers that Python reads from JSON and JSON itself has no form for: `NaN`, the infinities, whole numbers of any size. Nova
//! keeps them as the numbers they are, so in documents they must not look like text: `{"python": "nan"}`.

use serde_json::{Value, json};

const KEY: &str = "python";
const NAN: &str = "nan";

/// The document's form of a number that Python prints like this.
pub(crate) fn beyond_json(repr: &str) -> Value {
    json!({ KEY: repr })
}

/// Whether it is the number that equals nothing, not even itself.
pub(crate) fn is_nan(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.len() == 1 && object.get(KEY).is_some_and(|repr| repr == NAN))
}
