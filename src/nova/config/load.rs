//! Reads files in Nova's order, and goes on after every error.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use super::alias::{self, AliasEntry};
use super::device_spec::{DeviceSpec, Surroundings};
use super::input::{Format, Input, decode};
use super::machine::PciLookup;
use super::options::{self, Kind, OptionDef};
use super::parsed::{Entry, OptionValue, ParsedConfig};
use super::{json_error, shapes, visible, yaml};
use crate::model::finding::{Finding, NovaError, Severity, rules};
use crate::nova::oslo::ini::{self, Assignment, End, Ini, TOO_MUCH};
use crate::nova::oslo::substitute::{Machine, Substitution};
use crate::nova::python::node::{Node, Value};
use crate::nova::python::{json, words};
use crate::text::{FileId, MappedText, SourceFile, Span};

rules! {
    /// The file is not UTF-8; no Nova service starts.
    ///
    /// # Meaning
    /// Nova opens its files as UTF-8 text and stops at the first byte that is not.
    /// # Check by hand
    /// iconv -f UTF-8 -t UTF-8 FILE >/dev/null says where.
    /// # Fix
    /// Save the file as UTF-8.
    pub(crate) NOT_UTF8 = "not-utf8", Error;

    /// An option's value is not of its type; the service stops when it reads it.
    ///
    /// # Meaning
    /// Boolean options take true, yes, on, 1 and false, no, off, 0 in any case, nothing else. Whole numbers have a
    /// least value.
    /// # Check by hand
    /// grep -n OPTION FILE
    /// # Fix
    /// Write one of these words, or a number that is large enough.
    OPTION_VALUE = "option-value", Error;
}

/// Entries of one option that are read; a host has some dozens.
const MOST_ENTRIES: usize = 10_000;

/// Findings that entries may have together: further ones say nothing new.
const MOST_FINDINGS: usize = 1_000;

/// Reads files as Nova would, in this order, but goes on after every error.
pub fn load(inputs: Vec<Input>, host: &dyn PciLookup, machine: &Machine) -> ParsedConfig {
    let mut config = ParsedConfig::default();
    let mut trees: BTreeMap<FileId, (Vec<Node>, Vec<Node>)> = BTreeMap::new();
    let mut inputs: VecDeque<Input> = inputs.into();
    while let Some(input) = inputs.pop_front() {
        let (text, invalid_at) = decode(input.bytes);
        // Neither UTF-8 nor any other text: what its lines are not says nothing.
        let binary = invalid_at.is_some() && text.contains('\0');
        let id = config.sources.add(SourceFile::new(input.name, text));
        let file = config.sources.file(id);
        if let Some(at) = invalid_at {
            let (message, remedy) = if binary {
                ("this is a binary file, not a configuration", "name the right file")
            } else {
                ("the file is not UTF-8 from here on", "save the file as UTF-8")
            };
            config.findings.push(
                Finding::new(&NOT_UTF8, message)
                    .at(Span::new(id, at, at + 1), "not UTF-8")
                    .remedy(remedy)
                    .nova("UnicodeDecodeError", "'utf-8' codec can't decode byte"),
            );
        }
        if binary {
            config.files.push(Ini::default());
            continue;
        }
        let mut ini = match Format::guess(&file.name, &file.text) {
            Format::Ini => {
                let ini = ini::parse(id, file);
                config.visible.extend(visible::places(id, file, &ini));
                ini
            }
            Format::Yaml => {
                let yaml = yaml::parse(id, file);
                trees.insert(id, (yaml.device_specs, yaml.aliases));
                config.visible.extend(yaml.visible);
                if yaml.inner.is_empty() && !yaml.recognised && yaml.options.findings.is_empty() {
                    config.findings.push(shapes::nothing(id, file, &yaml.similar));
                } else {
                    config.findings.extend(shapes::unread(&yaml.similar));
                }
                for inner in yaml.inner.into_iter().rev() {
                    // Blank lines before it keep the numbers of its lines those of the file around it.
                    let text = "\n".repeat(inner.line) + &inner.text;
                    let name = format!("{} ({})", file.name, inner.name);
                    inputs.push_front(Input { name, bytes: text.into_bytes() });
                }
                yaml.options
            }
        };
        config.findings.append(&mut ini.findings);
        config.files.push(ini);
    }
    config.read_options(machine);
    config.refusals.files = first_refusal(&config.findings);
    let before = config.findings.len();
    config.spec_entries = config.entries(&options::DEVICE_SPEC, machine, &trees);
    config.read_specs(host);
    config.refusals.device_specs = first_refusal(&config.findings[before..]);
    let before = config.findings.len();
    config.alias_entries = config.entries(&options::ALIAS, machine, &trees);
    config.read_aliases();
    config.refusals.aliases = first_refusal(&config.findings[before..]);
    config
}

impl ParsedConfig {
    fn read_options(&mut self, machine: &Machine) {
        for def in options::KNOWN {
            if matches!(def.kind, Kind::Multi | Kind::Text) {
                continue;
            }
            let name = format!("{}.{}", def.group, def.name);
            let default = match def.kind {
                Kind::Boolean(value) => Json::Bool(value),
                Kind::Integer(value, _) => Json::from(value),
                Kind::Choice(words) => Json::from(words[0]),
                Kind::Multi | Kind::Text => Json::Null,
            };
            let Some(assignment) = def.effective(&self.files) else {
                self.options.insert(name, OptionValue { value: default, span: None });
                continue;
            };
            let span = assignment.key.span.to(assignment.value.whole());
            let text = Substitution { files: &self.files, machine }.apply(&assignment.value, def.group);
            let value = match text {
                Err(unresolved) => {
                    self.findings.push(unresolved.finding());
                    default
                }
                Ok(text) => read_value(def, &text).unwrap_or_else(|finding| {
                    self.findings.push(*finding);
                    default
                }),
            };
            self.options.insert(name, OptionValue { value, span: Some(span) });
        }
    }

