//! A domain's text with other host devices: every address at once, nothing else touched.
//!
//! Nova replaces one address after another in the changing document, so that a device can be replaced twice
//! (`nova/virt/libvirt/migration.py`, `_update_pci_dev_xml`). Here all edits are taken from the original and spliced in
//! together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use roxmltree::Node;

use super::xml::{self, XmlError};
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;

/// Interfaces that are not mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interfaces {
    /// An error like any other host device.
    #[default]
    MustBeMapped,
    /// Left alone: they are ports, detached before the guest moves (Nova's way).
    MayStay,
}

/// The running guest's XML for the destination. Refused when a PCI host device is left without a place, when the map names
/// one that is not there, and when an address occurs twice. Mediated devices are not PCI functions and stay as they are.
pub fn rewrite<'a>(
    text: &str,
    moves: impl IntoIterator<Item = &'a DeviceMove>,
    interfaces: Interfaces,
) -> Result<String, XmlError> {
    let (rewritten, unmapped) = splice(text, &injective(moves)?, interfaces, Missing::Refuse)?;
    match unmapped.first() {
        Some(address) => Err(XmlError::Unmapped(*address)),
        None => Ok(rewritten),
    }
}

/// The persistent XML for the destination, and the host devices in it that the running guest does not have: those keep the
/// source's address, and the next boot would ask for it.
pub(crate) fn rewrite_persistent(text: &str, map: &[DeviceMove]) -> Result<(String, Vec<PciAddress>), XmlError> {
    splice(text, &injective(map)?, Interfaces::MustBeMapped, Missing::Ignore)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Refuse,
    Ignore,
}

type Edit = (Range<usize>, String);
type Moves<'a> = BTreeMap<PciAddress, &'a DeviceMove>;

fn splice(
    text: &str,
    by_source: &Moves<'_>,
    interfaces: Interfaces,
    missing: Missing,
) -> Result<(String, Vec<PciAddress>), XmlError> {
    let document = xml::parse(text)?;
    let mut edits: Vec<Edit> = Vec::new();
    let mut unmapped = Vec::new();
    let mut seen = BTreeSet::new();
    for device in xml::devices(&document) {
        let interface = xml::is_hostdev_interface(device);
        if !interface && !xml::is_pci_hostdev(device) {
            continue;
        }
        let Some(element) = xml::source_address(device) else { continue };
        let from = xml::address(element)
            .ok_or_else(|| XmlError::BadAddress { element: device.tag_name().name().to_owned() })?;
        if !seen.insert(from) {
            return Err(XmlError::TwiceInXml(from));
        }
        match by_source.get(&from) {
            Some(moved) => {
                edit_address(element, moved.destination, &mut edits);
                edit_managed(device, moved.managed, &mut edits);
                edit_driver(device, moved.driver_model.as_deref(), text, &mut edits);
            }
            None if interface && interfaces == Interfaces::MayStay => {}
            None => unmapped.push(from),
        }
    }
    if missing == Missing::Refuse
        && let Some(address) = by_source.keys().find(|address| !seen.contains(address))
    {
        return Err(XmlError::NotFound(*address));
    }
    Ok((apply(text, edits), unmapped))
}

fn injective<'a>(moves: impl IntoIterator<Item = &'a DeviceMove>) -> Result<Moves<'a>, XmlError> {
    let (mut by_source, mut destinations) = (Moves::new(), BTreeSet::new());
    for moved in moves {
        if by_source.insert(moved.source, moved).is_some() {
            return Err(XmlError::SourceTwice(moved.source));
        }
        if !destinations.insert(moved.destination) {
            return Err(XmlError::DestinationTwice(moved.destination));
        }
    }
    Ok(by_source)
}

fn edit_address(element: Node<'_, '_>, to: PciAddress, edits: &mut Vec<Edit>) {
    let fields = [
        ("domain", to.domain, 4),
        ("bus", u32::from(to.bus), 2),
        ("slot", u32::from(to.slot), 2),
        ("function", u32::from(to.function), 1),
    ];
    for (name, value, width) in fields {
        match element.attribute_node(name) {
            // A number that is right already keeps its spelling.
            Some(attribute) if xml::number(attribute.value()) == Some(value) => {}
            Some(attribute) => edits.push((attribute.range_value(), format!("0x{value:0width$x}"))),
            None if value == 0 => {}
            None => edits.push((behind_name(element), format!(" {name}='0x{value:0width$x}'"))),
        }
    }
}

fn edit_managed(device: Node<'_, '_>, wanted: Option<bool>, edits: &mut Vec<Edit>) {
    let Some(wanted) = wanted else { return };
    let word = if wanted { "yes" } else { "no" };
    match device.attribute_node("managed") {
        Some(attribute) if xml::switch(attribute.value()) == Some(wanted) => {}
        Some(attribute) => edits.push((attribute.range_value(), word.to_owned())),
        // libvirt's default is no.
        None if !wanted => {}
        None => edits.push((behind_name(device), format!(" managed='{word}'"))),
    }
}

fn edit_driver(device: Node<'_, '_>, wanted: Option<&str>, text: &str, edits: &mut Vec<Edit>) {
    let Some(wanted) = wanted else { return };
    let value = escaped(wanted);
    let Some(driver) = xml::child(device, "driver") else {
        // In front of <source>, with the white space that precedes it.
        let Some(source) = xml::child(device, "source") else { return };
        let start = source.range().start;
        let indent = text[..start].len() - text[..start].trim_end().len();
        edits.push((start..start, format!("<driver model='{value}'/>{}", &text[start - indent..start])));
        return;
    };
    match driver.attribute_node("model") {
        Some(attribute) if attribute.value() == wanted => {}
        Some(attribute) => edits.push((attribute.range_value(), value)),
        None => edits.push((behind_name(driver), format!(" model='{value}'"))),
    }
}

/// The empty range just behind the name in an element's start tag. libvirt's elements have no prefix.
fn behind_name(element: Node<'_, '_>) -> Range<usize> {
    let at = element.range().start + 1 + element.tag_name().name().len();
    at..at
}

fn escaped(value: &str) -> String {
    let mut safe = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\'' => safe.push_str("&apos;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    // Stable: insertions at one place keep the order in which they were made.
    edits.sort_by_key(|(range, _)| range.start);
    let mut result = String::with_capacity(text.len() + 64);
    let mut at = 0;
    for (range, replacement) in edits {
        result.push_str(&text[at..range.start]);
        result.push_str(&replacement);
        at = range.end;
    }
    result.push_str(&text[at..]);
    result
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
