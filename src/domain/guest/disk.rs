//! The disks of a guest, each with its whole chain of images.

use roxmltree::Node;

use crate::domain::xml;

/// A longer chain is cut; QEMU itself opens no more than some hundreds of images.
const MOST_IMAGES: usize = 256;

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// `vda`.
    pub target: String,
    /// `virtio`, `scsi`, `usb`, …
    pub bus: Option<String>,
    /// `disk`, `cdrom`, `floppy`, `lun`.
    pub device: String,
    /// `file`, `block`, `network`, `volume`, `nvme`, …
    pub kind: String,
    /// `tls` of a network disk's definition.
    pub tls: Option<bool>,
    /// Protocol of a network disk: `rbd`, `nbd`, …
    pub protocol: Option<String>,
    /// Format of the image: `raw`, `qcow2`, …
    pub format: Option<String>,
    /// Path, volume or remote name; none for an empty drive.
    pub source: Option<String>,
    /// Storage pool of a volume.
    pub pool: Option<String>,
    /// Servers of a network disk.
    pub servers: Vec<Server>,
    /// Images below the top one, each of which the destination opens as well.
    pub backing: Vec<Image>,
    /// Files with the data of images, as far as the definition lists them (libvirt 10.10).
    pub data: Vec<Image>,
    /// Cache mode.
    pub cache: Option<String>,
    /// Whether writes are thrown away.
    pub transient: bool,
    /// Whether it is read-only.
    pub readonly: bool,
    /// Whether other guests may have it at the same time.
    pub shareable: bool,
    /// Whether libvirt drops a missing medium instead of refusing the migration.
    pub may_be_missing: bool,
    /// Kind of the block job that mirrors it: `copy`, `active-commit`.
    pub mirror: Option<String>,
}

/// One image of a backing chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// `file`, `block`, `network`, …
    pub kind: String,
    /// Path or remote name.
    pub source: String,
}

/// A server of a network disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Server {
    /// Host name or address.
    pub host: Option<String>,
    /// Path of a UNIX socket.
    pub socket: Option<String>,
    /// Ports of TCP, one of which answers; none where that is not known.
    pub ports: Vec<u16>,
}

impl Server {
    /// Where it is, by `HOST:PORT`, each of which will do.
    pub fn places(&self) -> impl Iterator<Item = String> {
        self.ports.iter().filter_map(|port| Some(format!("{}:{port}", self.host.as_deref()?)))
    }
}

/// Ports that servers of a protocol have where a definition names none.
const PORTS: &[(&str, &[u16])] = &[
    ("gluster", &[24007]),
    ("http", &[80]),
    ("https", &[443]),
    ("iscsi", &[3260]),
    ("nbd", &[10809]),
    ("nfs", &[2049]),
    // Both protocols of Ceph's monitors.
    ("rbd", &[3300, 6789]),
    ("ssh", &[22]),
];

/// The ports of a server of this protocol. That of a Ceph monitor may be the one of the older protocol.
fn ports(protocol: Option<&str>, written: Option<&str>) -> Vec<u16> {
    let usual = PORTS.iter().find(|(name, _)| Some(*name) == protocol).map_or(&[][..], |(_, ports)| ports);
    match written.map(str::parse) {
        None => usual.to_vec(),
        Some(Ok(port)) if usual.len() > 1 && usual.contains(&port) => usual.to_vec(),
        Some(port) => port.into_iter().collect(),
    }
}

