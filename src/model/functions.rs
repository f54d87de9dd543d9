//! Which ids the VFs of an SR-IOV card have: a VF has a product id of its own, and PF and VF ids are easily mistaken.

use super::pci::PciId;
use super::snapshot::{DevType, Device, Snapshot};

/// Product ids of well-known SR-IOV devices: vendor, PF, its VFs.
const PAIRS: [(u16, u16, u16); 34] = [
    (0x15b3, 0x1013, 0x1014),
    (0x15b3, 0x1015, 0x1016),
    (0x15b3, 0x1017, 0x1018),
    (0x15b3, 0x1019, 0x101a),
    (0x15b3, 0x101b, 0x101c),
    (0x15b3, 0x101d, 0x101e),
    (0x15b3, 0x101f, 0x101e),
    (0x15b3, 0x1021, 0x101e),
    (0x15b3, 0x1023, 0x101e),
    (0x15b3, 0xa2d6, 0x101e),
    (0x15b3, 0xa2dc, 0x101e),
    (0x8086, 0x10c9, 0x10ca),
    (0x8086, 0x10fb, 0x10ed),
    (0x8086, 0x1528, 0x1515),
    (0x8086, 0x1521, 0x1520),
    (0x8086, 0x1563, 0x1565),
    (0x8086, 0x1572, 0x154c),
    (0x8086, 0x1583, 0x154c),
    (0x8086, 0x1584, 0x154c),
    (0x8086, 0x158b, 0x154c),
    (0x8086, 0x1592, 0x1889),
    (0x8086, 0x1593, 0x1889),
    (0x8086, 0x159b, 0x1889),
    (0x8086, 0x0435, 0x0443),
    (0x8086, 0x37c8, 0x37c9),
    (0x8086, 0x4940, 0x4941),
    (0x8086, 0x4942, 0x4943),
    (0x8086, 0x4944, 0x4945),
    (0x8086, 0x4946, 0x4947),
    (0x8086, 0x4948, 0x4949),
    (0x1dd8, 0x1002, 0x1003),
    (0x19e5, 0xa250, 0xa251),
    (0x19e5, 0xa255, 0xa256),
    (0x19e5, 0xa258, 0xa259),
];

/// The product id of the VFs of a PF with these ids, as far as the card is known.
pub(crate) fn vf_of(vendor: u16, product: u16) -> Option<u16> {
    PAIRS.iter().find(|pair| (pair.0, pair.1) == (vendor, product)).map(|pair| pair.2)
}

/// Whether these are the ids of a known card's VFs.
pub(crate) fn is_vf(vendor: u16, product: u16) -> bool {
    PAIRS.iter().any(|pair| (pair.0, pair.2) == (vendor, product))
}

/// The product id of a PF's VFs where it differs from the PF's own: what its VFs show, else what is known of the card.
pub(crate) fn other_id_of_vfs(host: &Snapshot, pf: &Device) -> Option<PciId> {
    if pf.dev_type != DevType::Pf {
        return None;
    }
    let own = pf.product_id?;
    let shown = host.devices.iter().find(|d| d.parent_addr == Some(pf.address)).and_then(|vf| vf.product_id);
    let vfs = shown.or_else(|| pf.vendor_id.and_then(|vendor| vf_of(vendor.0, own.0)).map(PciId));
    vfs.filter(|id| *id != own)
}

/// The one line about a PF's id where the id of VFs is meant.
pub(crate) fn told(pf: PciId, vfs: PciId) -> String {
    format!("{pf} is the PF; its VFs are {vfs}")
}
