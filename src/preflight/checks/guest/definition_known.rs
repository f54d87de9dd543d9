//! The destination's libvirt knows what the definition says.

use roxmltree::{Document, Node};

use super::prelude::*;
use crate::model::known::Origin;

check! {
    /// The destination's libvirt does not know an element of the guest's definition.
    ///
    /// # Meaning
    /// An older libvirt refuses some elements of a newer one's definition, and drops others, so that QEMU is started with
    /// other hardware and refuses the guest's state. pvm knows of these from which version of libvirt on they are understood.
    /// # Check by hand
    /// virsh -c URI version --daemon; the element in virsh dumpxml GUEST.
    /// # Fix
    /// Upgrade libvirt on the destination, or take the element out of the definition and start the guest anew.
    "definition-known": Error, Instance(run), rechecked
}

/// Something that a definition can have, and the first libvirt that knows it.
struct Newer {
    /// The element, from below `<domain>`.
    path: &'static [&'static str],
    /// An attribute of it, and its value where that matters.
    attribute: Option<(&'static str, &'static str)>,
    /// An attribute and its value with which libvirt leaves the element out of what it sends.
    unsent: Option<(&'static str, &'static str)>,
    first: (u64, u64, u64),
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

const fn newer(
    path: &'static [&'static str],
    attribute: Option<(&'static str, &'static str)>,
    first: (u64, u64, u64),
) -> Newer {
    let origin = Origin::new("libvirt's NEWS, New features", "libvirt 11.3.0, 2026-11-28");
    Newer { path, attribute, unsent: None, first, origin }
}

/// Every machine of type q35 has this watchdog, which libvirt leaves out where it resets the guest (moved from 11.3 to 9.0).
const ITCO: Newer =
    Newer { unsent: Some(("action", "reset")), ..newer(&["devices", "watchdog"], Some(("model", "itco")), (9, 1, 0)) };

const NEWER: &[Newer] = &[
    newer(&["devices", "crypto"], None, (9, 1, 0)),
    newer(&["devices", "panic"], Some(("model", "pvpanic")), (9, 1, 0)),
    ITCO,
    newer(&["os", "loader"], Some(("format", "qcow2")), (9, 2, 0)),
    newer(&["os", "nvram"], Some(("format", "qcow2")), (9, 2, 0)),
    newer(&["devices", "disk"], Some(("type", "vhostvdpa")), (9, 8, 0)),
    newer(&["devices", "sound"], Some(("model", "virtio")), (10, 4, 0)),
    newer(&["devices", "pstore"], None, (10, 6, 0)),
    newer(&["features", "hyperv", "emsr_bitmap"], Some(("state", "on")), (10, 7, 0)),
    newer(&["features", "hyperv", "xmm_input"], Some(("state", "on")), (10, 7, 0)),
    newer(&["features", "ps2"], None, (10, 7, 0)),
    newer(&["features", "hyperv", "tlbflush", "direct"], Some(("state", "on")), (11, 0, 0)),
    newer(&["features", "hyperv", "tlbflush", "extended"], Some(("state", "on")), (11, 0, 0)),
];

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let host = instance.destination();
    let Some(has) = host.libvirt.as_deref().and_then(version) else { return Vec::new() };
    let wanted: Vec<&Newer> = NEWER.iter().filter(|newer| has < newer.first).collect();
    if wanted.is_empty() {
        return vec![Verdict::pass()];
    }
    let Some(document) = instance.domain.xml.as_deref().and_then(|xml| Document::parse(xml).ok()) else {
        return Vec::new();
    };
    let mut verdicts: Vec<_> = wanted
        .into_iter()
        .filter(|newer| is_in(document.root_element(), newer.path, newer))
        .map(|Newer { path, attribute, first: (major, minor, micro), .. }| {
            let attribute = attribute.map_or(String::new(), |(name, value)| format!(" {name}='{value}'"));
            Verdict::fail(format!(
                "libvirt {} on {} does not know <{}{attribute}>, which came with {major}.{minor}.{micro}",
                host.libvirt.as_deref().unwrap_or_default(),
                name(host),
                path.last().unwrap_or(&"domain")
            ))
        })
        .collect();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

fn is_in(node: Node<'_, '_>, path: &[&str], newer: &Newer) -> bool {
    let Some((first, rest)) = path.split_first() else {
        let has = |(name, value)| node.attribute(name) == Some(value);
        return newer.attribute.is_none_or(has) && !newer.unsent.is_some_and(has);
    };
    node.children().filter(|child| child.tag_name().name() == *first).any(|child| is_in(child, rest, newer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_origin() {
        assert!(NEWER.iter().all(|newer| newer.origin.is_complete() && !newer.path.is_empty()));
    }

    #[test]
    fn an_element_is_found_where_it_stands_and_nowhere_else() {
        let document = Document::parse(
            "<domain><os><loader format='raw'/><nvram format='qcow2'/></os><metadata><pstore/></metadata>\
             <devices><watchdog model='itco' action='reset'/></devices>\
             <features><hyperv><xmm_input state='off'/></hyperv><ps2 state='off'/></features></domain>",
        )
        .unwrap();
        let found = |document: &Document<'_>| -> Vec<_> {
            let found = NEWER.iter().filter(|newer| is_in(document.root_element(), newer.path, newer));
            found.map(|newer| newer.path.join("/")).collect()
        };
        assert_eq!(found(&document), ["os/nvram", "features/ps2"]);
        let stops = "<domain><devices><watchdog model='itco' action='poweroff'/></devices></domain>";
        assert_eq!(found(&Document::parse(stops).unwrap()), ["devices/watchdog"]);
    }
}
