//! Host devices, owner and Nova's metadata of a domain.

use std::collections::BTreeMap;

use roxmltree::{Document, Node};

use super::owners::{NOVA_NAMESPACE, Owner, metadata};
use super::xml::{self, XmlError};
use crate::model::snapshot::domain::NovaMetadata;
use crate::model::snapshot::{Hostdev, HostdevKind};

/// What a definition says about the guest as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Described {
    /// Name.
    pub name: String,
    /// UUID in lower case, empty when the definition has none.
    pub uuid: String,
    /// Management system that runs it, by the marks that it leaves in definitions.
    pub owner: Option<&'static str>,
    /// Nova's metadata.
    pub nova: Option<NovaMetadata>,
    /// PCI and mediated host devices in document order.
    pub hostdevs: Vec<Hostdev>,
}

/// Reads a definition.
pub fn read(text: &str) -> Result<Described, XmlError> {
    let document = xml::parse(text)?;
    let root = document.root_element();
    let iommufd = xml::child(root, "iommufd").and_then(|e| e.attribute("enabled")).and_then(xml::switch) == Some(true);
    Ok(Described {
        name: xml::text_of(root, "name").unwrap_or_default().to_owned(),
        uuid: xml::text_of(root, "uuid").unwrap_or_default().to_ascii_lowercase(),
        owner: Owner::of(&document).map(|owner| owner.word),
        nova: nova(&document),
        hostdevs: xml::devices(&document).filter_map(|device| hostdev(device, iommufd)).collect(),
    })
}

fn nova(document: &Document<'_>) -> Option<NovaMetadata> {
    let instance = metadata(document).find(|element| is_nova(*element, "instance"))?;
    let child = |parent: Node<'_, '_>, name: &str| parent.children().find(|c| is_nova(*c, name)).map(|c| c.id());
    let node = |parent, name: &str| child(parent, name).and_then(|id| document.get_node(id));
    let flavor = node(instance, "flavor");
    let extra_specs = flavor.and_then(|flavor| node(flavor, "extraSpecs")).map(|specs| pairs(specs, "extraSpec"));
    let image = node(instance, "image");
    Some(NovaMetadata {
        name: node(instance, "name").and_then(|n| n.text()).map(|text| text.trim().to_owned()),
        flavor: flavor.and_then(|flavor| flavor.attribute("name")).map(str::to_owned),
        extra_specs,
        image_properties: image.and_then(|image| node(image, "properties")).map(|all| pairs(all, "property")),
        project: node(instance, "owner")
            .and_then(|owner| node(owner, "project"))
            .and_then(|project| project.attribute("uuid"))
            .map(str::to_owned),
    })
}

fn is_nova(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element()
        && node.tag_name().name() == name
        && node.tag_name().namespace().is_some_and(|namespace| namespace.starts_with(NOVA_NAMESPACE))
}

/// Elements with their key in `name` and their value as text.
fn pairs(parent: Node<'_, '_>, element: &str) -> BTreeMap<String, String> {
    parent
        .children()
        .filter(|child| is_nova(*child, element))
        .filter_map(|child| Some((child.attribute("name")?.to_owned(), child.text().unwrap_or_default().to_owned())))
        .collect()
}

