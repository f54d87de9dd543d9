//! Nova's options over several files (`oslo_config/cfg.py`): which name counts, in which order, which value wins.

use crate::nova::oslo::ini::{Assignment, Ini};

/// An option pvm knows, with the deprecated names Nova still reads.
#[derive(Debug)]
pub struct OptionDef {
    /// Group as oslo.config writes it.
    pub group: &'static str,
    /// Name.
    pub name: &'static str,
    /// Every accepted (group, name), the oldest first: that is also the order within one file.
    pub names: &'static [(&'static str, &'static str)],
    /// How its value is read.
    pub kind: Kind,
}

/// How an option's value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every occurrence counts.
    Multi,
    /// `true 1 on yes`, `false 0 off no` in any case; the last one wins.
    Boolean(bool),
    /// A whole number, with Nova's default and the least it accepts; the last one wins.
    Integer(i64, i64),
    /// One of these words in exactly this case, the first of which is Nova's default; the last one wins.
    Choice(&'static [&'static str]),
    /// Any text; the last one wins.
    Text,
}

/// `[pci] device_spec`.
pub(crate) const DEVICE_SPEC: OptionDef = OptionDef {
    group: "pci",
    name: "device_spec",
    names: &[("DEFAULT", "pci_passthrough_whitelist"), ("pci", "passthrough_whitelist"), ("pci", "device_spec")],
    kind: Kind::Multi,
};
/// `[pci] alias`.
pub(crate) const ALIAS: OptionDef =
    OptionDef { group: "pci", name: "alias", names: &[("DEFAULT", "pci_alias"), ("pci", "alias")], kind: Kind::Multi };
/// `[pci] report_in_placement`.
pub const REPORT_IN_PLACEMENT: OptionDef =
    single("pci", "report_in_placement", Kind::Boolean(false), &[("pci", "report_in_placement")]);
/// `[filter_scheduler] pci_in_placement`.
pub const PCI_IN_PLACEMENT: OptionDef =
    single("filter_scheduler", "pci_in_placement", Kind::Boolean(false), &[("filter_scheduler", "pci_in_placement")]);
/// `[libvirt] live_migration_permit_post_copy`.
pub(crate) const POST_COPY: OptionDef = single(
    "libvirt",
    "live_migration_permit_post_copy",
    Kind::Boolean(false),
    &[("libvirt", "live_migration_permit_post_copy")],
);
/// `[libvirt] live_migration_downtime`, milliseconds.
pub(crate) const DOWNTIME: OptionDef =
    single("libvirt", "live_migration_downtime", Kind::Integer(500, 100), &[("libvirt", "live_migration_downtime")]);
/// `[libvirt] live_migration_tunnelled`.
pub(crate) const TUNNELLED: OptionDef =
    single("libvirt", "live_migration_tunnelled", Kind::Boolean(false), &[("libvirt", "live_migration_tunnelled")]);
/// `[libvirt] live_migration_timeout_action`.
pub(crate) const TIMEOUT_ACTION: OptionDef = single(
    "libvirt",
    "live_migration_timeout_action",
    Kind::Choice(&["abort", "force_complete"]),
    &[("libvirt", "live_migration_timeout_action")],
);
/// `[libvirt] live_migration_parallel_connections`.
pub(crate) const PARALLEL_CONNECTIONS: OptionDef = single(
    "libvirt",
    "live_migration_parallel_connections",
    Kind::Integer(1, 1),
    &[("libvirt", "live_migration_parallel_connections")],
);
/// `[DEFAULT] host`: `$host` in values.
pub(crate) const HOST: OptionDef = single("DEFAULT", "host", Kind::Text, &[("DEFAULT", "host")]);
/// `[DEFAULT] my_ip`: `$my_ip` in values.
pub(crate) const MY_IP: OptionDef = single("DEFAULT", "my_ip", Kind::Text, &[("DEFAULT", "my_ip")]);

/// Every option whose lines may be shown.
pub(crate) const KNOWN: [&OptionDef; 11] = [
    &DEVICE_SPEC,
    &ALIAS,
    &REPORT_IN_PLACEMENT,
    &PCI_IN_PLACEMENT,
    &POST_COPY,
    &DOWNTIME,
    &TUNNELLED,
    &TIMEOUT_ACTION,
    &PARALLEL_CONNECTIONS,
    &HOST,
    &MY_IP,
];

const fn single(
    group: &'static str,
    name: &'static str,
    kind: Kind,
    names: &'static [(&'static str, &'static str)],
) -> OptionDef {
    OptionDef { group, name, names, kind }
}

/// A section's name as oslo.config compares it: lower case, but `DEFAULT` only so.
pub(crate) fn normal_section(name: &str) -> String {
    if name == "DEFAULT" { name.to_owned() } else { name.to_lowercase() }
}

impl OptionDef {
    /// Whether an assignment sets this option, by any of its names.
    pub fn is_set_by(&self, assignment: &Assignment) -> bool {
        self.names.iter().any(|name| is_named(assignment, *name))
    }

    /// Every occurrence in Nova's order: earlier files first, within a file the oldest name first.
    pub fn occurrences<'a>(&self, files: &'a [Ini]) -> Vec<&'a Assignment> {
        let mut found = Vec::new();
        for file in files {
            for name in self.names {
                found.extend(file.assignments.iter().filter(|a| is_named(a, *name)));
            }
        }
        found
    }

    /// The occurrence that counts for an option with one value: in the last file, under the newest name, the last one.
    pub fn effective<'a>(&self, files: &'a [Ini]) -> Option<&'a Assignment> {
        files.iter().rev().find_map(|file| {
            self.names.iter().rev().find_map(|name| file.assignments.iter().rev().find(|a| is_named(a, *name)))
        })
    }
}

fn is_named(assignment: &Assignment, (group, name): (&str, &str)) -> bool {
    assignment.key.value == name && normal_section(&assignment.section.value) == group
}

/// oslo.config's boolean words.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}
