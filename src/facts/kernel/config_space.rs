//! PCI configuration space: a pure reading of its first 256 bytes.
//!
//! Layout after the PCI Local Bus Specification 3.0, chapter 6, and the kernel's `include/uapi/linux/pci_regs.h`.

use std::fmt::Write as _;

use crate::model::snapshot::device::{Capability, Msix};

const STATUS: usize = 0x06;
const STATUS_CAP_LIST: u16 = 0x10;
const CAPABILITY_LIST: usize = 0x34;
const CAP_MSIX: u8 = 0x11;
const CAP_EXPRESS: u8 = 0x10;
/// What a user without rights may read.
pub(crate) const HEADER: usize = 64;
/// Conventional configuration space.
pub(crate) const WHOLE: usize = 256;

/// What configuration space says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ConfigSpace {
    /// Vendor and device; `None` on a real VF, whose registers read all ones.
    pub ids: Option<(u16, u16)>,
    /// Revision.
    pub revision: u8,
    /// Capabilities in list order; `None` when they lie past what could be read.
    pub capabilities: Option<Vec<Capability>>,
    /// The MSI-X capability.
    pub msix: Option<Msix>,
    /// PCI Express flags, device and link capabilities as hex words.
    pub pcie: Option<String>,
}

/// Reads what was read of configuration space. `None` when even the header is incomplete.
pub(crate) fn parse(bytes: &[u8]) -> Option<ConfigSpace> {
    if bytes.len() < HEADER {
        return None;
    }
    let (vendor, device) = (word(bytes, 0)?, word(bytes, 2)?);
    let mut space = ConfigSpace {
        ids: (vendor != 0xffff).then_some((vendor, device)),
        revision: bytes[8],
        ..ConfigSpace::default()
    };
    if word(bytes, STATUS)? & STATUS_CAP_LIST == 0 {
        space.capabilities = Some(Vec::new());
        return Some(space);
    }
    if bytes.len() < WHOLE {
        return Some(space);
    }
    let mut list = Vec::new();
    let mut at = bytes[CAPABILITY_LIST] & !3;
    // A list that points back into itself ends here too: there is room for 48 capabilities at most.
    while usize::from(at) >= HEADER && list.len() < 48 {
        let offset = usize::from(at);
        let id = bytes[offset];
        list.push(Capability { id, offset: at });
        match id {
            CAP_MSIX => space.msix = msix(bytes, offset),
            CAP_EXPRESS => space.pcie = express(bytes, offset),
            _ => {}
        }
        at = bytes[offset + 1] & !3;
    }
    space.capabilities = Some(list);
    Some(space)
}

fn msix(bytes: &[u8], at: usize) -> Option<Msix> {
    let (control, table, pba) = (word(bytes, at + 2)?, dword(bytes, at + 4)?, dword(bytes, at + 8)?);
    let bar = |register: u32| u8::try_from(register & 7).unwrap_or(0);
    Some(Msix {
        vectors: (control & 0x7ff) + 1,
        table_bar: bar(table),
        table_offset: table & !7,
        pba_bar: bar(pba),
        pba_offset: pba & !7,
    })
}

fn express(bytes: &[u8], at: usize) -> Option<String> {
    let mut text = String::with_capacity(24);
    let _ = write!(text, "{:04x} {:08x} {:08x}", word(bytes, at + 2)?, dword(bytes, at + 4)?, dword(bytes, at + 12)?);
    Some(text)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn dword(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A VF: all ones for the ids, MSI-X at 0x70, Express at 0xa0.
    fn igb_vf() -> Vec<u8> {
        let mut bytes = vec![0u8; WHOLE];
        bytes[..4].fill(0xff);
        bytes[STATUS] = 0x10;
        bytes[8] = 1;
        bytes[CAPABILITY_LIST] = 0x70;
        bytes[0x70..0x7c].copy_from_slice(&[0x11, 0xa0, 2, 0, 3, 0, 0, 0, 3, 0x20, 0, 0]);
        bytes[0xa0..0xa4].copy_from_slice(&[0x10, 0, 2, 0]);
        bytes
    }

    #[test]
    fn reads_msix_and_the_capability_list() {
        let space = parse(&igb_vf()).unwrap();
        assert_eq!(space.ids, None);
        assert_eq!(space.revision, 1);
        assert_eq!(
            space.capabilities,
            Some(vec![Capability { id: 0x11, offset: 0x70 }, Capability { id: 0x10, offset: 0xa0 }])
        );
        assert_eq!(
            space.msix,
            Some(Msix { vectors: 3, table_bar: 3, table_offset: 0, pba_bar: 3, pba_offset: 0x2000 })
        );
        assert_eq!(space.pcie.as_deref(), Some("0002 00000000 00000000"));
    }

    #[test]
    fn without_rights_capabilities_are_unknown_and_not_empty() {
        assert_eq!(parse(&igb_vf()[..HEADER]).unwrap().capabilities, None);
        let mut none = igb_vf();
        none[STATUS] = 0;
        assert_eq!(parse(&none[..HEADER]).unwrap().capabilities, Some(Vec::new()));
    }

    #[test]
    fn a_loop_ends() {
        let mut bytes = igb_vf();
        bytes[0x71] = 0x70;
        assert_eq!(parse(&bytes).unwrap().capabilities.unwrap().len(), 48);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
