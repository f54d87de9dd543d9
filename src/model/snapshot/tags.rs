//! The tags of a `device_spec` and the wishes of an alias, typed once where they enter.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The value of one of the tags that Nova reads as strict booleans, `live_migratable` first of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Declared {
    /// The tag is true.
    Yes,
    /// The tag is false.
    No,
    /// The tag is absent or null, or no spec matches.
    #[default]
    Unset,
}

impl Declared {
    /// The word in tables and documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unset => "unset",
        }
    }

    /// The truth of the tag; `None` when it is unset.
    pub const fn truth(self) -> Option<bool> {
        match self {
            Self::Yes => Some(true),
            Self::No => Some(false),
            Self::Unset => None,
        }
    }

    /// Nova's own word for it, which it stores and compares.
    fn nova_word(self) -> Option<&'static str> {
        self.truth().map(|yes| if yes { "true" } else { "false" })
    }

    fn nova_value(self) -> &'static Value {
        static VALUES: LazyLock<[Value; 3]> = LazyLock::new(|| ["true".into(), "false".into(), Value::Null]);
        match self {
            Self::Yes => &VALUES[0],
            Self::No => &VALUES[1],
            Self::Unset => &VALUES[2],
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "true" => Some(Self::Yes),
            "false" => Some(Self::No),
            _ => None,
        }
    }

    fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Unset),
            Value::Bool(yes) => Some(Self::from(*yes)),
            Value::String(word) => Self::of_word(word),
            Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl From<bool> for Declared {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// The tags of a device: every key of its spec that does not choose devices. A tag that is null is there, unlike an absent
/// one: Nova keeps the two in different pools.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, Value>", into = "BTreeMap<String, Value>")]
pub struct Tags {
    /// Whether devices are said to migrate.
    pub live_migratable: Option<Declared>,
    /// Whether libvirt binds the driver.
    pub managed: Option<Declared>,
    /// Whether a device serves one guest only.
    pub one_time_use: Option<Declared>,
    /// Network that the devices reach, as written.
    pub physical_network: Option<Value>,
    /// Whether another host manages the devices, as written.
    pub remote_managed: Option<Value>,
    /// Resource class for Placement, as written.
    pub resource_class: Option<Value>,
    /// Traits for Placement, as written.
    pub traits: Option<Value>,
    /// Whether VFs are trusted, as written.
    pub trusted: Option<Value>,
    /// Tags that Nova knows nothing of.
    pub rest: BTreeMap<String, Value>,
}

impl Tags {
    /// What the tags say of migration.
    pub fn declared(&self) -> Declared {
        self.live_migratable.unwrap_or_default()
    }

    /// Sets a tag by its name in the configuration.
    pub fn set(&mut self, key: &str, value: Value) {
        let strict = match key {
            "live_migratable" => Some(&mut self.live_migratable),
            "managed" => Some(&mut self.managed),
            "one_time_use" => Some(&mut self.one_time_use),
            _ => None,
        };
        let strict = strict.zip(Declared::of_value(&value));
        let as_written = match key {
            "physical_network" => Some(&mut self.physical_network),
            "remote_managed" => Some(&mut self.remote_managed),
            "resource_class" => Some(&mut self.resource_class),
            "traits" => Some(&mut self.traits),
            "trusted" => Some(&mut self.trusted),
            _ => None,
        };
        match (strict, as_written) {
            (Some((tag, declared)), _) => *tag = Some(declared),
            (None, Some(tag)) => *tag = Some(value),
            (None, None) => {
                self.rest.insert(key.to_owned(), value);
            }
        }
    }

    /// A tag by the name that an alias or a stored request asks for.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let known = self.known().into_iter().find(|(name, _)| *name == key).and_then(|(_, value)| value);
        known.or_else(|| self.rest.get(key))
    }

    /// Every tag with its value, as Nova keeps it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let known = self.known().into_iter().filter_map(|(key, value)| Some((key, value?)));
        known.chain(self.rest.iter().map(|(key, value)| (key.as_str(), value)))
    }

    /// Whether there is no tag at all.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    fn known(&self) -> [(&'static str, Option<&Value>); 8] {
        let strict = |tag: Option<Declared>| tag.map(Declared::nova_value);
        [
            ("live_migratable", strict(self.live_migratable)),
            ("managed", strict(self.managed)),
            ("one_time_use", strict(self.one_time_use)),
            ("physical_network", self.physical_network.as_ref()),
            ("remote_managed", self.remote_managed.as_ref()),
            ("resource_class", self.resource_class.as_ref()),
            ("traits", self.traits.as_ref()),
            ("trusted", self.trusted.as_ref()),
        ]
    }
}

impl From<BTreeMap<String, Value>> for Tags {
    fn from(written: BTreeMap<String, Value>) -> Self {
        let mut tags = Self::default();
        for (key, value) in written {
            tags.set(&key, value);
        }
        tags
    }
}

impl From<Tags> for BTreeMap<String, Value> {
    fn from(tags: Tags) -> Self {
        tags.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }
}

/// One alternative of an alias or of a request: what a device has to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct AliasSpec {
    /// What the device's spec has to say of migration.
    pub live_migratable: Declared,
    /// Everything else by Nova's names: `vendor_id`, `product_id`, `dev_type`, `resource_class`, `traits`, …
    pub rest: BTreeMap<String, String>,
}

impl AliasSpec {
    /// What is wanted under this name.
    pub fn get(&self, key: &str) -> Option<&String> {
        self.rest.get(key)
    }
}

impl From<BTreeMap<String, String>> for AliasSpec {
    fn from(mut rest: BTreeMap<String, String>) -> Self {
        let declared = rest.get(LIVE_MIGRATABLE).and_then(|word| Declared::of_word(word));
        if declared.is_some() {
            rest.remove(LIVE_MIGRATABLE);
        }
        Self { live_migratable: declared.unwrap_or_default(), rest }
    }
}

impl From<AliasSpec> for BTreeMap<String, String> {
    fn from(wanted: AliasSpec) -> Self {
        let mut words = wanted.rest;
        words.extend(wanted.live_migratable.nova_word().map(|word| (LIVE_MIGRATABLE.to_owned(), word.to_owned())));
        words
    }
}

const LIVE_MIGRATABLE: &str = "live_migratable";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_are_written_as_they_were_read() {
        for text in [
            json!({}),
            json!({"live_migratable": "true", "managed": "false", "one_time_use": null, "traits": "A,B", "x": [1]}),
            json!({"live_migratable": null, "trusted": true, "remote_managed": "False", "physical_network": null}),
            // Not what Nova stores: kept, and no declaration.
            json!({"live_migratable": "True", "managed": 1}),
        ] {
            let tags: Tags = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(serde_json::to_value(&tags).unwrap(), text);
            assert_eq!(tags.is_empty(), text == json!({}));
            let yes = text["live_migratable"] == "true";
            assert_eq!(tags.declared(), if yes { Declared::Yes } else { Declared::Unset });
            for (key, value) in text.as_object().unwrap() {
                assert_eq!(tags.get(key), Some(value));
            }
        }
    }

    #[test]
    fn wishes_are_written_as_they_were_read() {
        for (text, declared) in [
            (json!({"vendor_id": "15b3", "live_migratable": "true"}), Declared::Yes),
            (json!({"live_migratable": "false"}), Declared::No),
            (json!({"live_migratable": "True"}), Declared::Unset),
            (json!({"dev_type": "type-VF"}), Declared::Unset),
        ] {
            let wanted: AliasSpec = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(wanted.live_migratable, declared);
            assert_eq!(serde_json::to_value(&wanted).unwrap(), text);
        }
    }
}
