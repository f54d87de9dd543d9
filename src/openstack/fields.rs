//! The keys by which OpenStack clients describe a cloud: the same in clouds.yaml (`auth.username`) and in the environment
//! (`OS_USERNAME`).

use std::collections::BTreeMap;

use serde_json::Value;

/// A cloud's keys with their values, without a distinction between those below `auth` and the others: no key is in both.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, String>);

/// Values may be secrets: only the keys are shown.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Fields {
    /// Takes an entry of clouds.yaml in; `Err` is the key whose value is not a text.
    pub(super) fn add_entry(&mut self, entry: &Value) -> Result<(), String> {
        let Some(entry) = entry.as_object() else { return Ok(()) };
        for (key, value) in entry {
            match value {
                Value::Object(_) if key == "auth" => self.add_entry(value)?,
                Value::String(text) => self.set(key, text),
                // A password of digits alone would have lost its zeros.
                Value::Number(_) if key.contains("password") || key.contains("secret") => return Err(key.clone()),
                Value::Bool(_) | Value::Number(_) => self.set(key, &value.to_string()),
                Value::Null | Value::Array(_) | Value::Object(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn set(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(key.replace('-', "_"), value.to_owned());
        }
    }

    /// The value of the first of these keys that there is.
    pub(super) fn get(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.0.get(*key)).map(String::as_str)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
