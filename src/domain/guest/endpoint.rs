//! Addresses and ports of the host that a guest listens on or connects to.

use roxmltree::Node;

use crate::domain::xml;

/// Where a console or a character device meets the host's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The device: `vnc`, `serial`, `random source`, …
    pub what: String,
    /// Whether it listens.
    pub listens: bool,
    /// Whether its port is one of TCP.
    pub is_tcp: bool,
    /// Address or host name.
    pub host: Option<String>,
    /// Port that the definition fixes.
    pub port: Option<u16>,
    /// Whether QEMU starts without it and tries again.
    pub retries: bool,
    /// Whether QEMU can encrypt it, and what its definition says of that.
    pub may_encrypt: bool,
    /// `tls` of its definition.
    pub tls: Option<bool>,
}

impl Endpoint {
    /// Where it is, by `HOST:PORT`.
    pub fn place(&self) -> Option<String> {
        Some(format!("{}:{}", self.host.as_deref()?, self.port?))
    }
}

/// A graphics server.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graphics {
    /// `vnc`, `spice`.
    pub kind: String,
    /// Addresses it listens on by its own definition.
    pub addresses: Vec<String>,
    /// libvirt networks whose address on the host it listens on.
    pub networks: Vec<String>,
    /// Ports that the definition fixes.
    pub ports: Vec<u16>,
    /// Ports that it has now, fixed or not.
    pub taken: Vec<u16>,
    /// Whether libvirt chooses a port for it.
    pub autoport: bool,
    /// Socket of the message bus that it is on, for a display by D-Bus.
    pub bus: Option<String>,
    /// Whether it has a socket instead of a port.
    pub socket: bool,
    /// Whether it has a TLS port, or channels that must be encrypted.
    pub wants_tls: bool,
    /// Keyboard layout.
    pub keymap: Option<String>,
}

impl Graphics {
    /// Where QEMU may have the file of its keyboard layout.
    pub fn keymap_files(&self) -> impl Iterator<Item = String> {
        // Debian and most others; RHEL.
        let folders = ["/usr/share/qemu/keymaps", "/usr/share/qemu-kvm/keymaps"];
        self.keymap.iter().flat_map(move |map| folders.map(|folder| format!("{folder}/{map}")))
    }
}

/// Reads a `<graphics>`.
pub(super) fn graphics(device: Node<'_, '_>) -> Graphics {
    let port = |name: &str| device.attribute(name).and_then(|port| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let listens: Vec<_> = device.children().filter(|listen| xml::is(*listen, "listen")).collect();
    let with = |kind: &str, name: &str| -> Vec<String> {
        let these = listens.iter().filter(|listen| listen.attribute("type") == Some(kind));
        these.filter_map(|listen| listen.attribute(name).map(str::to_owned)).collect()
    };
    let networks = with("network", "network");
    let mut addresses = with("address", "address");
    // libvirt fills the attribute in with the address that a network has on this host.
    if networks.is_empty() {
        addresses.extend(device.attribute("listen").map(str::to_owned).filter(|address| !addresses.contains(address)));
    }
    let autoport = device.attribute("autoport") == Some("yes");
    let now: Vec<u16> = ["port", "tlsPort", "websocket"].into_iter().filter_map(port).collect();
    let is = |kind: &str| listens.iter().any(|listen| listen.attribute("type") == Some(kind));
    let secure = |name: &str, node: Node<'_, '_>| node.attribute(name) == Some("secure");
    let channels = device.children().filter(|channel| xml::is(*channel, "channel"));
    let tls_port = (device.attribute("autoport") != Some("yes")).then(|| port("tlsPort")).flatten();
    Graphics {
        kind: device.attribute("type").unwrap_or_default().to_owned(),
        addresses,
        networks,
        ports: if autoport { Vec::new() } else { now.clone() },
        taken: now,
        autoport: autoport && !is("socket") && !is("none"),
        bus: device.attribute("address").and_then(|address| address.strip_prefix("unix:path=")).map(str::to_owned),
        socket: is("socket"),
        wants_tls: tls_port.is_some()
            || secure("defaultMode", device)
            || channels.into_iter().any(|channel| secure("mode", channel)),
        keymap: device.attribute("keymap").map(str::to_owned),
    }
}

/// Reads the sockets of an `<interface>` that is a connection between QEMUs.
pub(super) fn interface(device: Node<'_, '_>, kind: &str) -> Vec<Endpoint> {
    let Some(source) = xml::child(device, "source") else { return Vec::new() };
    let end = |node: Node<'_, '_>, listens: bool, is_tcp: bool| Endpoint {
        what: format!("{kind} interface"),
        listens,
        is_tcp,
        host: Some(node.attribute("address").unwrap_or("0.0.0.0").to_owned()),
        port: node.attribute("port").and_then(|port| port.parse().ok()),
        retries: false,
        may_encrypt: false,
        tls: None,
    };
    match kind {
        "server" => vec![end(source, true, true)],
        "client" => vec![end(source, false, true)],
        "udp" => xml::child(source, "local").into_iter().map(|local| end(local, true, false)).collect(),
        _ => Vec::new(),
    }
}

/// Reads the `<source>` elements of a character device.
pub(super) fn character(device: Node<'_, '_>, what: &str, kind: &str) -> Vec<Endpoint> {
    if !matches!(kind, "tcp" | "udp") {
        return Vec::new();
    }
    let sources = device.children().filter(|source| xml::is(*source, "source"));
    sources
        .map(|source| Endpoint {
            what: what.to_owned(),
            listens: source.attribute("mode") == Some("bind"),
            is_tcp: kind == "tcp",
            host: source.attribute("host").map(str::to_owned),
            port: source.attribute("service").and_then(|port| port.parse().ok()),
            retries: xml::attribute(source, "reconnect", "enabled").as_deref() == Some("yes"),
            may_encrypt: kind == "tcp",
            tls: source.attribute("tls").map(|tls| tls == "yes"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn a_listen_network_is_no_address_of_the_source() {
        let guest = read(
            "<domain><devices><graphics type='vnc' port='5901' autoport='yes' listen='10.89.0.1'>\
             <listen type='network' network='mgmt' address='10.89.0.1'/></graphics>\
             <graphics type='vnc' port='5999' autoport='no' websocket='5777' listen='10.0.0.1'>\
             <listen type='address' address='10.0.0.1'/></graphics>\
             <serial type='tcp'><source mode='bind' host='10.77.0.1' service='4777'/></serial></devices></domain>",
        )
        .unwrap();
        let [auto, fixed] = &guest.graphics[..] else { panic!("two graphics") };
        assert_eq!((auto.addresses.len(), &auto.networks[..]), (0, &["mgmt".to_owned()][..]));
        assert_eq!((&auto.ports[..], auto.autoport), (&[][..], true));
        assert_eq!((&fixed.addresses[..], &fixed.ports[..]), (&["10.0.0.1".to_owned()][..], &[5999, 5777][..]));
        let serial = &guest.endpoints[0];
        assert!(serial.listens && serial.host.as_deref() == Some("10.77.0.1") && serial.port == Some(4777));
    }
}