/// A device of the host; `iommufd`: the guest as a whole asks for it.
fn hostdev(device: Node<'_, '_>, iommufd: bool) -> Option<Hostdev> {
    let source = xml::child(device, "source");
    let kind = if xml::is_pci_hostdev(device) {
        HostdevKind::Hostdev
    } else if xml::is_hostdev_interface(device) {
        // The live XML of an interface on a hostdev pool names both the pool and the function it was given.
        if source.is_some_and(|s| s.has_attribute("network")) { HostdevKind::Network } else { HostdevKind::Interface }
    } else if xml::is(device, "hostdev") && device.attribute("type") == Some("mdev") {
        HostdevKind::Mdev
    } else {
        return None;
    };
    let network = match kind {
        HostdevKind::Network => source.and_then(|s| s.attribute("network")),
        HostdevKind::Mdev => source.and_then(|s| xml::child(s, "address")).and_then(|a| a.attribute("uuid")),
        HostdevKind::Hostdev | HostdevKind::Interface => None,
    };
    let attribute =
        |element: &str, name: &str| xml::child(device, element).and_then(|e| e.attribute(name)).map(str::to_owned);
    Some(Hostdev {
        kind,
        source: xml::source_address(device).and_then(xml::address),
        guest_address: xml::child(device, "address")
            .filter(|a| a.attribute("type") == Some("pci"))
            .and_then(xml::address),
        alias: attribute("alias", "name"),
        managed: device.attribute("managed").and_then(xml::switch),
        driver_model: attribute("driver", "model"),
        mac: attribute("mac", "address").map(|mac| mac.to_ascii_lowercase()),
        vlan: xml::child(device, "vlan")
            .and_then(|vlan| xml::child(vlan, "tag"))
            .and_then(|tag| tag.attribute("id"))
            .and_then(|id| id.parse().ok()),
        network: network.map(str::to_owned),
        teaming: attribute("teaming", "type"),
        iommufd: xml::child(device, "driver")
            .and_then(|d| d.attribute("iommufd"))
            .and_then(xml::switch)
            .unwrap_or(iommufd),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUEST: &str = r#"<domain type='kvm' id='3'>
  <name>instance-0000002a</name>
  <uuid>6FE4E9C6-8B5B-4F0B-9B8F-0C2B6C3F4A11</uuid>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
      <nova:name>db &amp; cache</nova:name>
      <nova:flavor name="vf.large">
        <nova:extraSpecs><nova:extraSpec name="pci_passthrough:alias">cx7:2</nova:extraSpec></nova:extraSpecs>
      </nova:flavor>
      <nova:owner><nova:project uuid="p-1">p</nova:project></nova:owner>
    </nova:instance>
  </metadata>
  <devices>
    <hostdev mode='subsystem' type='pci' managed='yes'>
      <driver name='vfio' model='mlx5_vfio_pci'/>
      <source><address domain='0x0000' bus='0x81' slot='0x00' function='0x2'/></source>
      <alias name='hostdev0'/>
      <address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>
    </hostdev>
    <interface type='hostdev' managed='no'>
      <mac address='FA:16:3E:00:00:01'/>
      <source><address type='pci' domain='0' bus='129' slot='0' function='3'/></source>
      <vlan><tag id='42'/></vlan>
    </interface>
    <hostdev mode='subsystem' type='mdev'><source><address uuid='4b20d080-1b54-4048-85b3-a6a62d165c01'/></source></hostdev>
    <hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>
  </devices>
</domain>"#;

    #[test]
    fn reads_every_kind_of_host_device() {
        let guest = read(GUEST).unwrap();
        assert_eq!(guest.uuid, "6fe4e9c6-8b5b-4f0b-9b8f-0c2b6c3f4a11");
        assert_eq!(guest.owner, Some("nova"));
        let kinds: Vec<_> = guest.hostdevs.iter().map(|h| (h.kind, h.source.map(|a| a.to_string()))).collect();
        assert_eq!(
            kinds,
            [
                (HostdevKind::Hostdev, Some("0000:81:00.2".into())),
                (HostdevKind::Interface, Some("0000:81:00.3".into())),
                (HostdevKind::Mdev, None),
            ]
        );
        assert_eq!(guest.hostdevs[0].guest_address.unwrap().to_string(), "0000:06:00.0");
        assert_eq!(guest.hostdevs[0].driver_model.as_deref(), Some("mlx5_vfio_pci"));
        assert_eq!(guest.hostdevs[1].mac.as_deref(), Some("fa:16:3e:00:00:01"));
        assert_eq!((guest.hostdevs[1].vlan, guest.hostdevs[1].managed), (Some(42), Some(false)));
    }

    #[test]
    fn iommufd_is_asked_for_by_one_device_or_by_the_guest() {
        let iommufd = |text: &str| read(text).unwrap().hostdevs.iter().map(|h| h.iommufd).collect::<Vec<_>>();
        assert_eq!(iommufd(GUEST), [false, false, false]);
        let one = GUEST.replace("model='mlx5_vfio_pci'", "model='mlx5_vfio_pci' iommufd='yes'");
        assert_eq!(iommufd(&one), [true, false, false]);
        let port = GUEST.replace("<vlan>", "<driver name='vfio' iommufd='yes'/><vlan>");
        assert_eq!(iommufd(&port), [false, true, false]);
        let whole = |one: &str| one.replace("<devices>", "<iommufd enabled='yes' fdgroup='g'/><devices>");
        assert_eq!(iommufd(&whole(GUEST))[..2], [true, true]);
        assert_eq!(iommufd(&whole(&one.replace("iommufd='yes'", "iommufd='no'")))[..2], [false, true]);
        assert_eq!(iommufd(&GUEST.replace("<devices>", "<iommufd enabled='no'/><devices>")), [false, false, false]);
    }

    #[test]
    fn reads_novas_metadata() {
        let nova = read(GUEST).unwrap().nova.unwrap();
        assert_eq!(nova.name.as_deref(), Some("db & cache"));
        assert_eq!(nova.flavor.as_deref(), Some("vf.large"));
        assert_eq!(nova.project.as_deref(), Some("p-1"));
        assert_eq!(nova.extra_specs.unwrap()["pci_passthrough:alias"], "cx7:2");
        let older = GUEST.replace("nova:extraSpecs", "nova:other");
        assert_eq!(read(&older).unwrap().nova.unwrap().extra_specs, None);
    }
}
