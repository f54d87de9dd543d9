//! YAML as a front end for the same rules. Nova reads none; pvm takes `device_spec` and `alias` at the top or under `pci`,
//! the other options it knows under their groups, and the shapes that deployment tools have ([`shapes`]). All use of the YAML library is in this file.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned as At;

use super::shapes::Wrapped;
use super::{options, shapes};
use crate::model::finding::{Finding, rules};
use crate::nova::oslo::ini::{Assignment, End, Ini};
use crate::nova::python::node::{Member, Node, Value};
use crate::text::{FileId, MappedText, SourceFile, Span, Spanned};

rules! {
    /// A YAML file cannot be read, or device_spec and alias in it have the wrong form.
    ///
    /// # Meaning
    /// pvm reads device_spec and alias at the top of a YAML file or under pci, each a list of mappings with the keys
    /// that Nova's JSON has.
    /// # Check by hand
    /// python3 -c 'import yaml, sys; print(yaml.safe_load(sys.stdin))' < FILE
    /// # Fix
    /// Write the lists as here:
    /// ```text
    /// pci:
    ///   device_spec:
    ///     - {vendor_id: "15b3", product_id: "101e", live_migratable: "yes"}
    /// ```
    pub(crate) YAML_SYNTAX = "yaml-syntax", Error;
}

/// What a YAML file holds for pvm.
#[derive(Debug, Default)]
pub(crate) struct Yaml {
    /// Options with one value, in the form the INI reader gives.
    pub options: Ini,
    /// Members of `device_spec`.
    pub device_specs: Vec<Node>,
    /// Members of `alias`.
    pub aliases: Vec<Node>,
    /// What may be shown of the file.
    pub visible: Vec<Span>,
    /// Files of Nova's own form inside, as a `ConfigMap` carries them.
    pub inner: Vec<shapes::Inner>,
    /// Whether anything was found that pvm reads.
    pub recognised: bool,
    /// Keys that look like what is looked for, with their places.
    pub similar: Vec<(String, Span)>,
}

impl Yaml {
    /// How many entries, options and files were found.
    fn read_so_far(&self) -> usize {
        let entries = self.device_specs.len() + self.aliases.len();
        entries + self.options.assignments.len() + self.options.findings.len() + self.inner.len()
    }
}

/// Reads one file.
pub(crate) fn parse(id: FileId, file: &SourceFile) -> Yaml {
    let mut yaml = Yaml::default();
    if file.text.trim_start_matches('\u{feff}').trim().is_empty() {
        return yaml;
    }
    let options = serde_yaml::options! {
        duplicate_keys: serde_yaml::options::DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        budget: serde_yaml::budget! { max_depth: 64, max_nodes: 200_000, max_events: 400_000, max_aliases: 2_000, max_documents: 64 },
    };
    match serde_yaml::from_multiple_with_options::<At<Raw>>(&file.text, options) {
        // Manifests of Kubernetes are several documents in one file.
        Ok(documents) => {
            let only = documents.len() < 2;
            for raw in documents.iter().filter(|raw| only || matches!(raw.value, Raw::Map(_))) {
                read_top(&mut yaml, raw, id, file);
            }
        }
        Err(error) => {
            // The library's own words may quote the file, so only its place is kept.
            let offset = error.location().and_then(|l| l.span().byte_offset()).and_then(|o| usize::try_from(o).ok());
            let mut start = offset.unwrap_or(0).min(file.text.len());
            while !file.text.is_char_boundary(start) {
                start -= 1;
            }
            yaml.options.findings.push(
                Finding::new(&YAML_SYNTAX, "the file cannot be read as YAML from here on")
                    .at(Span::new(id, start, start), "")
                    .note("aliases, nesting and size are limited; keys are plain text")
                    .remedy("check the file with a YAML linter: indentation, colons, quotes and brackets"),
            );
        }
    }
    yaml
}

fn read_top(yaml: &mut Yaml, raw: &At<Raw>, id: FileId, file: &SourceFile) {
    let Raw::Map(members) = &raw.value else {
        yaml.options.findings.push(
            Finding::new(&YAML_SYNTAX, "the file is no mapping with device_spec or alias in it")
                .at(Span::new(id, 0, 0), "")
                .remedy("pci:\n  device_spec:\n    - {vendor_id: …, product_id: …}"),
        );
        return;
    };
    for (key, value) in members {
        if matches!(key.value.as_str(), "device_spec" | "alias") {
            read_option(yaml, ("pci", &key.value), key, value, id, file, false);
        }
    }
    walk(yaml, raw, id, file, &mut Vec::new());
}

