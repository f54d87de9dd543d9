//! The mark of a migration in the guest's live metadata. It travels with the guest: a lock that every machine sees, and a
//! second copy of what has to be plugged in again, should the journal be out of reach. Pure.

use std::fmt::Write as _;

use super::record::{Host, Port};
use crate::model::pci::PciAddress;
use crate::model::policy;

/// The element `pvm:migration`. It holds no secrets: XML of ports has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mark {
    /// The migration's id, which is its journal's name.
    pub id: String,
    /// The phase when it was written, in the engine's word.
    pub phase: String,
    /// The machine that has the journal.
    pub machine: String,
    /// Where the guest was, by that machine's names.
    pub source: Host,
    /// Where it goes.
    pub destination: Host,
    /// The ports that are unplugged for the migration.
    pub ports: Vec<Marked>,
    /// The attributes of the guest's policy, whose place the mark takes: libvirt keeps one element of a namespace.
    pub policy: Vec<(String, String)>,
}

/// A port in a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Its address on the source.
    pub source: PciAddress,
    /// What to plug in on the source.
    pub source_xml: String,
    /// What to plug in on the destination.
    pub destination_xml: String,
}

impl Marked {
    /// What a mark keeps of a port.
    pub(crate) fn of(port: &Port) -> Self {
        Self { source: port.source, source_xml: port.source_xml.clone(), destination_xml: port.destination_xml.clone() }
    }
}

impl Mark {
    /// As libvirt takes it, which adds prefix and namespace.
    pub(crate) fn element(&self) -> String {
        let mut xml = String::from("<migration");
        for (name, value) in [
            ("id", Some(&self.id)),
            ("phase", Some(&self.phase)),
            ("machine", Some(&self.machine)),
            ("source", Some(&self.source.name)),
            ("source-uri", Some(&self.source.uri)),
            ("source-uuid", self.source.uuid.as_ref()),
            ("destination", Some(&self.destination.name)),
            ("destination-uri", Some(&self.destination.uri)),
            ("destination-uuid", self.destination.uuid.as_ref()),
        ] {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(xml, " {name}=\"{}\"", escaped(value));
            }
        }
        xml.push('>');
        for port in &self.ports {
            let (there, here) = (escaped(&port.source_xml), escaped(&port.destination_xml));
            let _ = write!(
                xml,
                "<port address=\"{}\"><source>{there}</source><destination>{here}</destination></port>",
                port.source
            );
        }
        xml.extend(self.policy());
        xml.push_str("</migration>");
        xml
    }

    /// The element of the guest's policy, as it was found.
    pub(crate) fn policy(&self) -> Option<String> {
        let attribute = |(name, value): &(String, String)| format!(" {name}=\"{}\"", escaped(value));
        let attributes: String = self.policy.iter().map(attribute).collect();
        (!attributes.is_empty()).then(|| format!("<policy{attributes}/>"))
    }

    /// Of an element of a guest's metadata.
    pub(crate) fn of(root: roxmltree::Node<'_, '_>) -> Option<Self> {
        if root.tag_name().name() != "migration" {
            return None;
        }
        let attribute = |name| root.attribute(name).map(str::to_owned);
        let host = |name, uri, uuid| Some(Host { name: attribute(name)?, uri: attribute(uri)?, uuid: attribute(uuid) });
        let ports = root.children().filter(|node| node.tag_name().name() == "port").map(|node| {
            let text = |name| {
                let element = node.children().find(|child| child.tag_name().name() == name)?;
                Some(element.text().unwrap_or_default().to_owned())
            };
            Some(Marked {
                source: node.attribute("address")?.parse().ok()?,
                source_xml: text("source")?,
                destination_xml: text("destination")?,
            })
        });
        Some(Self {
            // It stands in lines to paste: nothing but what pvm itself makes ids of.
            id: attribute("id").filter(|id| is_id(id))?,
            phase: attribute("phase")?,
            machine: attribute("machine")?,
            source: host("source", "source-uri", "source-uuid")?,
            destination: host("destination", "destination-uri", "destination-uuid")?,
            ports: ports.collect::<Option<_>>()?,
            policy: policy_of(root),
        })
    }
}

/// The attributes of the policy in an element of a guest's metadata; none: there is no policy.
pub(crate) fn policy_of(element: roxmltree::Node<'_, '_>) -> Vec<(String, String)> {
    let attributes = policy::element(element).into_iter().flat_map(|policy| policy.attributes());
    attributes.map(|attribute| (attribute.name().to_owned(), attribute.value().to_owned())).collect()
}

fn is_id(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    plain && (1..=64).contains(&text.len()) && !text.starts_with('-')
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML, or changed by its readers.
            '\n' | '\t' | '\r' => {
                let _ = write!(escaped, "&#{};", c as u32);
            }
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(xml: &str) -> Option<Mark> {
        Mark::of(roxmltree::Document::parse(xml).ok()?.root_element())
    }

    fn mark() -> Mark {
        let host =
            |name: &str| Host { name: name.into(), uri: format!("qemu+tcp://{name}/system?a=1&b=\"2\""), uuid: None };
        Mark {
            id: "20260101-000000-aabbcc".into(),
            phase: "detach".into(),
            machine: "ops-1".into(),
            source: host("a"),
            destination: host("b"),
            ports: vec![Marked {
                source: "0000:81:00.1".parse().unwrap(),
                source_xml: "<interface type='hostdev'>\n  <mac address='52:54:00:00:00:01'/>\n</interface>".into(),
                destination_xml: "<interface/>".into(),
            }],
            policy: Vec::new(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(parse(&mark().element()), Some(mark()));
        let source = Host { uuid: Some("0aeb4c2e-1111-4222-8333-444455556666".into()), ..mark().source };
        let identified = Mark { source, ..mark() };
        assert_eq!(parse(&identified.element()), Some(identified));
        // As libvirt gives it back.
        let given =
            mark().element().replacen("<migration", &format!("<pvm:migration xmlns:pvm='{}'", policy::NAMESPACE), 1);
        let given = given.replace("</migration>", "</pvm:migration>").replace("<port", "<pvm:port");
        let given = given.replace("</port>", "</pvm:port>");
        assert_eq!(parse(&given), Some(mark()));
    }

    #[test]
    fn what_others_wrote_is_no_mark() {
        for text in ["", "<migration/>", "<other id='1'/>", "<migration", "<migration id='1' phase='x' machine='m'/>"] {
            assert_eq!(parse(text), None, "{text}");
        }
        for id in ["", "-v", "x; touch y", "$(id)", "a/b"] {
            assert_eq!(parse(&Mark { id: id.into(), ..mark() }.element()), None, "{id}");
        }
        let policy = vec![("max_pause".to_owned(), "2s".to_owned()), ("drain".to_owned(), "\"<".to_owned())];
        let kept = Mark { policy, ..mark() };
        assert_eq!(parse(&kept.element()), Some(kept));
        let odd = Mark { machine: "a\u{1b}[2J".into(), ..mark() };
        assert_eq!(parse(&odd.element()).unwrap().machine, "a?[2J");
    }
}
