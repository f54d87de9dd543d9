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
}

/// Reads a `<disk>`.
pub(super) fn read(device: Node<'_, '_>, kind: String) -> Disk {
    let source = xml::child(device, "source");
    let servers = source.into_iter().flat_map(|source| source.children()).filter(|host| xml::is(*host, "host"));
    Disk {
        target: xml::attribute(device, "target", "dev").unwrap_or_default(),
        bus: xml::attribute(device, "target", "bus"),
        device: device.attribute("device").unwrap_or("disk").to_owned(),
        source: source.and_then(name_of),
        protocol: source.and_then(|source| source.attribute("protocol")).map(str::to_owned),
        tls: source.and_then(|source| source.attribute("tls")).map(|tls| tls == "yes"),
        pool: source.and_then(|source| source.attribute("pool")).map(str::to_owned),
        servers: servers
            .map(|host| Server {
                host: host.attribute("name").map(str::to_owned),
                socket: host.attribute("socket").map(str::to_owned),
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
    }
}
