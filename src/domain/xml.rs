//! Parsing with limits, and libvirt's way to write numbers and addresses.

use roxmltree::{Document, Node, ParsingOptions};

use crate::model::pci::PciAddress;

/// No guest's definition comes near it; what does is not a definition.
const MOST_BYTES: usize = 4 << 20;
const MOST_NODES: u32 = 200_000;
/// libvirt's own parser takes no deeper document.
const DEEPEST: usize = 256;
/// The parser compares each attribute of an element with all before it.
const MOST_ATTRIBUTES: usize = 4096;

/// Why a text cannot be read or rewritten as a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Not well-formed, or with a document type.
    #[error("the domain XML cannot be parsed: {0}")]
    NotXml(String),
    /// Larger than any definition.
    #[error("the domain XML is larger than any guest's definition")]
    TooLarge,
    /// Well-formed, but something else.
    #[error("the XML is not a libvirt domain: its root element is <{0}>")]
    NotADomain(String),
    /// A host address with a field that is no number or out of range.
    #[error("a <{element}> has a host address that is no PCI address")]
    BadAddress {
        /// `hostdev` or `interface`.
        element: String,
    },
    /// The same host device twice in one definition.
    #[error("host device {0} occurs twice in the domain XML")]
    TwiceInXml(PciAddress),
    /// One source device with two destinations.
    #[error("the device map has host device {0} twice as a source")]
    SourceTwice(PciAddress),
    /// Two source devices with one destination.
    #[error("the device map has host device {0} twice as a destination")]
    DestinationTwice(PciAddress),
    /// A mapped device that the guest does not have.
    #[error("the device map names host device {0}, which the domain XML does not have")]
    NotFound(PciAddress),
    /// A device of the guest that the map leaves out.
    #[error("host device {0} of the guest has no place on the destination")]
    Unmapped(PciAddress),
}

/// Parses a domain definition. Document types are refused, so there are no entities beyond XML's own five.
pub(super) fn parse(text: &str) -> Result<Document<'_>, XmlError> {
    if text.len() > MOST_BYTES
        || text.split('<').any(|piece| piece.bytes().filter(|b| *b == b'=').count() > MOST_ATTRIBUTES)
    {
        return Err(XmlError::TooLarge);
    }
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|e| match e {
        roxmltree::Error::NodesLimitReached => XmlError::TooLarge,
        other => XmlError::NotXml(other.to_string()),
    })?;
    if is_too_deep(&document) {
        return Err(XmlError::TooLarge);
    }
    let root = document.root_element();
    if is(root, "domain") { Ok(document) } else { Err(XmlError::NotADomain(root.tag_name().name().to_owned())) }
}

/// Whether elements stand in each other so often that whoever walks down from one to the next runs out of stack.
fn is_too_deep(document: &Document<'_>) -> bool {
    let mut around = Vec::new();
    document.root_element().descendants().filter(Node::is_element).any(|element| {
        let parent = element.parent().map(|parent| parent.id());
        while !around.is_empty() && around.last().copied() != parent {
            around.pop();
        }
        around.push(element.id());
        around.len() > DEEPEST
    })
}

/// Whether `node` is libvirt's element of that name: its elements have no namespace.
pub(super) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().namespace().is_none() && node.tag_name().name() == name
}

/// The first child element of that name.
pub(super) fn child<'a, 'i: 'a>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| is(*child, name))
}

/// The attribute `name` of the child `element`.
pub(crate) fn attribute(node: Node<'_, '_>, element: &str, name: &str) -> Option<String> {
    child(node, element)?.attribute(name).map(str::to_owned)
}

/// Every element below `<devices>`.
pub(super) fn devices<'a, 'i: 'a>(document: &'a Document<'i>) -> impl Iterator<Item = Node<'a, 'i>> + 'a {
    document
        .root_element()
        .children()
        .filter(|node| is(*node, "devices"))
        .flat_map(|devices| devices.children().filter(Node::is_element))
}

/// Trimmed text of a child element.
pub(super) fn text_of<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    child(node, name).and_then(|child| child.text()).map(str::trim).filter(|text| !text.is_empty())
}

/// A number as libvirt reads it (`strtoul` with base 0): hexadecimal, octal or decimal.
pub(super) fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

/// The PCI address an `<address>` element writes; a missing field is 0, as in libvirt.
pub(super) fn address(node: Node<'_, '_>) -> Option<PciAddress> {
    let field = |name: &str| node.attribute(name).map_or(Some(0), number);
    let byte = |name: &str| field(name).and_then(|n| u8::try_from(n).ok());
    PciAddress::new(field("domain")?, byte("bus")?, byte("slot")?, byte("function")?)
}

/// The element with the host address of a `<hostdev type='pci'>` or an `<interface type='hostdev'>`.
pub(super) fn source_address<'a, 'i: 'a>(device: Node<'a, 'i>) -> Option<Node<'a, 'i>> {
    let address = child(child(device, "source")?, "address")?;
    (address.attribute("type").is_none_or(|kind| kind == "pci") && !address.has_attribute("uuid")).then_some(address)
}

/// Whether `device` is a `<hostdev>` for a PCI function.
pub(super) fn is_pci_hostdev(device: Node<'_, '_>) -> bool {
    is(device, "hostdev") && device.attribute("type") == Some("pci")
}

/// Whether `device` is an `<interface>` that is a PCI function of the host.
pub(super) fn is_hostdev_interface(device: Node<'_, '_>) -> bool {
    is(device, "interface") && device.attribute("type") == Some("hostdev")
}

/// libvirt's words for a switch.
pub(super) fn switch(text: &str) -> Option<bool> {
    match text {
        "yes" | "on" => Some(true),
        "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_libvirt_does() {
        for (text, value) in
            [("0x81", Some(0x81)), ("0", Some(0)), ("129", Some(129)), ("010", Some(8)), ("0X1F", Some(31))]
        {
            assert_eq!(number(text), value, "{text}");
        }
        for text in ["", "0x", "-1", "+1", "0x100000000", "08", "1 ", "a"] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_domain() {
        assert_eq!(parse("<network/>").unwrap_err(), XmlError::NotADomain("network".into()));
        assert_eq!(parse("<domain xmlns='urn:x'/>").unwrap_err(), XmlError::NotADomain("domain".into()));
        for text in ["", "<domain>", "<!DOCTYPE d [<!ENTITY a 'b'>]><domain>&a;</domain>", "\0"] {
            assert!(matches!(parse(text), Err(XmlError::NotXml(_))), "{text:?}");
        }
    }

    #[test]
    fn hostile_sizes_end_soon() {
        let deep = "<domain>".to_owned() + &"<a>".repeat(1_000_000);
        assert_eq!(parse(&deep).unwrap_err(), XmlError::TooLarge);
        for levels in [DEEPEST - 1, DEEPEST] {
            let nested = format!("<domain>{}{}</domain>", "<a>".repeat(levels), "</a>".repeat(levels));
            assert_eq!(parse(&nested).is_ok(), levels < DEEPEST, "{levels}");
        }
        let wide = format!("<domain{}/>", " a=''".repeat(100_000));
        assert_eq!(parse(&wide).unwrap_err(), XmlError::TooLarge);
    }
}