/// Looks for options wherever deployment tools put them: groups of Nova, variables of known names, nova.conf inside.
fn walk<'r>(yaml: &mut Yaml, raw: &'r At<Raw>, id: FileId, file: &SourceFile, path: &mut Vec<&'r str>) {
    let members = match &raw.value {
        Raw::Map(members) => members,
        Raw::Seq(items) => {
            for item in items {
                walk(yaml, item, id, file, path);
            }
            return;
        }
        _ => return,
    };
    let grouped = path.is_empty() || members.iter().any(|(key, _)| key.value == "pci");
    for (key, value) in members {
        let name = key.value.as_str();
        path.push(name);
        match &value.value {
            Raw::Map(inner) if grouped && (name == "pci" || options::KNOWN.iter().any(|def| def.group == name)) => {
                yaml.recognised |= name == "pci";
                for (key, value) in inner {
                    let option = key.value.as_str();
                    let known = options::KNOWN.iter().any(|def| def.names.contains(&(name, option)));
                    // Tools have lists under names of their own: `pci: {device_specs: […], aliases: […]}`.
                    let own = if known || path.len() < 2 { None } else { shapes::option_of_pci(option) };
                    if let Some(option) = own {
                        read_option(yaml, (name, option), key, value, id, file, true);
                    } else if known || name == "pci" {
                        read_option(yaml, (name, option), key, value, id, file, path.len() > 1);
                    }
                }
            }
            Raw::Text(text) if yaml.inner.len() < shapes::MOST_INNER && shapes::is_nova_conf(name, text) => {
                let place = span(value, id, file);
                yaml.inner.push(shapes::Inner {
                    name: name.to_owned(),
                    line: file.position(place.start).line,
                    text: text.clone(),
                });
            }
            _ => {
                if let Some(option) = shapes::option(name) {
                    read_option(yaml, ("pci", option), key, value, id, file, true);
                } else {
                    let already = path.len() == 1 && matches!(name, "device_spec" | "alias");
                    let before = yaml.read_so_far();
                    walk(yaml, value, id, file, path);
                    let is_read = already || yaml.read_so_far() > before;
                    if !is_read && shapes::looks_like_pci(name) && yaml.similar.len() < shapes::MOST_SIMILAR {
                        yaml.similar.push((path.join("."), span(key, id, file)));
                    }
                }
            }
        }
        path.pop();
    }
}

/// Reads one option, named by group and key. Deployment tools write JSON text too, which Nova gets as it is (`as_text`).
fn read_option(
    yaml: &mut Yaml,
    (group, option): (&str, &str),
    key: &At<String>,
    value: &At<Raw>,
    id: FileId,
    file: &SourceFile,
    as_text: bool,
) {
    yaml.recognised = true;
    let key_span = span(key, id, file);
    // OpenStack-Helm: {type: multistring, values: […]}; Puppet: {value: …}; Juju: {default: …, source: user, value: …}.
    let (value, as_text) = match &value.value {
        Raw::Map(members)
            if members
                .iter()
                .any(|(k, v)| k.value == "type" && matches!(&v.value, Raw::Text(t) if t.starts_with("multi"))) =>
        {
            members.iter().find(|(k, _)| k.value == "values").map_or((value, true), |(_, inner)| (inner, true))
        }
        Raw::Map(members) => match shapes::wrapped(members.iter().map(|(key, _)| key.value.as_str())) {
            Some(Wrapped::Value(at)) => (&members[at].1, true),
            Some(Wrapped::Unset) => return,
            None => (value, as_text),
        },
        _ => (value, as_text),
    };
    let node = node(value, id, file);
    yaml.visible.push(key_span.to(node.span));
    let multi = match (group, option) {
        ("pci", "device_spec" | "passthrough_whitelist") => Some(false),
        ("pci", "alias") => Some(true),
        _ => None,
    };
    let Some(is_alias) = multi else {
        let mut text = MappedText::new(id, node.span.start);
        let plain = match &node.value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Int(number) => number.clone(),
            _ => String::new(),
        };
        text.push_replaced(&plain, node.span.start..node.span.end);
        yaml.options.assignments.push(assignment((group, option), key_span, text));
        return;
    };
    let nodes = match node.value {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => vec![node],
    };
    for node in nodes {
        match (&node.value, is_alias) {
            (Value::String(text), _) if as_text => {
                if text.trim().is_empty() {
                    continue;
                }
                if shapes::is_template(text) {
                    yaml.options.findings.push(shapes::template(&key.value, node.span));
                    continue;
                }
                let mapped = shapes::mapped(text, node.span, file);
                match crate::nova::python::json::parse(&mapped).map(|node| node.value) {
                    // The tools write one line for each member.
                    Ok(Value::Array(items)) if is_alias => yaml.aliases.extend(items),
                    _ => yaml.options.assignments.push(assignment((group, option), key_span, mapped)),
                }
            }
            (Value::String(_), _) => yaml.options.findings.push(
                Finding::new(&YAML_SYNTAX, format!("an entry of {} is text, not a mapping", key.value))
                    .at(node.span, "text")
                    .remedy("write it as YAML, without the quotes around it: - {vendor_id: …, product_id: …}"),
            ),
            (_, true) => yaml.aliases.push(node),
            (Value::Array(_), false) => {
                if let Value::Array(items) = node.value {
                    yaml.device_specs.extend(items);
                }
            }
            (_, false) => yaml.device_specs.push(node),
        }
    }
}

