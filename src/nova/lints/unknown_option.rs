//! An option Nova does not read.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::near_miss::near_miss;
use crate::nova::config::device_spec::MATCHING_KEYS;
use crate::nova::config::options::{self, KNOWN};
use crate::nova::oslo::ini::Assignment;
use crate::nova::python::json;
use crate::nova::python::node::Value;

lint! {
    /// An option that Nova does not read stands in [pci], or one it reads stands elsewhere.
    ///
    /// # Meaning
    /// Nova ignores options and sections it does not know, silently. dev_spec is such a name, although Nova's own guide
    /// to live migration shows it: the option is device_spec. Names are case-sensitive; [ pci ] with blanks is another
    /// section than [pci].
    /// # Check by hand
    /// nova-compute logs its options at start with debug = true.
    /// # Fix
    /// Write the name as the finding says.
    "unknown-option": Warning, run
}

/// Names Nova has, or had once.
const NAMES: [&str; 4] = ["device_spec", "alias", "report_in_placement", "passthrough_whitelist"];

/// Names that people write for `device_spec`.
const MEANT: [&str; 6] =
    ["dev_spec", "device_specs", "devspec", "whitelist", "pci_whitelist", "pci_passthrough_whitelist"];

/// Names that people write for `alias`: the old one, and plurals.
const MEANT_ALIAS: [&str; 4] = ["pci_alias", "aliases", "pci_aliases", "device_alias"];

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for assignment in subject.config.files.iter().flat_map(|file| &file.assignments) {
        let section = options::normal_section(&assignment.section.value);
        let key = assignment.key.value.as_str();
        if section == "pci" {
            // A key that looks like JSON is the rest of a value that was cut, which has its own finding.
            if !key.starts_with(['"', '\'', '{', '}', '[', ']']) && !KNOWN.iter().any(|def| def.is_set_by(assignment)) {
                found.push(unknown(assignment));
            }
            continue;
        }
        let elsewhere = KNOWN.iter().find(|def| def.name == key && def.group != section && def.group != "DEFAULT");
        let blank = section.trim() == "pci";
        if let Some(def) =
            elsewhere.filter(|_| blank || section == "DEFAULT" || KNOWN.iter().any(|d| d.group == section))
        {
            let place = if blank {
                "in a section that is not [pci]: blanks count".to_owned()
            } else {
                format!("in [{section}]")
            };
            found.push(
                Finding::new(&RULE, format!("{key} stands {place}, where Nova does not read it"))
                    .at(assignment.key.span, "ignored")
                    .remedy(format!("move it to [{}]", def.group)),
            );
        }
    }
}

/// Which option takes such a value: an alias has a name, a `device_spec` what a device has.
fn by_value(assignment: &Assignment) -> Option<&'static str> {
    let node = json::parse(&assignment.value).ok()?;
    let entry = match &node.value {
        Value::Array(entries) => entries.first()?,
        _ => &node,
    };
    if entry.get("name").is_some() {
        return Some("alias");
    }
    MATCHING_KEYS.iter().any(|key| entry.get(key).is_some()).then_some("device_spec")
}

fn unknown(assignment: &Assignment) -> Finding {
    let key = assignment.key.value.as_str();
    let near = if MEANT.contains(&key) {
        Some("device_spec")
    } else if MEANT_ALIAS.contains(&key) {
        Some("alias")
    } else {
        near_miss(key, &NAMES).or_else(|| by_value(assignment))
    };
    let near = near.or_else(|| KNOWN.iter().find(|def| def.name == key).map(|def| def.name));
    let home = KNOWN.iter().find(|def| Some(def.name) == near).map_or("pci", |def| def.group);
    let finding = Finding::new(&RULE, format!("Nova has no option '{key}' in [pci] and ignores it"));
    match near {
        Some(near) if home == "pci" => {
            finding.at(assignment.key.span, format!("did you mean {near}?")).remedy(format!("{near} = …"))
        }
        Some(near) => finding.at(assignment.key.span, "ignored here").remedy(format!("move {near} to [{home}]")),
        None => finding
            .at(assignment.key.span, "ignored")
            .remedy("remove it; [pci] has device_spec, alias and report_in_placement"),
    }
}
