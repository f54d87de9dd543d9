//! The management systems that run guests of libvirt, and the marks by which they are known.

use roxmltree::{Document, Node};

use super::xml;
use crate::model::known::Origin;
use crate::model::paste::quoted;

/// A management system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The word in documents.
    pub word: &'static str,
    /// The name in sentences.
    pub name: &'static str,
    /// The command by which it moves a guest; `{name}` and `{uuid}` are the guest's, `{host}` is the destination.
    moves: &'static str,
    marks: &'static [Mark],
    origin: Origin,
}

/// Something in a definition that only one management system writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// The beginning of a namespace inside `<metadata>`.
    Namespace(&'static str),
    /// The beginning of an entry of `<sysinfo>`'s `<system>`.
    Smbios(&'static str, &'static str),
    /// The guest's name: `#` stands for digits.
    Name(&'static str),
    /// A part of the machine type.
    Machine(&'static str),
}

/// Nova's namespace without its version (`nova/virt/libvirt/config.py`, `NOVA_NS`).
pub(crate) const NOVA_NAMESPACE: &str = "http://openstack.org/xmlns/libvirt/nova/";

/// Every management system that pvm knows.
pub(crate) const OWNERS: &[Owner] = &[
    Owner {
        word: "nova",
        name: "Nova",
        // Without --host Nova's scheduler chooses; the client takes --host from 2.30 on, where it does not bypass the scheduler.
        moves: "openstack --os-compute-api-version 2.30 server migrate --live-migration --host {host} --wait {uuid}",
        marks: &[Mark::Namespace(NOVA_NAMESPACE), Mark::Smbios("manufacturer", "OpenStack Foundation")],
        origin: Origin::new("nova/virt/libvirt/config.py, nova/version.py", "Nova 34, 2026-11-28"),
    },
    Owner {
        word: "ovirt",
        name: "oVirt",
        moves: "the engine's Migrate action",
        marks: &[
            Mark::Namespace("http://ovirt.org/vm/"),
            Mark::Smbios("manufacturer", "oVirt"),
            Mark::Smbios("product", "RHEV Hypervisor"),
        ],
        origin: Origin::new("vdsm lib/vdsm/virt/xmlconstants.py", "vdsm 4.50, 2026-11-28"),
    },
    // Harvester and Cozystack run their guests by KubeVirt.
    Owner {
        word: "kubevirt",
        name: "KubeVirt",
        moves: "virtctl migrate {name}",
        marks: &[Mark::Namespace("http://kubevirt.io"), Mark::Smbios("manufacturer", "KubeVirt")],
        origin: Origin::new("kubevirt pkg/virt-launcher/virtwrap/api/schema.go", "KubeVirt 1.9, 2026-11-28"),
    },
    Owner {
        word: "opennebula",
        name: "OpenNebula",
        moves: "onevm migrate --live {name} HOST",
        marks: &[Mark::Namespace("http://opennebula.org/xmlns/libvirt/")],
        origin: Origin::new("OpenNebula src/vmm/LibVirtDriverKVM.cc", "OpenNebula 7, 2026-11-28"),
    },
    Owner {
        word: "cloudstack",
        name: "CloudStack",
        moves: "cmk migrate virtualmachine virtualmachineid={uuid} hostid=HOST",
        marks: &[
            Mark::Smbios("manufacturer", "Apache Software Foundation"),
            Mark::Smbios("product", "CloudStack KVM Hypervisor"),
            Mark::Name("i-#-#-VM"),
            Mark::Name("r-#-VM"),
            Mark::Name("s-#-VM"),
            Mark::Name("v-#-VM"),
        ],
        origin: Origin::new("the domain XML in the tests of CloudStack's KVM agent", "CloudStack 4.22, 2026-11-28"),
    },
    Owner {
        word: "virtuozzo",
        name: "Virtuozzo",
        moves: "prlctl migrate {name} HOST",
        marks: &[Mark::Machine("-vz"), Mark::Smbios("manufacturer", "Virtuozzo")],
        origin: Origin::new("the machine types of Virtuozzo's QEMU", "Virtuozzo Hybrid Server 9, 2026-11-28"),
    },
    Owner {
        word: "ironcore",
        name: "ironcore",
        moves: "its own tools",
        marks: &[Mark::Namespace("https://github.com/ironcore-dev/libvirt-provider")],
        origin: Origin::new("ironcore-dev/libvirt-provider pkg/meta", "main branch, 2026-11-28"),
    },
    Owner {
        word: "pacemaker",
        name: "Pacemaker",
        moves: "pcs resource move RESOURCE",
        marks: &[],
        origin: Origin::new(
            "written into snapshots by operators: a definition has no mark of it",
            "Pacemaker 3, 2026-11-28",
        ),
    },
];

impl Owner {
    /// The management system of this word.
    pub(crate) fn of_word(word: &str) -> Option<&'static Self> {
        OWNERS.iter().find(|owner| owner.word == word)
    }

    /// The management system that wrote a definition, if it can be told.
    pub(crate) fn of_definition(text: &str) -> Option<&'static Self> {
        xml::parse(text).ok().and_then(|document| Self::of(&document))
    }

    /// The management system that wrote a definition, if it can be told.
    pub(super) fn of(document: &Document<'_>) -> Option<&'static Self> {
        OWNERS.iter().find(|owner| owner.marks.iter().any(|mark| mark.is_in(document)))
    }

    /// The command by which it moves this guest to the host of this name.
    pub(crate) fn command(&self, name: &str, uuid: &str, host: &str) -> String {
        // Each place once, from the left: a name may hold what looks like a place to fill in.
        let (mut command, mut rest) = (String::new(), self.moves);
        while let Some(at) = rest.find('{') {
            command += &rest[..at];
            rest = &rest[at..];
            let places = [("{uuid}", uuid), ("{name}", name), ("{host}", host)];
            let Some((place, value)) = places.iter().find(|(place, _)| rest.starts_with(place)) else { break };
            command += &quoted(value);
            rest = &rest[place.len()..];
        }
        command + rest
    }
}

impl Mark {
    fn is_in(self, document: &Document<'_>) -> bool {
        let root = document.root_element();
        match self {
            Self::Namespace(prefix) => {
                metadata(document).any(|e| e.tag_name().namespace().is_some_and(|n| n.starts_with(prefix)))
            }
            Self::Smbios(name, value) => root
                .children()
                .filter(|node| xml::is(*node, "sysinfo"))
                .filter_map(|sysinfo| xml::child(sysinfo, "system"))
                .flat_map(|system| system.children().filter(|entry| xml::is(*entry, "entry")))
                .any(|entry| {
                    entry.attribute("name") == Some(name)
                        && entry.text().is_some_and(|text| text.trim().starts_with(value))
                }),
            Self::Name(pattern) => xml::text_of(root, "name").is_some_and(|name| is_named(name.trim(), pattern)),
            Self::Machine(part) => xml::child(root, "os")
                .and_then(|os| xml::child(os, "type"))
                .and_then(|kind| kind.attribute("machine"))
                .is_some_and(|machine| machine.contains(part)),
        }
    }
}

/// Whether a name has the parts of a pattern, separated by `-`; `#` stands for digits.
fn is_named(name: &str, pattern: &str) -> bool {
    let (mut parts, mut wanted) = (name.split('-'), pattern.split('-'));
    loop {
        match (parts.next(), wanted.next()) {
            (None, None) => return true,
            (Some(part), Some("#")) if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {}
            (Some(part), Some(word)) if word != "#" && part == word => {}
            _ => return false,
        }
    }
}

/// The elements inside `<metadata>`.
pub(super) fn metadata<'a, 'i: 'a>(document: &'a Document<'i>) -> impl Iterator<Item = Node<'a, 'i>> + 'a {
    document
        .root_element()
        .children()
        .filter(|node| xml::is(*node, "metadata"))
        .flat_map(|metadata| metadata.children().filter(Node::is_element))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_of_the_command_that_moves_its_guest() {
        for owner in OWNERS.iter().filter(|owner| owner.moves.contains("{name}")) {
            let command = owner.command("vm;{uuid} $(x)", "u", "h");
            assert!(command.contains("'vm;{uuid} $(x)'"), "{command}");
        }
    }

    #[test]
    fn nova_is_told_the_host() {
        let command = Owner::of_word("nova").unwrap().command("db", "u", "cmp;{uuid}");
        assert!(command.ends_with(" --host 'cmp;{uuid}' --wait u"), "{command}");
    }

    #[test]
    fn owners_are_known_by_their_marks() {
        let smbios = |name: &str, value: &str| {
            format!("<sysinfo type='smbios'><system><entry name='{name}'>{value}</entry></system></sysinfo>")
        };
        for (inside, owner) in [
            ("<metadata><v:vm xmlns:v='http://ovirt.org/vm/1.0'/></metadata>".to_owned(), Some("ovirt")),
            ("<metadata><kubevirt xmlns='http://kubevirt.io'/></metadata>".to_owned(), Some("kubevirt")),
            (
                "<metadata><one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'/></metadata>".to_owned(),
                Some("opennebula"),
            ),
            (
                "<metadata><l:metadata xmlns:l='https://github.com/ironcore-dev/libvirt-provider'/></metadata>"
                    .to_owned(),
                Some("ironcore"),
            ),
            (smbios("manufacturer", "Apache Software Foundation"), Some("cloudstack")),
            (smbios("product", "CloudStack KVM Hypervisor"), Some("cloudstack")),
            (smbios("manufacturer", "KubeVirt"), Some("kubevirt")),
            ("<name>i-2-341-VM</name>".to_owned(), Some("cloudstack")),
            ("<name>r-4-VM</name>".to_owned(), Some("cloudstack")),
            ("<name>s-1-VM</name>".to_owned(), Some("cloudstack")),
            ("<name>v-12-VM</name>".to_owned(), Some("cloudstack")),
            ("<os><type machine='pc-q35-vz9.1.0'>hvm</type></os>".to_owned(), Some("virtuozzo")),
            ("<name>i-2-VM</name>".to_owned(), None),
            ("<name>r-4a-VM</name>".to_owned(), None),
            ("<name>my-r-4-VM</name>".to_owned(), None),
            ("<metadata><nova/></metadata>".to_owned(), None),
            (smbios("manufacturer", "QEMU"), None),
            ("<os><type machine='pc-q35-9.2'>hvm</type></os>".to_owned(), None),
        ] {
            let found = Owner::of_definition(&format!("<domain>{inside}</domain>")).map(|owner| owner.word);
            assert_eq!(found, owner, "{inside}");
        }
    }

    #[test]
    fn every_row_has_its_origin_and_its_own_word() {
        for owner in OWNERS {
            assert!(owner.origin.is_complete(), "{}", owner.word);
            assert_eq!(Owner::of_word(owner.word), Some(owner));
        }
    }
}