    fn entries(
        &mut self,
        def: &OptionDef,
        machine: &Machine,
        trees: &BTreeMap<FileId, (Vec<Node>, Vec<Node>)>,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut findings = Vec::new();
        let substitution = Substitution { files: &self.files, machine };
        for ((id, _), file) in self.sources.iter().zip(&self.files) {
            for assignment in def.occurrences(std::slice::from_ref(file)) {
                let text = match substitution.apply(&assignment.value, "pci") {
                    Ok(text) => Some(text),
                    Err(unresolved) => {
                        findings.push(unresolved.finding());
                        None
                    }
                };
                entries.push(entry(assignment, text));
            }
            let nodes = trees.get(&id).map(|(specs, aliases)| if def.name == "alias" { aliases } else { specs });
            for node in nodes.into_iter().flatten() {
                entries.push(Entry {
                    key: None,
                    text: None,
                    node: Some(node.clone()),
                    recovered: false,
                    ended_by: End::Next,
                });
            }
        }
        for entry in &mut entries {
            let Some(text) = &entry.text else { continue };
            match json::parse(text) {
                Ok(node) => entry.node = Some(node),
                Err(_) if findings.len() >= MOST_FINDINGS => {}
                Err(error) => {
                    let (finding, meant) = json_error::explain(&error, entry, def, &self.sources);
                    findings.push(finding);
                    entry.recovered = true;
                    entry.node = meant;
                }
            }
        }
        self.findings.append(&mut findings);
        entries
    }

    fn read_specs(&mut self, host: &dyn PciLookup) {
        let around = Surroundings { host, report_in_placement: self.is_on(&options::REPORT_IN_PLACEMENT) };
        for entry in &self.spec_entries {
            let Some(node) = &entry.node else { continue };
            let members = match &node.value {
                Value::Array(items) => items.as_slice(),
                _ => std::slice::from_ref(node),
            };
            for member in members {
                if self.device_specs.len() >= MOST_ENTRIES || self.findings.len() >= MOST_FINDINGS {
                    self.findings.push(too_much("device_spec", member));
                    return;
                }
                let spec = DeviceSpec::read(member, around, &mut self.findings);
                self.device_specs.extend(spec.filter(|_| !entry.recovered));
            }
        }
    }

    fn read_aliases(&mut self) {
        for entry in &self.alias_entries {
            let Some(node) = &entry.node else { continue };
            if self.aliases.len() >= MOST_ENTRIES || self.findings.len() >= MOST_FINDINGS {
                self.findings.push(too_much("alias", node));
                break;
            }
            let alias = AliasEntry::read(node, &mut self.findings);
            self.aliases.extend(alias.filter(|_| !entry.recovered));
        }
        let pci_in_placement = self.is_on(&options::PCI_IN_PLACEMENT);
        alias::check_together(&self.aliases, &self.device_specs, pci_in_placement, &mut self.findings);
    }
}

fn too_much(option: &str, node: &Node) -> Finding {
    Finding::new(&TOO_MUCH, format!("further values of {option} are not looked at"))
        .at(node.span, "from here on")
        .remedy("correct the errors shown, or name the right file")
}

fn first_refusal(findings: &[Finding]) -> Option<NovaError> {
    findings.iter().find_map(|d| d.nova_error.clone().filter(|_| d.severity == Severity::Error))
}

fn entry(assignment: &Assignment, text: Option<MappedText>) -> Entry {
    Entry { key: Some(assignment.key.clone()), text, node: None, recovered: false, ended_by: assignment.ended_by }
}

fn read_value(def: &OptionDef, text: &MappedText) -> Result<Json, Box<Finding>> {
    let refuse = |message: String, remedy: String| {
        Box::new(
            Finding::new(&OPTION_VALUE, message)
                .at(text.whole(), "")
                .remedy(remedy)
                .nova("ConfigFileValueError", format!("Value for option {} is not valid", def.name)),
        )
    };
    match def.kind {
        Kind::Boolean(_) => options::boolean(&text.text).map(Json::Bool).ok_or_else(|| {
            refuse(
                format!("{} must be true, yes, on, 1 or false, no, off, 0", def.name),
                format!("{} = true, or {} = false", def.name, def.name),
            )
        }),
        Kind::Integer(_, least) => words::int(&text.text, 10)
            .and_then(|n| i64::try_from(n).ok())
            .filter(|n| *n >= least)
            .map(Json::from)
            .ok_or_else(|| {
                refuse(
                    format!("{} must be a whole number, at least {least}", def.name),
                    format!("{} = {least}", def.name),
                )
            }),
        Kind::Choice(words) if !words.contains(&text.text.as_str()) => {
            let lines: Vec<String> = words.iter().map(|word| format!("{} = {word}", def.name)).collect();
            Err(refuse(format!("{} must be {}", def.name, words.join(" or ")), lines.join(", or ")))
        }
        Kind::Multi | Kind::Text | Kind::Choice(_) => Ok(Json::String(text.text.clone())),
    }
}
