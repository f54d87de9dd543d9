//! Network interfaces that are no host devices.

use roxmltree::Node;

use crate::domain::xml;

/// An interface that is no host device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nic {
    /// `bridge`, `network`, `direct`, `vhostuser`, `vdpa`, …
    pub kind: String,
    /// libvirt network that it belongs to. The live definition also has the bridge that the source resolved it to.
    pub network: Option<String>,
    /// Group of settings within the network.
    pub portgroup: Option<String>,
    /// Bridge, host interface or socket; the source's own where a network is named.
    pub source: Option<String>,
    /// TAP device that somebody else has to make beforehand.
    pub unmanaged_tap: Option<String>,
    /// Network filter.
    pub filter: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// MTU.
    pub mtu: Option<u32>,
}

/// Reads an `<interface>`.
pub(super) fn read(device: Node<'_, '_>, kind: String) -> Nic {
    let source = xml::child(device, "source");
    let named = |name: &str| source.and_then(|source| source.attribute(name)).map(str::to_owned);
    let target = xml::child(device, "target").filter(|target| target.attribute("managed") == Some("no"));
    Nic {
        network: named("network"),
        portgroup: named("portgroup"),
        source: ["bridge", "dev", "path", "name"].into_iter().find_map(named),
        unmanaged_tap: target.and_then(|target| target.attribute("dev")).map(str::to_owned),
        filter: xml::attribute(device, "filterref", "filter"),
        mac: xml::attribute(device, "mac", "address"),
        mtu: xml::attribute(device, "mtu", "size").and_then(|mtu| mtu.parse().ok()),
        kind,
    }
}