fn assignment((group, option): (&str, &str), key: Span, value: MappedText) -> Assignment {
    Assignment {
        section: Spanned::new(group.to_owned(), key),
        key: Spanned::new(option.to_owned(), key),
        value,
        ended_by: End::Next,
    }
}

/// The place of a value. What an alias stands for is where it is defined: there its text can be seen.
fn span<T>(at: &At<T>, id: FileId, file: &SourceFile) -> Span {
    let span = at.defined.span();
    let offset = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    let len = file.text.len();
    let start = offset(span.byte_offset()).unwrap_or(0).min(len);
    let end = start.saturating_add(offset(span.byte_len()).unwrap_or(0)).min(len);
    if file.text.get(start..end).is_some() { Span::new(id, start, end) } else { Span::new(id, 0, 0) }
}

/// Whether a value has a tag before it, which says how it is to be read.
pub(crate) fn is_tagged(file: &SourceFile, place: Span) -> bool {
    let before = file.text[..place.start].split_ascii_whitespace();
    before.rev().take_while(|word| word.starts_with(['!', '&'])).any(|word| word.starts_with('!'))
}

/// A collection's place up to its last value, unless that is an alias defined above.
fn stretch(place: Span, last: Option<Span>) -> Span {
    last.filter(|last| last.start >= place.start).map_or(place, |last| place.to(last))
}

fn node(at: &At<Raw>, id: FileId, file: &SourceFile) -> Node {
    let mut place = span(at, id, file);
    let written = &file.text[place.start..place.end];
    let value = match &at.value {
        Raw::Null => Value::Null,
        Raw::Seq(items) => {
            let items: Vec<Node> = items.iter().map(|item| node(item, id, file)).collect();
            place = stretch(place, items.last().map(|last| last.span));
            Value::Array(items)
        }
        Raw::Map(members) => {
            let members: Vec<Member> = members
                .iter()
                .map(|(key, value)| Member {
                    key: Spanned::new(key.value.clone(), span(key, id, file)),
                    value: node(value, id, file),
                })
                .collect();
            place = stretch(place, members.last().map(|last| last.value.span));
            Value::Object(members)
        }
        Raw::Text(text) => Value::String(text.clone()),
        Raw::Plain(value) if matches!(written, "true" | "True" | "TRUE" | "false" | "False" | "FALSE") => {
            Value::Bool(*value == Scalar::True)
        }
        // What was written counts, not what a YAML reader makes of it: 0154 stays 0154. A lint tells.
        Raw::Plain(_) => Value::String(written.to_owned()),
    };
    Node { span: place, value }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scalar {
    True,
    Other,
}

/// Any YAML value.
#[derive(Debug)]
enum Raw {
    Null,
    /// A scalar that a YAML reader takes for something else than text.
    Plain(Scalar),
    Text(String),
    Seq(Vec<At<Raw>>),
    Map(Vec<(At<String>, At<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(if value { Scalar::True } else { Scalar::Other }))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Scalar::Other))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Scalar::Other))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(Scalar::Other))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain(Scalar::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(Scalar::Other))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Raw::Map(members))
    }
}
