//! What must be the same for both devices of a pair, because the guest sees it or its state depends on it: one row for
//! each property, with how it is compared, what it is called, and how a value of it is shown.

use super::prelude::*;
use crate::model::pci::PciId;
use crate::plan::codes::{BAR_LAYOUT, CAPABILITY_LIST, DEVICE_IDENTITY, DEVICE_SUBSYSTEM, FIRMWARE_PSID, MSIX_LAYOUT};
use crate::plan::pair::Pair;

check! {
    /// The destination's device is another device than the guest's.
    ///
    /// # Meaning
    /// QEMU sends PCI config space at the very end of a migration and compares vendor, device, revision and class byte
    /// for byte. When they differ the load fails with the guest already paused ("Bad config data"). A PF cannot take
    /// over the state of a VF.
    /// # Check by hand
    /// lspci -nn -s ADDRESS on both hosts, and /sys/bus/pci/devices/ADDRESS/{class,revision}.
    /// # Fix
    /// A device of the same kind on the destination. The same vendor:device with another revision is another device.
    /// A failure cannot be allowed.
    DEVICE_IDENTITY: Error, Device(|pair| same(pair, "device ids", pair::identity, identity)), never_ignored;

    /// The destination's device has other subsystem ids.
    ///
    /// # Meaning
    /// Guest drivers bind by subsystem ids and switch quirks on by them. QEMU does not compare them, so a guest can
    /// arrive with a card that its driver does not expect, without any error.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/subsystem_{vendor,device} on both hosts.
    /// # Fix
    /// A card of the same make on the destination.
    DEVICE_SUBSYSTEM: Error, Device(|pair| same(pair, "subsystem ids", pair::subsystem, subsystem));

    /// The device's registers differ in number, kind or size.
    ///
    /// # Meaning
    /// QEMU does not compare sizes. A smaller register on the destination corrupts the guest silently. This check
    /// cannot be allowed when it fails.
    /// # Check by hand
    /// cat /sys/bus/pci/devices/ADDRESS/resource on both hosts: size is end - start + 1.
    /// # Fix
    /// A device with the same layout; the size of VF registers is often a firmware setting.
    BAR_LAYOUT: Error, Device(|pair| same(pair, "registers", pair::bars, bars)), never_ignored;

    /// The MSI-X table differs.
    ///
    /// # Meaning
    /// Number of vectors, BAR and offset of the MSI-X table are part of config space, which QEMU compares at the end of
    /// the migration: it fails with the guest already paused. A failure cannot be allowed.
    /// # Check by hand
    /// lspci -vv -s ADDRESS as root, capability MSI-X; the count can be set through sriov_vf_msix_count of the VF.
    /// # Fix
    /// echo COUNT > /sys/bus/pci/devices/VF/sriov_vf_msix_count on the destination, while the VF is unbound.
    MSIX_LAYOUT: Error, Device(|pair| same(pair, "MSI-X tables", pair::msix, msix)), never_ignored;

    /// The capability lists differ.
    ///
    /// # Meaning
    /// Positions and order of the PCI capabilities are part of config space, which QEMU compares at the end of the
    /// migration: it fails with the guest already paused. Only root reads more than the first 64 bytes.
    /// # Check by hand
    /// lspci -vv -s ADDRESS as root on both hosts.
    /// # Fix
    /// The same card and firmware; take snapshots as root.
    CAPABILITY_LIST: Error,
    Device(|pair| same(pair, "capability lists", pair::capabilities, capabilities)), never_ignored;

    /// The cards have different parameter-set ids (PSID).
    ///
    /// # Meaning
    /// NVIDIA asks for identical cards: the same PSID. Firmware of another one refuses the state when the guest is
    /// already paused.
    /// # Check by hand
    /// devlink dev info pci/PF, field fw.psid.
    /// # Fix
    /// A card with the same PSID.
    FIRMWARE_PSID: Error, Device(psid);

    /// The PCI Express capabilities differ.
    ///
    /// # Meaning
    /// Link and device capabilities are part of config space, which QEMU compares at the end of the migration.
    /// # Check by hand
    /// lspci -vv -s ADDRESS, capability Express.
    /// # Fix
    /// The same card in a slot of the same kind.
    "pcie-capabilities": Warning, Device(pcie);

    /// The expansion ROMs differ in size.
    ///
    /// # Meaning
    /// The ROM is part of what the guest sees: another size moves its other registers.
    /// # Check by hand
    /// The file rom in /sys/bus/pci/devices/ADDRESS.
    /// # Fix
    /// The same card and firmware, or <rom bar='off'/> at the next start.
    "rom-size": Warning, Device(|pair| same(pair, "expansion ROMs", roms, rom))
}

