//! An old name that Nova still reads.

use super::Subject;
use crate::model::finding::Finding;
use crate::nova::config::options::{ALIAS, DEVICE_SPEC};

lint! {
    /// An option is written with a deprecated name.
    ///
    /// # Meaning
    /// Nova still reads [pci] passthrough_whitelist, [DEFAULT] pci_passthrough_whitelist and [DEFAULT] pci_alias.
    /// Within one file the oldest name comes first, wherever it stands, and the first spec that matches a device wins.
    /// # Check by hand
    /// grep -nE 'passthrough_whitelist|pci_alias' FILE
    /// # Fix
    /// [pci] device_spec and [pci] alias.
    "deprecated-option": Info, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for assignment in subject.config.files.iter().flat_map(|file| &file.assignments) {
        for def in [&DEVICE_SPEC, &ALIAS] {
            if def.is_set_by(assignment) && assignment.key.value != def.name {
                found.push(
                    Finding::new(&RULE, format!("{} is an old name of [pci] {}", assignment.key.value, def.name))
                        .at(assignment.key.span, "deprecated")
                        .note("within one file Nova reads the old names first, whatever the order of the lines")
                        .remedy(format!("[pci] {} = …", def.name)),
                );
            }
        }
    }
}
