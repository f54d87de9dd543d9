//! Everything Nova would make of a set of files, and everything wrong with them.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::alias::{self, AliasEntry};
use super::device_spec::DeviceSpec;
use super::input::Format;
use super::options::OptionDef;
use super::{shapes, yaml};
use crate::model::finding::{Finding, NovaError, Severity};
use crate::model::snapshot::{ConfigDoc, OptionDoc, Unknown};
use crate::nova::oslo::ini::{End, Ini};
use crate::nova::oslo::substitute::SUBSTITUTION_UNKNOWN;
use crate::nova::python::node::Node;
use crate::text::{MappedText, Sources, Span, Spanned};

/// One value of `device_spec` or `alias` before it became entries.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The option's name as written; in YAML there is none of its own.
    pub key: Option<Spanned<String>>,
    /// The text Nova reads as JSON; `None` in YAML or when a variable could not be replaced.
    pub text: Option<MappedText>,
    /// What was read, if it could be.
    pub node: Option<Node>,
    /// Whether that is what was meant, and not what is written: then it is looked at for further errors only.
    pub recovered: bool,
    /// What ended the value.
    pub ended_by: End,
}

/// Everything Nova would make of a set of files, and everything wrong with them.
#[derive(Debug, Default)]
pub struct ParsedConfig {
    /// The files in Nova's order.
    pub sources: Sources,
    /// Their assignments, unknown ones too.
    pub files: Vec<Ini>,
    /// Values of `device_spec` in Nova's order.
    pub spec_entries: Vec<Entry>,
    /// Values of `alias` in Nova's order.
    pub alias_entries: Vec<Entry>,
    /// Specs Nova would accept, in Nova's order: the first that matches wins. An index into this list is a spec's index.
    pub device_specs: Vec<DeviceSpec>,
    /// Aliases Nova would accept one by one.
    pub aliases: Vec<AliasEntry>,
    /// Options with one value, by `group.name`.
    pub options: BTreeMap<String, OptionValue>,
    /// What is wrong, in reading order.
    pub findings: Vec<Finding>,
    /// Who would refuse it, and with which words first.
    pub refusals: Refusals,
    /// Places that may be shown to people: nova.conf holds passwords elsewhere.
    pub(super) visible: Vec<Span>,
}

/// The first thing Nova would say, by what it reads: nova-api reads aliases alone.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// Files, and options with one value.
    pub files: Option<NovaError>,
    /// `device_spec`.
    pub device_specs: Option<NovaError>,
    /// `alias`.
    pub aliases: Option<NovaError>,
}

/// An option with one value.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionValue {
    /// Its value.
    pub value: Json,
    /// Where it was written; else it is Nova's default.
    pub span: Option<Span>,
}

impl ParsedConfig {
    /// An option's value as a boolean.
    pub fn is_on(&self, def: &OptionDef) -> bool {
        self.options.get(&format!("{}.{}", def.group, def.name)).is_some_and(|o| o.value == Json::Bool(true))
    }

    /// Says of files named by a person that nothing in any of them is an option that pvm reads.
    pub fn refuse_nothing(&mut self) {
        if self.files.is_empty() || !self.findings.is_empty() || self.files.iter().any(shapes::has_options) {
            return;
        }
        let read = !self.spec_entries.is_empty() || !self.alias_entries.is_empty();
        if let Some((id, file)) = self.sources.iter().next().filter(|_| !read)
            && Format::guess(&file.name, &file.text) == Format::Ini
        {
            self.findings.push(shapes::nothing(id, file, &[]));
        }
    }

    /// Whether Nova would start with these files; `None` when that cannot be said.
    pub fn nova_accepts(&self) -> Option<bool> {
        let Refusals { files, device_specs, aliases } = &self.refusals;
        if files.is_some() || device_specs.is_some() || aliases.is_some() {
            return Some(false);
        }
        let unknown = |d: &Finding| {
            [&SUBSTITUTION_UNKNOWN, &yaml::YAML_SYNTAX, &shapes::NOTHING_RECOGNISED, &shapes::TEMPLATE]
                .iter()
                .any(|rule| d.is(rule))
        };
        if self.files.is_empty() || self.findings.iter().any(unknown) { None } else { Some(true) }
    }

    /// The same with what lints found: with Placement, or on a host that is too old, they know of more refusals.
    pub fn nova_accepts_with(&self, found: &[Finding]) -> Option<bool> {
        if found.iter().any(|d| d.severity == Severity::Error && d.nova_error.is_some()) {
            return Some(false);
        }
        self.nova_accepts()
    }

    /// The configuration as a document.
    pub fn document(&self) -> ConfigDoc {
        let options = self.options.iter().map(|(name, option)| {
            let short = name.split_once('.').map_or(name.as_str(), |(_, short)| short).to_owned();
            let file = option.span.map(|span| self.sources.file(span.file).name.clone());
            let line = option.span.map(|span| self.sources.line(span));
            (short, OptionDoc { value: option.value.clone(), file, line })
        });
        let nova_accepts = self.nova_accepts();
        let mut unknown = Vec::new();
        if nova_accepts.is_none() {
            let why = if self.files.is_empty() { "no configuration was read" } else { "a value could not be read" };
            unknown.push(Unknown::new("nova_accepts", why));
        }
        ConfigDoc {
            files: self.sources.iter().map(|(_, file)| file.name.clone()).collect(),
            nova_accepts,
            device_specs: self.device_specs.iter().enumerate().map(|(i, s)| s.document(i, &self.sources)).collect(),
            aliases: alias::documents(&self.aliases),
            options: options.collect(),
            unknown,
        }
    }
}