/// Compares a property. It does not concern a port that is detached and attached: another device may take its place.
fn same(
    device: &DevicePair<'_>,
    what: &str,
    compare: fn(&Pair<'_>) -> Answer,
    show: fn(&Device, Option<&Device>) -> String,
) -> Vec<Verdict> {
    if !device.migrates() {
        return Vec::new();
    }
    let Pair { source, destination, source_pf, destination_pf, .. } = device.pair;
    let (s, d) = (show(source, source_pf), show(destination, destination_pf));
    vec![
        Verdict::answer(
            compare(&device.pair),
            || format!("the {what} differ: {s} and {d}"),
            || format!("the {what} of {} or {} are not known", source.address, destination.address),
        )
        .facts(&s, &d),
    ]
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn id(id: Option<PciId>) -> String {
    id.map_or("????".to_owned(), |id| id.to_string())
}

fn identity(device: &Device, _: Option<&Device>) -> String {
    let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".to_owned());
    let (class, revision) = (word(&device.class), word(&device.revision));
    let ids = [id(device.vendor_id), id(device.product_id)].join(":");
    format!("{ids} class {class} rev {revision} {}", device.dev_type.as_str())
}

fn subsystem(device: &Device, _: Option<&Device>) -> String {
    [id(device.subsystem_vendor_id), id(device.subsystem_device_id)].join(":")
}

fn bars(device: &Device, _: Option<&Device>) -> String {
    let Some(bars) = &device.bars else { return unknown() };
    bars.iter().map(|bar| format!("BAR{} {}", bar.index, bytes(bar.size))).collect::<Vec<_>>().join(", ")
}

fn msix(device: &Device, _: Option<&Device>) -> String {
    device.msix.as_ref().map_or("none".to_owned(), |msix| {
        format!("{} vectors in BAR{} at {:#x}", msix.vectors, msix.table_bar, msix.table_offset)
    })
}

fn capabilities(device: &Device, _: Option<&Device>) -> String {
    let Some(list) = &device.capabilities else { return unknown() };
    list.iter().map(|c| format!("{:02x}@{:02x}", c.id, c.offset)).collect::<Vec<_>>().join(" ")
}

/// Only NVIDIA cards have one.
fn psid(device: &DevicePair<'_>) -> Vec<Verdict> {
    if !pair::is_mlx5(device.pair.source) {
        return Vec::new();
    }
    same(device, "PSIDs", pair::psid, |own, pf| pair::psid_of(own, pf).map_or_else(unknown, str::to_owned))
}

/// Not every kernel and driver shows them; nothing is said about what is not shown.
fn pcie(device: &DevicePair<'_>) -> Vec<Verdict> {
    if device.pair.source.pcie.is_none() || device.pair.destination.pcie.is_none() {
        return Vec::new();
    }
    let equal = |pair: &Pair<'_>| Answer::from(pair.source.pcie == pair.destination.pcie);
    same(device, "PCI Express capabilities", equal, |own, _| own.pcie.clone().unwrap_or_default())
}

fn roms(pair: &Pair<'_>) -> Answer {
    Answer::from(pair.source.rom.unwrap_or(0) == pair.destination.rom.unwrap_or(0))
}

fn rom(device: &Device, _: Option<&Device>) -> String {
    format!("{} bytes", device.rom.unwrap_or(0))
}
