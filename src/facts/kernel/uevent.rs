//! The `uevent` attribute of a PCI function: ids and modalias as the kernel knows them, in one read.
//!
//! A real VF's configuration space has all ones where the ids are, so they come from here (kernel: `drivers/pci/pci-driver.c`,
//! `pci_uevent`).

use super::drivers;
use crate::model::pci::PciId;

/// What `uevent` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Uevent {
    /// Vendor and device.
    pub ids: Option<(PciId, PciId)>,
    /// Subsystem vendor and device.
    pub subsystem: Option<(PciId, PciId)>,
    /// Six hex digits.
    pub class: Option<String>,
    /// Modalias.
    pub modalias: Option<String>,
    /// Bound driver.
    pub driver: Option<String>,
}

/// Reads the text; lines that are not understood are left alone.
pub(crate) fn parse(text: &str) -> Uevent {
    let mut event = Uevent::default();
    for line in text.lines() {
        match line.split_once('=') {
            Some(("PCI_ID", pair)) => event.ids = ids(pair),
            Some(("PCI_SUBSYS_ID", pair)) => event.subsystem = ids(pair),
            Some(("PCI_CLASS", class)) => {
                event.class = u32::from_str_radix(class, 16).ok().filter(|c| *c < 1 << 24).map(|c| format!("{c:06x}"));
            }
            Some(("DRIVER", name)) if drivers::is_name(name) => event.driver = Some(name.to_owned()),
            Some(("MODALIAS", modalias)) => event.modalias = Some(modalias.to_owned()),
            _ => {}
        }
    }
    event
}

fn ids(pair: &str) -> Option<(PciId, PciId)> {
    let (vendor, device) = pair.split_once(':')?;
    Some((vendor.parse().ok()?, device.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_text() {
        let event = parse(
            "DRIVER=igbvf\nPCI_CLASS=20000\nPCI_ID=8086:10CA\nPCI_SUBSYS_ID=1AF4:1100\nPCI_SLOT_NAME=0000:01:10.0\n\
             MODALIAS=pci:v00008086d000010CA\n",
        );
        assert_eq!(event.ids, Some((PciId(0x8086), PciId(0x10ca))));
        assert_eq!(event.subsystem, Some((PciId(0x1af4), PciId(0x1100))));
        assert_eq!(event.class.as_deref(), Some("020000"));
        assert_eq!(event.modalias.as_deref(), Some("pci:v00008086d000010CA"));
    }

    #[test]
    fn nonsense_is_no_fact() {
        let event = parse("PCI_ID=zz:1\nPCI_CLASS=fffffffff\nPCI_SUBSYS_ID=8086\n=\n");
        assert_eq!(event, Uevent::default());
    }

    #[test]
    fn a_driver_is_taken_only_when_it_is_a_name() {
        assert_eq!(parse("DRIVER=xe-vfio-pci\nPCI_CLASS=20000").driver.as_deref(), Some("xe-vfio-pci"));
        for odd in ["DRIVER=x;reboot", "DRIVER=", "DRIVER=../x", "DRIVER=\u{1b}[2J"] {
            assert_eq!(parse(odd).driver, None, "{odd:?}");
        }
    }
}