/// Reads a `<disk>`.
pub(super) fn read(device: Node<'_, '_>, kind: String) -> Disk {
    let source = xml::child(device, "source");
    let servers = source.into_iter().flat_map(|source| source.children()).filter(|host| xml::is(*host, "host"));
    let protocol = source.and_then(|source| source.attribute("protocol"));
    Disk {
        target: xml::attribute(device, "target", "dev").unwrap_or_default(),
        bus: xml::attribute(device, "target", "bus"),
        device: device.attribute("device").unwrap_or("disk").to_owned(),
        source: source.and_then(name_of),
        protocol: protocol.map(str::to_owned),
        tls: source.and_then(|source| source.attribute("tls")).map(|tls| tls == "yes"),
        pool: source.and_then(|source| source.attribute("pool")).map(str::to_owned),
        servers: servers
            .map(|host| Server {
                host: host.attribute("name").map(str::to_owned),
                socket: host.attribute("socket").map(str::to_owned),
                ports: match host.attribute("transport") {
                    None | Some("tcp") => ports(protocol, host.attribute("port")),
                    Some(_) => Vec::new(),
                },
            })
            .collect(),
        backing: backing(device),
        data: data(device),
        format: xml::attribute(device, "driver", "type"),
        cache: xml::attribute(device, "driver", "cache"),
        transient: xml::child(device, "transient").is_some(),
        readonly: xml::child(device, "readonly").is_some(),
        shareable: xml::child(device, "shareable").is_some(),
        may_be_missing: source.is_some_and(|s| matches!(s.attribute("startupPolicy"), Some("optional" | "requisite"))),
        mirror: xml::child(device, "mirror").map(|mirror| mirror.attribute("job").unwrap_or("copy").to_owned()),
        kind,
    }
}

/// Path, volume or remote name in a `<source>`.
fn name_of(source: Node<'_, '_>) -> Option<String> {
    let named = |name: &str| source.attribute(name).map(str::to_owned);
    ["file", "dev", "dir", "name", "volume", "path"].into_iter().find_map(named)
}

/// The chain as the live definition lists it: `<backingStore>` inside `<backingStore>`.
fn backing(device: Node<'_, '_>) -> Vec<Image> {
    let below = |node: &Node<'_, '_>| xml::child(*node, "backingStore").is_some();
    let mut images = Vec::new();
    let mut at = device;
    while below(&at) && images.len() < MOST_IMAGES {
        let Some(next) = xml::child(at, "backingStore") else { break };
        at = next;
        if let Some(source) = xml::child(at, "source").and_then(name_of) {
            images.push(Image { kind: at.attribute("type").unwrap_or("file").to_owned(), source });
        }
    }
    images
}

/// Files with the data of the images of a disk: `<dataStore>` in their `<source>`.
fn data(device: Node<'_, '_>) -> Vec<Image> {
    let stores = device.descendants().filter(|node| xml::is(*node, "dataStore")).take(MOST_IMAGES);
    let file = |store: Node<'_, '_>| {
        let source = xml::child(store, "source").and_then(name_of)?;
        Some(Image { kind: store.attribute("type").unwrap_or("file").to_owned(), source })
    };
    stores.filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::ports;

    #[test]
    fn the_whole_chain_is_read() {
        let guest = read(
            "<domain><devices><disk type='file'><source file='/top' index='1'/><backingStore type='file' index='3'>\
             <format type='qcow2'/><source file='/middle'/><backingStore type='block'><source dev='/dev/vg/base'/>\
             <backingStore/></backingStore></backingStore><target dev='vda' bus='virtio'/>\
             <mirror type='file' job='copy' ready='yes'><source file='/new'/></mirror></disk>\
             <disk type='network'><source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/>\
             <host transport='unix' socket='/run/s'/></source><target dev='vdb'/></disk></devices></domain>",
        )
        .unwrap();
        let disk = &guest.disks[0];
        let chain: Vec<_> = disk.backing.iter().map(|image| (image.kind.as_str(), image.source.as_str())).collect();
        assert_eq!(chain, [("file", "/middle"), ("block", "/dev/vg/base")]);
        assert_eq!((disk.source.as_deref(), disk.mirror.as_deref()), (Some("/top"), Some("copy")));
        let servers = &guest.disks[1].servers;
        assert_eq!((servers[0].host.as_deref(), servers[1].socket.as_deref()), (Some("127.0.0.1"), Some("/run/s")));
        assert_eq!(servers[0].places().collect::<Vec<_>>(), ["127.0.0.1:1"]);
        assert_eq!(
            (ports(Some("rbd"), Some("6789")), ports(Some("rbd"), Some("7000"))),
            (vec![3300, 6789], vec![7000])
        );
        assert_eq!((ports(Some("nbd"), None), ports(Some("x"), None)), (vec![10809], vec![]));
    }
}
