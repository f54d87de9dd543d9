//! The shapes in which deployment tools carry Nova's `[pci]` options: which variables they are, and nova.conf inside YAML.

use crate::model::finding::{Finding, rules};
use crate::nova::oslo::ini::Ini;
use crate::text::{FileId, MappedText, SourceFile, Span};

use super::options;

rules! {
    /// Nothing in the file is an option that pvm reads, so nothing was checked.
    ///
    /// # Meaning
    /// A file with a wrong path or an unknown shape looks like one without device_spec and alias. pvm reads nova.conf
    /// with \[pci\], and YAML with device_spec and alias at the top or under pci at any depth (Helm's conf.nova.pci, also with
    /// type: multistring), NovaPCIPassthrough of TripleO, pci-passthrough-whitelist, pci-device-spec and pci-alias of charms,
    /// nova_device_spec and nova_pci_alias of OpenStack-Ansible, and nova.conf inside a ConfigMap.
    /// # Check by hand
    /// grep -nE 'device_spec|passthrough|whitelist|alias' FILE
    /// # Fix
    /// Name the right file, or write device_spec and alias where pvm looks for them.
    pub(crate) NOTHING_RECOGNISED = "nothing-recognised", Error;
}

/// Keys that are named as similar.
pub(crate) const MOST_SIMILAR: usize = 6;

/// Files of Nova's form that are read inside one YAML file.
pub(crate) const MOST_INNER: usize = 64;

/// What is looked for, in one line.
const LOOKED_FOR: &str = "looked for: device_spec and alias at the top or under pci (also conf.nova.pci), NovaPCIPassthrough, \
    pci-passthrough-whitelist, pci-device-spec, pci-alias, nova_device_spec, nova_pci_passthrough_whitelist, nova_pci_alias, \
    and a nova.conf with [pci] inside";

/// Variables of deployment tools that hold `device_spec`, without their separators.
const DEVICE_SPEC: [&str; 11] = [
    "novapcipassthrough",
    "novapcipassthroughwhitelist",
    "novacomputepcipassthrough",
    "novacomputepcidevicespec",
    "novadevicespec",
    "novapcidevicespec",
    "novadevicespecs",
    "pcipassthroughwhitelist",
    "pcipassthrough",
    "pcidevicespec",
    "edpmnovapcipassthrough",
];

/// Variables that hold `alias`.
const ALIAS: [&str; 7] =
    ["novapcialias", "novapcialiases", "novaapipcialias", "pcialias", "pcialiases", "novaaliases", "edpmnovapcialias"];

/// A file of Nova's own form inside a YAML file.
#[derive(Debug, Clone)]
pub(crate) struct Inner {
    /// The key that holds it.
    pub name: String,
    /// The line it begins on.
    pub line: usize,
    /// Its text.
    pub text: String,
}

/// The option that a variable of a deployment tool holds.
pub(crate) fn option(key: &str) -> Option<&'static str> {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if DEVICE_SPEC.contains(&plain.as_str()) {
        Some("device_spec")
    } else {
        ALIAS.contains(&plain.as_str()).then_some("alias")
    }
}

/// Whether a text under a key is a nova.conf: it has a section and options of it.
pub(crate) fn is_nova_conf(key: &str, text: &str) -> bool {
    let header = |line: &str| line.starts_with('[') && line.trim_end().ends_with(']') && !line.contains(['{', '"']);
    let has_header = text.lines().any(header);
    let named = [".conf", ".ini"].iter().any(|end| key.ends_with(end));
    has_header && text.contains('=') && (named || text.lines().count() > 1)
}

/// Whether a key looks like what is looked for.
pub(crate) fn looks_like_pci(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pci", "passthrough", "whitelist", "device_spec", "device-spec", "devicespec", "sriov"]
        .iter()
        .any(|word| key.contains(word))
}

/// A scalar's text over its place in the file, line by line, as far as it stands there as it is.
pub(crate) fn mapped(text: &str, place: Span, file: &SourceFile) -> MappedText {
    let mut mapped = MappedText::new(place.file, place.start);
    let mut at = place.start;
    for line in text.split_inclusive('\n') {
        let (bare, end) = line.strip_suffix('\n').map_or((line, ""), |bare| (bare, "\n"));
        let Some(offset) = file.text.get(at..place.end).and_then(|rest| rest.find(bare)) else {
            let mut whole = MappedText::new(place.file, place.start);
            whole.push_replaced(text, place.start..place.end);
            return whole;
        };
        mapped.push_verbatim(bare, at + offset);
        at += offset + bare.len();
        mapped.push_replaced(end, at..at);
    }
    mapped
}

/// Whether a file of Nova's own form has `[pci]` or another option that pvm reads.
pub(crate) fn has_options(ini: &Ini) -> bool {
    ini.sections.iter().any(|section| options::normal_section(&section.value) == "pci")
        || ini.assignments.iter().any(|assignment| options::KNOWN.iter().any(|def| def.is_set_by(assignment)))
}

/// What is said of a file in which nothing was recognised.
pub(crate) fn nothing(id: FileId, file: &SourceFile, similar: &[(String, Span)]) -> Finding {
    let empty = file.text.trim_start_matches('\u{feff}').trim().is_empty();
    let message = if empty {
        "the file is empty: nothing was checked"
    } else {
        "nothing in this file is an option that pvm reads: nothing was checked"
    };
    let mut finding = Finding::new(&NOTHING_RECOGNISED, message).at(Span::new(id, 0, 0), "");
    if !similar.is_empty() {
        let named: Vec<String> =
            similar.iter().map(|(path, span)| format!("{path} (line {})", file.position(span.start).line)).collect();
        finding = finding.note(format!("similar: {}", named.join(", ")));
    }
    finding.remedy(LOOKED_FOR)
}
