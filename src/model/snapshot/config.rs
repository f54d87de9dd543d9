//! The configuration as a document: `pvm.check-config/1` without its findings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::tags::{AliasSpec, Declared, Tags};
use super::unknown::Unknown;

/// A parsed configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigDoc {
    /// Files read, in reading order, as the user named them.
    pub files: Vec<String>,
    /// Whether Nova would start with it; `None` when there was nothing to read.
    pub nova_accepts: Option<bool>,
    /// Device specs in Nova's order: the first that matches a device wins.
    pub device_specs: Vec<SpecDoc>,
    /// Aliases by first appearance.
    pub aliases: Vec<AliasDoc>,
    /// Options outside the two lists that matter for migration, by name.
    pub options: BTreeMap<String, OptionDoc>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

/// One entry of `device_spec`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpecDoc {
    /// Position in Nova's list.
    pub index: usize,
    /// File it stands in.
    pub file: Option<String>,
    /// 1-based line of its first character.
    pub line: Option<usize>,
    /// Four lower-case hex digits, or `*`.
    pub vendor_id: String,
    /// Four lower-case hex digits, or `*`.
    pub product_id: String,
    /// Address matcher.
    pub address: AddressDoc,
    /// Network interface whose device is meant, instead of an address.
    pub devname: Option<String>,
    /// Whether the spec is for devices managed by a remote (`SmartNIC`) host.
    pub remote_managed: bool,
    /// Every other key, as Nova keeps it: boolean words normalised to `"true"`/`"false"` for the keys Nova converts.
    pub tags: Tags,
}

/// The address matcher of a spec.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressDoc {
    /// `glob`, `regex` or `physical` (an exact address).
    pub style: String,
    /// Domain: digits, `*` or an expression.
    pub domain: String,
    /// Bus.
    pub bus: String,
    /// Slot.
    pub slot: String,
    /// Function.
    pub function: String,
    /// Whether it is an exact address that sysfs says is a PF: then it covers the PF's VFs.
    pub is_pf: bool,
}

/// One alias: all entries of the same name together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AliasDoc {
    /// Its name, case-sensitive.
    pub name: String,
    /// `legacy`, `required`, `preferred` or `socket`.
    pub numa_policy: String,
    /// `yes` only when every spec says so, `no` when every one says no, else absent.
    pub live_migratable: Option<Declared>,
    /// Alternatives; each as Nova keeps it (`vendor_id`, `product_id`, `dev_type`, `live_migratable`, `resource_class`, …).
    pub specs: Vec<AliasSpec>,
}

/// One other option with its place.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OptionDoc {
    /// Its value.
    pub value: Value,
    /// File, when it was written somewhere; else it is Nova's default.
    pub file: Option<String>,
    /// 1-based line.
    pub line: Option<usize>,
}
