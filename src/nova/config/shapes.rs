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
    /// type: multistring), variables that end like NovaPCIPassthrough, nova::compute::pci::device_specs,
    /// pci-passthrough-whitelist, pci-device-spec, nova_device_spec, pci-alias and nova_pci_alias, and nova.conf inside a
    /// ConfigMap.
    /// # Check by hand
    /// grep -nE 'device_spec|passthrough|whitelist|alias' FILE
    /// # Fix
    /// Name the right file, or write device_spec and alias where pvm looks for them.
    pub(crate) NOTHING_RECOGNISED = "nothing-recognised", Error;

    /// A key beside those that were checked looks like one of them, and was not read.
    ///
    /// # Meaning
    /// Its name has pci, passthrough, whitelist or sriov in it. pvm does not know what it becomes in nova.conf.
    /// # Check by hand
    /// The nova.conf that the tool wrote.
    /// # Fix
    /// None where it is another program's; else check the nova.conf that the tool writes.
    pub(crate) NOT_READ = "not-read", Info;

    /// A value is a template of a deployment tool, so that it was not checked.
    ///
    /// # Meaning
    /// Ansible, Helm and others make the value when they run: pvm cannot know what Nova gets.
    /// # Check by hand
    /// The nova.conf that the tool wrote, on the host or in the container of nova-compute.
    /// # Fix
    /// Check that file instead, or the variables that the template uses.
    pub(crate) TEMPLATE = "value-template", Error;
}

/// Keys that are named as similar.
pub(crate) const MOST_SIMILAR: usize = 6;

/// Files of Nova's form that are read inside one YAML file.
pub(crate) const MOST_INNER: usize = 64;

/// What is looked for, in one line.
const LOOKED_FOR: &str = "looked for: device_spec and alias at the top or under pci (also conf.nova.pci), NovaPCIPassthrough, \
    pci-passthrough-whitelist, pci-device-spec, pci-alias, nova_device_spec, nova_pci_passthrough_whitelist, nova_pci_alias, \
    and a nova.conf with [pci] inside";

/// How names of variables that hold `device_spec` end, without separators and the `s` of a plural: `NovaPCIPassthrough`,
/// `nova::compute::pci::device_specs`, `pci-passthrough-whitelist`.
const DEVICE_SPEC: [&str; 5] =
    ["pcidevicespec", "novadevicespec", "pcipassthrough", "pcipassthroughwhitelist", "pciwhitelist"];

/// The same for `alias`.
const ALIAS: [&str; 4] = ["pcialias", "pcialiase", "novaalias", "novaaliase"];

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
    let plain = plain.strip_suffix('s').filter(|plain| !plain.ends_with("alia")).unwrap_or(&plain);
    if DEVICE_SPEC.iter().any(|end| plain.ends_with(end)) {
        Some("device_spec")
    } else {
        ALIAS.iter().any(|end| plain.ends_with(end)).then_some("alias")
    }
}

/// The option that a tool's own name under `pci` stands for.
pub(crate) fn option_of_pci(key: &str) -> Option<&'static str> {
    option(&format!("pci_{key}"))
}

/// What a mapping around a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapped {
    /// The value is that member.
    Value(usize),
    /// An option of Juju that nobody set.
    Unset,
}

/// Whether a mapping is a tool's description of an option, by its keys, and not an entry.
pub(crate) fn wrapped<'k>(keys: impl Iterator<Item = &'k str>) -> Option<Wrapped> {
    const AROUND: [&str; 6] = ["value", "default", "description", "source", "type", "secret"];
    let keys: Vec<&str> = keys.collect();
    if keys.is_empty() || !keys.iter().all(|key| AROUND.contains(key)) {
        return None;
    }
    Some(keys.iter().position(|key| *key == "value").map_or(Wrapped::Unset, Wrapped::Value))
}

/// Whether a text is what a tool makes a value of: Jinja, Helm, shell.
pub(crate) fn is_template(text: &str) -> bool {
    let text = text.trim();
    ["{{", "{%", "${", "<%"].iter().any(|begin| text.starts_with(begin))
}

/// What is said of such a text.
pub(crate) fn template(key: &str, place: Span) -> Finding {
    Finding::new(&TEMPLATE, format!("{key} is a template: what Nova gets is not known"))
        .at(place, "a template")
        .remedy("check the nova.conf that the tool writes")
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

/// What is said of keys that look like what is looked for beside some that were read.
pub(crate) fn unread(similar: &[(String, Span)]) -> impl Iterator<Item = Finding> {
    similar.iter().map(|(path, span)| {
        Finding::new(&NOT_READ, format!("{path} is no option that pvm reads: it was not checked")).at(*span, "not read")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_known_by_how_they_end() {
        for key in [
            "NovaPCIPassthrough",
            "nova::compute::pci::device_specs",
            "nova::compute::pci::passthrough",
            "pci-passthrough-whitelist",
            "pci-device-spec",
            "nova_device_spec",
            "nova_device_specs",
            "nova_pci_passthrough_whitelist",
            "pci/device_spec",
            "edpm_nova_pci_passthrough",
        ] {
            assert_eq!(option(key), Some("device_spec"), "{key}");
        }
        for key in ["pci-alias", "nova::pci::aliases", "nova_pci_alias", "pci/alias", "nova_aliases", "NovaPciAliases"]
        {
            assert_eq!(option(key), Some("alias"), "{key}");
        }
        for key in ["alias", "bash_aliases", "device_spec", "pci", "pcis", "sriov_agent", "passthroughs", ""] {
            assert_eq!(option(key), None, "{key}");
        }
        assert_eq!((option_of_pci("aliases"), option_of_pci("device_specs")), (Some("alias"), Some("device_spec")));
        assert_eq!(option_of_pci("report_in_placement"), None);
    }

    #[test]
    fn a_description_of_an_option_is_no_entry() {
        assert_eq!(wrapped(["default", "source", "value"].into_iter()), Some(Wrapped::Value(2)));
        assert_eq!(wrapped(["default", "type"].into_iter()), Some(Wrapped::Unset));
        assert_eq!(wrapped(["value", "vendor_id"].into_iter()), None);
        assert_eq!(wrapped([].into_iter()), None);
    }

    #[test]
    fn templates_are_no_values() {
        assert!(["{{ x }}", " {% for x %}", "${PCI}", "<%= x %>"].into_iter().all(is_template));
        assert!(!["{\"name\": \"{{\"}", "[{}]", ""].into_iter().any(is_template));
    }
}
