//! What libvirt says only in words. This is the one place that reads them. Pure.

use crate::model::pci::PciAddress;

/// The device of a host that another guest has (`virHostdevPreparePCIDevices`: "PCI device … is in use by driver …, domain
/// …").
pub(super) fn taken_device(message: &str) -> Option<PciAddress> {
    let (_, rest) = message.split_once("PCI device ")?;
    let (address, rest) = rest.split_once(' ')?;
    if rest.starts_with("is in use by driver") { address.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_device_is_read_from_libvirts_words() {
        let address: PciAddress = "0000:02:10.0".parse().unwrap();
        let said = "Requested operation is not valid: PCI device 0000:02:10.0 is in use by driver QEMU, domain x";
        assert_eq!(taken_device(said), Some(address));
        assert_eq!(taken_device("Unable to reset PCI device 0000:02:10.0: no FLR"), None);
        assert_eq!(taken_device("PCI device nonsense is in use by driver QEMU"), None);
    }
}
