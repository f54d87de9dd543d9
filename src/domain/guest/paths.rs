//! Every path of the host that a definition names, whatever the element.
//!
//! Disks are apart ([`super::disk`]): what is behind their paths has to be the same on both hosts, not only to be there.

use std::collections::BTreeSet;

use roxmltree::Node;

/// No definition names more.
const MOST_PATHS: usize = 1024;

/// Folders in which libvirt makes what it names itself.
const OWN_FOLDERS: &[&str] = &["/var/lib/libvirt/qemu/", "/run/libvirt/", "/var/run/libvirt/", "/dev/pts/"];

/// Elements whose paths mean nothing to the host, or are read elsewhere.
const ELSEWHERE: &[&str] =
    &["resource", "metadata", "title", "description", "name", "emulator", "seclabel", "alias", "disk", "address"];

/// Elements within a disk that name files of the host beside its images: a configuration of Ceph, a key of ssh, the socket of the
/// helper for persistent reservations.
const BESIDE_DISKS: &[&str] = &["config", "identity", "knownHosts", "reservations"];

/// What has to be at a path before QEMU can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The file, device or socket itself.
    Exists,
    /// A folder in which QEMU or libvirt can make it: logs, listening sockets, variable stores.
    Folder,
    /// A named pipe: the path, or two with `.in` and `.out` after it.
    Pipe,
}

/// A path that a definition names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPath {
    /// The path.
    pub path: String,
    /// What it is for: the device or element.
    pub what: String,
    /// What has to be there.
    pub need: Need,
}

/// Collects the paths below the domain's root element, each once.
pub(super) fn read(root: Node<'_, '_>) -> Vec<HostPath> {
    let mut found = Vec::new();
    for child in root.children().filter(Node::is_element) {
        match child.tag_name().name() {
            // Their children are the things that are worth a name.
            "devices" | "os" | "features" => {
                for inner in child.children().filter(Node::is_element) {
                    walk(inner, inner.tag_name().name(), &mut found);
                }
            }
            name => walk(child, name, &mut found),
        }
    }
    once(found)
}

/// The paths by which each is first needed, in the order of the definition.
fn once(found: Vec<HostPath>) -> Vec<HostPath> {
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|path| seen.insert(path.path.clone())).take(MOST_PATHS).collect()
}

fn walk(node: Node<'_, '_>, what: &str, found: &mut Vec<HostPath>) {
    let name = node.tag_name().name();
    if name == "disk" {
        // What its servers ask for is read here, and its images elsewhere.
        for beside in node.descendants().filter(|inner| BESIDE_DISKS.contains(&inner.tag_name().name())) {
            walk(beside, "disk", found);
        }
    }
    if ELSEWHERE.contains(&name) || node.tag_name().namespace().is_some() {
        return;
    }
    let mut add = |path: &str, need: Need| {
        // PulseAudio's server is `unix:/run/…`.
        let path = path.trim();
        let path = path.strip_prefix("unix:").unwrap_or(path);
        let own = OWN_FOLDERS.iter().any(|folder| path.starts_with(folder));
        if path.starts_with('/') && !path.contains('\n') && !own {
            found.push(HostPath { path: path.to_owned(), what: named(what, name).to_owned(), need });
        }
    };
    for attribute in node.attributes().filter(|attribute| attribute.name() != "tty") {
        add(attribute.value(), need(node, attribute.name()));
    }
    if let Some(text) = node.text() {
        add(text, if name == "nvram" { Need::Folder } else { Need::Exists });
    }
    for child in node.children().filter(Node::is_element) {
        walk(child, what, found);
    }
}

/// The word for people, where an element's name is not it.
fn named<'a>(what: &'a str, element: &str) -> &'a str {
    match (what, element) {
        ("rng", _) => "random source",
        ("filesystem", _) => "shared directory",
        ("interface", "rom") => "option ROM",
        ("interface", "script" | "downscript") => "interface script",
        ("loader", _) => "firmware",
        ("nvram", _) => "firmware variables",
        ("memory", _) => "memory device",
        _ => what,
    }
}

fn need(node: Node<'_, '_>, attribute: &str) -> Need {
    let above = node.parent().map(|parent| (parent.tag_name().name(), parent.attribute("type").unwrap_or_default()));
    let character = matches!(above, Some(("serial" | "console" | "parallel" | "channel", _)));
    match (node.tag_name().name(), attribute) {
        ("log", "file") | ("listen", "socket") => Need::Folder,
        ("source", "path") if matches!(node.attribute("mode"), Some("bind" | "server")) => Need::Folder,
        ("source", "path") if character && matches!(above, Some((_, "file"))) => Need::Folder,
        ("source", "path") if character && matches!(above, Some((_, "pipe"))) => Need::Pipe,
        _ => Need::Exists,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::Need;

    #[test]
    fn paths_are_found_in_any_element() {
        let guest = read(
            "<domain xmlns:q='urn:q'><metadata><q:x>/not/this</q:x></metadata><os><kernel>/k</kernel>\
             <loader>/code.fd</loader><nvram template='/vars.fd'>/srv/own.fd</nvram><acpi><table>/t.slic</table></acpi></os>\
             <sysinfo type='fwcfg'><entry name='opt/x' file='/fw'/></sysinfo><devices><emulator>/bin/q</emulator>\
             <disk type='file'><source file='/d'/></disk>\
             <disk type='network'><source protocol='rbd' name='p/v'><config file='/ceph.conf'/></source></disk>\
             <disk type='block'><source dev='/dev/sdb'><reservations><source path='/pr' mode='client'/></reservations></source></disk><serial type='file'><source path='/log/s'/><log file='/log/l'/></serial>\
             <console type='file' tty='/dev/pts/3'><source path='/log/s'/></console>\
             <channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channel/x'/></channel>\
             <serial type='unix'><source mode='connect' path='/sock/c'/></serial>\
             <serial type='unix'><source mode='bind' path='/sock/b'/></serial><serial type='pipe'><source path='/pipe'/></serial>\
             <interface type='user'><rom file='/rom'/></interface><graphics type='vnc'><listen type='socket' socket='/vnc'/></graphics>\
             <memory model='nvdimm'><source><path>/nv</path></source></memory><input type='evdev'><source dev='/dev/input/event0'/></input>\
             </devices></domain>",
        )
        .unwrap();
        let of = |need: Need| -> Vec<&str> {
            guest.paths.iter().filter(|path| path.need == need).map(|path| path.path.as_str()).collect()
        };
        assert_eq!(
            of(Need::Exists),
            [
                "/k",
                "/code.fd",
                "/vars.fd",
                "/t.slic",
                "/fw",
                "/ceph.conf",
                "/pr",
                "/sock/c",
                "/rom",
                "/nv",
                "/dev/input/event0"
            ]
        );
        assert_eq!(of(Need::Folder), ["/srv/own.fd", "/log/s", "/log/l", "/sock/b", "/vnc"]);
        assert_eq!(of(Need::Pipe), ["/pipe"]);
    }
}
