//! One host device's element, as text.

use super::XmlError;
use super::rewrite::{Interfaces, rewrite};
use super::xml;
use crate::model::device_move::DeviceMove;
use crate::model::pci::PciAddress;

/// The element of the host device at `address`, byte for byte; `None` when the guest has no such device.
pub(crate) fn element(text: &str, address: PciAddress) -> Result<Option<String>, XmlError> {
    let document = xml::parse(text)?;
    let found = xml::devices(&document).find(|device| {
        (xml::is_hostdev_interface(*device) || xml::is_pci_hostdev(*device))
            && xml::source_address(*device).and_then(xml::address) == Some(address)
    });
    Ok(found.map(|device| text[device.range()].to_owned()))
}

/// The element of the device after its move.
pub(crate) fn rewrite_element(element: &str, moved: &DeviceMove) -> Result<String, XmlError> {
    const BEFORE: &str = "<domain><devices>";
    const BEHIND: &str = "</devices></domain>";
    let whole = rewrite(&format!("{BEFORE}{element}{BEHIND}"), [moved], Interfaces::MustBeMapped)?;
    Ok(whole[BEFORE.len()..whole.len() - BEHIND.len()].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device_move::Action;

    const GUEST: &str = "<domain><devices><interface type='hostdev' managed='yes'>\n  <mac address='52:54:00:00:00:01'/>\n  \
        <source><address type='pci' domain='0x0000' bus='0x81' slot='0x00' function='0x2'/></source>\n  \
        <vlan><tag id='42'/></vlan>\n  <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>\n\
        </interface><hostdev mode='subsystem' type='pci' managed='no'><source>\
        <address domain='0x0000' bus='0x81' slot='0x00' function='0x1'/></source></hostdev></devices></domain>";

    #[test]
    fn a_port_keeps_its_mac_vlan_and_guest_address() {
        let port: PciAddress = "0000:81:00.2".parse().unwrap();
        let found = element(GUEST, port).unwrap().unwrap();
        assert!(found.starts_with("<interface") && found.ends_with("</interface>"));
        let to: PciAddress = "0000:c1:00.7".parse().unwrap();
        let there = rewrite_element(&found, &DeviceMove::new(port, to, Action::Reattach)).unwrap();
        assert_eq!(
            there,
            found.replace("bus='0x81' slot='0x00' function='0x2'", "bus='0xc1' slot='0x00' function='0x7'")
        );
        assert!(there.contains("slot='0x05'") && there.contains("id='42'"));
    }

    #[test]
    fn a_device_the_guest_lacks_has_no_element() {
        assert_eq!(element(GUEST, "0000:81:00.3".parse().unwrap()), Ok(None));
        assert!(element(GUEST, "0000:81:00.1".parse().unwrap()).unwrap().unwrap().starts_with("<hostdev"));
    }
}
