//! Nova's `[pci]` configuration: text in, typed specs and aliases out, with every error at its place. Knows nothing of
//! files and hosts: [`load`] takes texts, and asks about the host through [`PciLookup`].
//!
//! ```text
//! bytes ─► ini / yaml ─► options in Nova's order ─► $substitution ─► json ─► Node ─► DeviceSpec, AliasEntry ─► Matcher, requests
//! ```

pub(crate) mod address;
pub(crate) mod alias;
pub(crate) mod allow;
pub(crate) mod compare;
pub(crate) mod device_spec;
pub(crate) mod fix;
pub(crate) mod json_error;
pub(crate) mod machine;
pub(crate) mod matching;
pub(crate) mod options;
pub(crate) mod placement_names;
pub(crate) mod request;
pub(crate) mod request_report;
pub(crate) mod shapes;
pub(crate) mod trace;
pub(crate) mod yaml;

pub(crate) use crate::nova::oslo::substitute::Machine;
pub(crate) use alias::AliasEntry;
pub(crate) use device_spec::DeviceSpec;
pub(crate) use machine::{Devices, NoHost, PciLookup};
pub(crate) use matching::{Matcher, View};
pub(crate) use request::{Request, requests};

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use crate::model::finding::{Finding, NovaError, Severity, rules};
use crate::model::snapshot::{ConfigDoc, OptionDoc, Unknown};
use crate::nova::oslo::ini::{Assignment, End, Ini, TOO_MUCH};
use crate::nova::oslo::substitute::{SUBSTITUTION_UNKNOWN, Substitution};
use crate::nova::python::node::Node;
use crate::text::{FileId, MappedText, SourceFile, Sources, Span, Spanned};
use device_spec::Surroundings;
use options::{Kind, OptionDef};

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

/// Longer lines, in bytes, are named and not shown.
const MOST_SHOWN: usize = 1 << 16;

/// One file's content.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name for messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// nova.conf.
    Ini,
    /// YAML, or JSON, which is YAML too.
    Yaml,
}

impl Format {
    /// Guesses by name, and where the name does not say, by content.
    pub(crate) fn guess(name: &str, text: &str) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("yaml" | "yml" | "json") => return Self::Yaml,
            Some("conf" | "ini") => return Self::Ini,
            _ => {}
        }
        let first = text.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        match first {
            Some(line) if line.starts_with("---") || line.starts_with('{') => Self::Yaml,
            Some(line) if ["pci:", "device_spec:", "alias:", "hosts:", "defaults:"].contains(&line) => Self::Yaml,
            _ => Self::Ini,
        }
    }
}

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
    visible: Vec<Span>,
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

/// Reads files as Nova would, in this order, but goes on behind every error.
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
                let ini = crate::nova::oslo::ini::parse(id, file);
                config.visible.extend(visible(id, file, &ini));
                ini
            }
            Format::Yaml => {
                let yaml = yaml::parse(id, file);
                trees.insert(id, (yaml.device_specs, yaml.aliases));
                config.visible.extend(yaml.visible);
                if yaml.inner.is_empty() && !yaml.recognised && yaml.options.findings.is_empty() {
                    config.findings.push(shapes::nothing(id, file, &yaml.similar));
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
            [&SUBSTITUTION_UNKNOWN, &yaml::YAML_SYNTAX, &shapes::NOTHING_RECOGNISED].iter().any(|rule| d.is(rule))
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

    /// Whether all lines that a place touches may be shown to people. Brackets and blanks around what may be shown do no harm.
    pub fn is_visible(&self, span: Span) -> bool {
        let file = self.sources.file(span.file);
        let first = file.position(span.start).line;
        let last = file.position(span.end.max(span.start)).line;
        let (mut at, end) = (file.line_range(first).start, file.line_range(last).end);
        if end - at > MOST_SHOWN {
            return false;
        }
        let harmless = |range: std::ops::Range<usize>| {
            file.text.get(range).is_some_and(|text| text.bytes().all(|b| b" \t[]{},-'\"\r\n".contains(&b)))
        };
        for place in self.visible.iter().filter(|place| place.file == span.file) {
            if place.end <= at {
                continue;
            }
            if place.start >= end {
                break;
            }
            if !harmless(at..place.start.max(at)) {
                return false;
            }
            at = place.end;
        }
        at >= end || harmless(at..end)
    }

    /// What may be shown around a place of whose lines not all may be: the line up to its end.
    pub fn visible_part(&self, span: Span) -> Option<Span> {
        let file = self.sources.file(span.file);
        let start = file.line_range(file.position(span.start).line).start;
        let around = |place: &&Span| place.file == span.file && place.start == start && span.end <= place.end;
        self.visible.iter().find(around).copied().filter(|place| place.end - place.start <= MOST_SHOWN)
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
            match crate::nova::python::json::parse(text) {
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
                crate::nova::python::node::Value::Array(items) => items.as_slice(),
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
        alias::check_together(&self.aliases, pci_in_placement, &mut self.findings);
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

/// UTF-8, with `?` for each byte that is not, so that offsets stay those of the file; and the first such byte.
fn decode(bytes: Vec<u8>) -> (String, Option<usize>) {
    let mut bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error.into_bytes(),
    };
    let mut first = None;
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let bad = at + error.valid_up_to();
        first.get_or_insert(bad);
        let len = error.error_len().unwrap_or(bytes.len() - bad);
        bytes[bad..bad + len].fill(b'?');
        at = bad + len;
    }
    (String::from_utf8(bytes).unwrap_or_default(), first)
}

/// Lines that may be shown: those of `[pci]` and of the options pvm knows.
fn visible(id: FileId, file: &SourceFile, ini: &Ini) -> Vec<Span> {
    let mut places = Vec::new();
    let is_pci = |section: &str| options::normal_section(section) == "pci";
    for section in ini.sections.iter().filter(|section| is_pci(&section.value)) {
        let line = file.line_range(file.position(section.span.start).line);
        places.push(Span::new(id, line.start, line.end));
    }
    for assignment in &ini.assignments {
        let start = file.line_range(file.position(assignment.key.span.start).line).start;
        if options::KNOWN.iter().any(|def| def.is_set_by(assignment)) {
            let place = assignment.key.span.to(assignment.value.whole());
            let end = file.line_range(file.position(place.end).line).end;
            places.push(Span::new(id, start, end));
        } else if is_pci(&assignment.section.value) {
            // Its value may be another section's, whose header is commented out.
            places.push(Span::new(id, start, assignment.key.span.end));
        }
    }
    places.sort_unstable();
    places
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
        Kind::Integer(_, least) => crate::nova::python::words::int(&text.text, 10)
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
