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
    /// TAP device by a name that the definition gives, and that libvirt is to make.
    pub tap: Option<String>,
    /// Network filter.
    pub filter: Option<String>,
    /// MAC address.
    pub mac: Option<String>,
    /// MTU.
    pub mtu: Option<u32>,
}

/// Names that libvirt gives by itself (`VIR_NET_GENERATED_VNET_PREFIX` and others of virnetdev.h).
const GENERATED: &[&str] = &["vnet", "vif", "macvtap", "macvlan"];

/// Reads an `<interface>`.
pub(super) fn read(device: Node<'_, '_>, kind: String) -> Nic {
    let source = xml::child(device, "source");
    let named = |name: &str| source.and_then(|source| source.attribute(name)).map(str::to_owned);
    let target = xml::child(device, "target");
    let device_of = |managed: bool| {
        let target = target.filter(|target| (target.attribute("managed") != Some("no")) == managed);
        target.and_then(|target| target.attribute("dev")).map(str::to_owned)
    };
    let makes_tap = matches!(kind.as_str(), "bridge" | "network" | "ethernet");
    Nic {
        network: named("network"),
        portgroup: named("portgroup"),
        source: ["bridge", "dev", "path", "name"].into_iter().find_map(named),
        unmanaged_tap: device_of(false),
        // The others are libvirt's own, numbered anew on each host.
        tap: device_of(true).filter(|name| makes_tap && !GENERATED.iter().any(|prefix| name.starts_with(prefix))),
        filter: xml::attribute(device, "filterref", "filter"),
        mac: xml::attribute(device, "mac", "address"),
        mtu: xml::attribute(device, "mtu", "size").and_then(|mtu| mtu.parse().ok()),
        kind,
    }
}
