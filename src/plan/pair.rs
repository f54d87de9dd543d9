//! What must be equal between a guest's device and the one that takes its place.
//!
//! Each rule compares one fact and knows three answers. Planner and checks use the same rules, so that a device the planner
//! takes is one that the checks pass, if there is any.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
pub use crate::model::finding::Answer;
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::VfAdmin;
use crate::model::snapshot::{DevType, Device, Snapshot, Supported};

/// A device of the source and one of the destination, with their PFs.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the guest has.
    pub source: &'a Device,
    /// What it would get.
    pub destination: &'a Device,
    /// PF of the first.
    pub source_pf: Option<&'a Device>,
    /// PF of the second.
    pub destination_pf: Option<&'a Device>,
    /// Whether both QEMUs can do without pre-copy on the source alone: see [`SOURCE_ASKS`].
    pub source_asks: Answer,
}

/// From this QEMU on the source asks the destination by itself whether it has all initial data, unless the machine type
/// is older (`hw/core/machine.c` of 11.1.0, `hw_compat_11_0`: `switchover-ack-legacy=on`). Then a device without pre-copy
/// can move to one with it; before, the destination waits for data that never comes. Tried with 11.1.3 on both hosts and
/// the machine types 10.0, 11.0 and 11.1, 2026-11-28.
pub const SOURCE_ASKS: (u32, u32) = (11, 1);

/// Whether a version, of QEMU or of a machine type, is one in which the source asks.
pub fn source_asks(version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
    Some((major, minor) >= SOURCE_ASKS)
}

impl<'a> Pair<'a> {
    /// A pair of devices with their PFs.
    pub fn new(source: (&'a Snapshot, &'a Device), destination: (&'a Snapshot, &'a Device)) -> Self {
        let pf = |snapshot: &'a Snapshot, device: &'a Device| device.parent_addr.and_then(|pf| snapshot.device(pf));
        Self {
            source: source.1,
            destination: destination.1,
            source_pf: pf(source.0, source.1),
            destination_pf: pf(destination.0, destination.1),
            source_asks: all([source.0, destination.0].map(|host| {
                match host.host.qemu.as_deref().and_then(source_asks) {
                    Some(true) => Answer::Yes,
                    Some(false) => Answer::No,
                    None => Answer::Unknown,
                }
            })),
        }
    }
}

/// Why a device is not taken, as reports name it.
#[derive(Debug, Clone, Copy)]
pub struct PairRule {
    /// Code of the check that reports it.
    pub code: &'static str,
    /// The comparison.
    pub compare: fn(&Pair<'_>) -> Answer,
}

/// Rules that a device must pass to take over the state of another.
pub const RULES: &[PairRule] = &[
    PairRule { code: codes::DEVICE_IDENTITY, compare: identity },
    PairRule { code: codes::DEVICE_SUBSYSTEM, compare: subsystem },
    PairRule { code: codes::VARIANT_DRIVER, compare: driver },
    PairRule { code: codes::PROBED_MIGRATABLE, compare: probed },
    PairRule { code: codes::MIGRATION_FLAGS, compare: flags },
    PairRule { code: codes::BAR_LAYOUT, compare: bars },
    PairRule { code: codes::MSIX_LAYOUT, compare: msix },
    PairRule { code: codes::CAPABILITY_LIST, compare: capabilities },
    PairRule { code: codes::FIRMWARE_PSID, compare: psid },
    PairRule { code: codes::VENDOR_FACTS, compare: vendor },
];

fn equal<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> Answer {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Answer::Yes,
        (Some(_), Some(_)) => Answer::No,
        _ => Answer::Unknown,
    }
}

/// The worst of several answers.
fn all(answers: impl IntoIterator<Item = Answer>) -> Answer {
    answers.into_iter().fold(Answer::Yes, |worst, answer| match (worst, answer) {
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
        (Answer::Yes, Answer::Yes) => Answer::Yes,
    })
}

/// Vendor, product, class, revision and type: QEMU compares the first four late, with the guest already paused.
pub fn identity(pair: &Pair<'_>) -> Answer {
    let (s, d) = (pair.source, pair.destination);
    all([
        equal(s.vendor_id.as_ref(), d.vendor_id.as_ref()),
        equal(s.product_id.as_ref(), d.product_id.as_ref()),
        equal(s.class.as_ref(), d.class.as_ref()),
        equal(s.revision.as_ref(), d.revision.as_ref()),
        if s.dev_type == d.dev_type { Answer::Yes } else { Answer::No },
    ])
}

/// Subsystem ids, by which guest drivers bind.
pub fn subsystem(pair: &Pair<'_>) -> Answer {
    let (s, d) = (pair.source, pair.destination);
    all([
        equal(s.subsystem_vendor_id.as_ref(), d.subsystem_vendor_id.as_ref()),
        equal(s.subsystem_device_id.as_ref(), d.subsystem_device_id.as_ref()),
    ])
}

/// The VFIO driver a device has, or gets from libvirt when the guest starts. `-` and `_` are the same in module names.
pub fn effective_driver(device: &Device) -> Option<String> {
    let bound = device.migration.variant_driver.as_deref().or_else(|| {
        device.driver.as_deref().filter(|driver| same_module(driver, "vfio-pci") || device.vfio_dev.is_some())
    });
    bound.or(device.candidate_driver.as_deref()).map(|name| name.replace('-', "_"))
}

/// Whether two names are the same module.
pub fn same_module(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes().zip(b.bytes()).all(|(a, b)| a == b || (matches!(a, b'-' | b'_') && matches!(b, b'-' | b'_')))
}

/// The same variant driver on both sides.
pub fn driver(pair: &Pair<'_>) -> Answer {
    let (s, d) = (effective_driver(pair.source), effective_driver(pair.destination));
    match (s.as_deref(), d.as_deref()) {
        (Some("vfio_pci"), _) | (_, Some("vfio_pci")) => Answer::No,
        (s, d) => equal(s.as_ref(), d.as_ref()),
    }
}

/// What both devices answer when asked whether they can migrate. A driver's name is no answer.
pub fn probed(pair: &Pair<'_>) -> Answer {
    let answer = |device: &Device| match device.migration.supported {
        Some(Supported::Yes) => Answer::Yes,
        Some(Supported::No) => Answer::No,
        None => Answer::Unknown,
    };
    all([answer(pair.source), answer(pair.destination)])
}

/// The same phases and peer-to-peer support. Where only the destination has pre-copy, the machine type may decide, which
/// is the guest's: not known here.
pub fn flags(pair: &Pair<'_>) -> Answer {
    let (Some(source), Some(destination)) = (phases(pair.source), phases(pair.destination)) else {
        return Answer::Unknown;
    };
    if source == destination {
        Answer::Yes
    } else if pair.source_asks != Answer::No && is_precopy_alone(&source, &destination) {
        Answer::Unknown
    } else {
        Answer::No
    }
}

/// Whether pre-copy on the destination is all that keeps the flags of a pair apart.
pub fn precopy_alone(pair: &Pair<'_>) -> bool {
    let both = phases(pair.source).zip(phases(pair.destination));
    both.is_some_and(|(source, destination)| is_precopy_alone(&source, &destination))
}

fn is_precopy_alone(source: &[&str], destination: &[&str]) -> bool {
    let without: Vec<&str> = destination.iter().copied().filter(|flag| *flag != "pre-copy").collect();
    without.len() < destination.len() && source == without
}

fn phases(device: &Device) -> Option<Vec<&str>> {
    let flags = device.migration.flags.as_ref()?;
    let mut phases: Vec<&str> = flags.iter().map(String::as_str).filter(|flag| *flag != "dirty-tracking").collect();
    phases.sort_unstable();
    Some(phases)
}

/// Base address registers: number, kind and size. QEMU does not compare sizes at all.
pub fn bars(pair: &Pair<'_>) -> Answer {
    equal(pair.source.bars.as_ref(), pair.destination.bars.as_ref())
}

/// The MSI-X table.
pub fn msix(pair: &Pair<'_>) -> Answer {
    let known = |device: &Device| device.msix.is_some() || device.why_unknown("msix").is_none();
    match (&pair.source.msix, &pair.destination.msix) {
        (s, d) if s == d && known(pair.source) && known(pair.destination) => Answer::Yes,
        _ if known(pair.source) && known(pair.destination) => Answer::No,
        _ => Answer::Unknown,
    }
}

/// The capability list with its offsets.
pub fn capabilities(pair: &Pair<'_>) -> Answer {
    equal(pair.source.capabilities.as_ref(), pair.destination.capabilities.as_ref())
}

/// The parameter-set id of the card: another one is another card. Only NVIDIA cards have it.
pub fn psid(pair: &Pair<'_>) -> Answer {
    if !is_mlx5(pair.source) {
        return Answer::Yes;
    }
    equal(psid_of(pair.source, pair.source_pf).as_ref(), psid_of(pair.destination, pair.destination_pf).as_ref())
}

/// The parameter-set id of a device's card, which a VF has from its PF.
pub fn psid_of<'a>(device: &'a Device, pf: Option<&'a Device>) -> Option<&'a str> {
    let firmware = device.firmware.as_ref().or_else(|| pf.and_then(|pf| pf.firmware.as_ref()));
    firmware?.psid.as_deref()
}

/// Whether the device is driven by mlx5.
pub fn is_mlx5(device: &Device) -> bool {
    device.vendor_id.is_some_and(|id| id.0 == 0x15b3) && matches!(device.dev_type, DevType::Vf | DevType::Pf)
}

/// Facts that only one vendor has (vGPU type, QAT services, queue pairs), with their values on both sides: a VF's own, its
/// PF's, and those that its driver is known to compare.
pub fn vendor_facts<'a>(pair: &Pair<'a>) -> BTreeMap<&'a str, (Option<&'a Value>, Option<&'a Value>)> {
    let of =
        |device: &'a Device, pf: Option<&'a Device>| device.vendor.iter().chain(pf.into_iter().flat_map(|p| &p.vendor));
    let mut facts: BTreeMap<&str, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
    for (key, value) in of(pair.source, pair.source_pf) {
        facts.entry(key).or_default().0.get_or_insert(value);
    }
    for (key, value) in of(pair.destination, pair.destination_pf) {
        // What only the destination says was not asked of the source.
        if let Some(both) = facts.get_mut(key.as_str()) {
            both.1.get_or_insert(value);
        }
    }
    for key in compared_by(effective_driver(pair.source).as_deref()) {
        facts.entry(key).or_default();
    }
    facts
}

/// What a driver compares itself when it loads a state, by the names of the snapshot's vendor facts.
fn compared_by(driver: Option<&str>) -> &'static [&'static str] {
    match driver {
        Some("qat_vfio_pci") => &["cfg_services"],
        Some("hisi_acc_vfio_pci") => &["pf_q_num", "vfs"],
        Some("nvidia") => &["vgpu_type", "vgpu_manager"],
        _ => &[],
    }
}

/// Vendor facts must be equal on both hosts.
pub fn vendor(pair: &Pair<'_>) -> Answer {
    all(vendor_facts(pair).into_values().map(|(s, d)| equal(s, d)))
}

/// The physical network that the device is on, by the spec that matches it or by its own word.
pub fn physical_network(device: &Device) -> Option<&Value> {
    device.tags.physical_network.as_ref().or(device.physical_network.as_ref())
}

/// Whether a migration of the device is under way.
pub fn is_migrating(device: &Device) -> bool {
    device.claimed_by.is_some()
        || device
            .migration
            .state
            .as_deref()
            .is_some_and(|state| matches!(state, "STOP_COPY" | "RESUMING" | "PRE_COPY" | "PRE_COPY_P2P"))
}

/// Whether it is a network function.
pub fn is_network(device: &Device) -> bool {
    device.class.as_deref().is_none_or(|class| class.trim_start_matches("0x").starts_with("02"))
}

/// Members of the device's IOMMU group that the host itself uses: bound to a driver that is neither VFIO's nor a bridge's.
pub fn group_in_use(snapshot: &Snapshot, device: &Device) -> Vec<PciAddress> {
    device
        .iommu_group_members
        .iter()
        .filter(|address| **address != device.address)
        .filter_map(|address| snapshot.device(*address))
        .filter(|other| {
            let bridge = other.class.as_deref().is_some_and(|class| class.trim_start_matches("0x").starts_with("06"));
            let vfio = other.has_variant_driver()
                || other.vfio_dev.is_some()
                || other.driver.as_deref().is_none_or(|driver| same_module(driver, "vfio-pci"));
            !bridge && !vfio
        })
        .map(|other| other.address)
        .collect()
}

/// What the PF enforces otherwise for the second VF, as `ip link` names it, with both values. A MAC that nobody set is free.
pub fn vf_admin_differences(s: &VfAdmin, d: &VfAdmin) -> Vec<(&'static str, String, String)> {
    fn switch(value: Option<bool>) -> Option<String> {
        value.map(|on| if on { "on".to_owned() } else { "off".to_owned() })
    }
    fn number<T: ToString>(value: Option<T>) -> Option<String> {
        value.map(|number| number.to_string())
    }
    let set = |mac: &Option<String>| mac.clone().filter(|mac| mac.chars().any(|c| !matches!(c, '0' | ':')));
    let facts = [
        ("mac", set(&s.mac), set(&s.mac).and_then(|_| d.mac.clone())),
        ("vlan", number(s.vlan), number(d.vlan)),
        ("qos", number(s.qos), number(d.qos)),
        ("trust", switch(s.trust), switch(d.trust)),
        ("spoofchk", switch(s.spoofchk), switch(d.spoofchk)),
        ("min_tx_rate", number(s.rate_min), number(d.rate_min)),
        ("max_tx_rate", number(s.rate_max), number(d.rate_max)),
        ("state", s.link_state.clone(), d.link_state.clone()),
    ];
    facts.into_iter().filter_map(|(what, s, d)| Some((what, s?, d?))).filter(|(_, s, d)| s != d).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::device::Migration;

    #[test]
    fn vendor_facts_of_vf_and_pf_must_be_equal_and_known() {
        let with = |facts: &[(&str, &str)]| Device {
            vendor: facts.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect(),
            migration: Migration { variant_driver: Some("qat_vfio_pci".to_owned()), ..Migration::default() },
            ..Device::default()
        };
        let (vf, sym, dc) = (with(&[]), with(&[("cfg_services", "sym")]), with(&[("cfg_services", "dc")]));
        let compare = |source_pf, destination_pf| {
            let pair = Pair { source: &vf, destination: &vf, source_pf, destination_pf, source_asks: Answer::No };
            vendor(&pair)
        };
        assert_eq!(compare(Some(&sym), Some(&sym)), Answer::Yes);
        assert_eq!(compare(Some(&sym), Some(&dc)), Answer::No);
        assert_eq!(compare(Some(&sym), Some(&vf)), Answer::Unknown);
        assert_eq!(compare(None, None), Answer::Unknown, "QAT compares it, so not knowing is no yes");
        let mlx5 = Device { migration: Migration::default(), ..Device::default() };
        let pair =
            Pair { source: &mlx5, destination: &sym, source_pf: None, destination_pf: None, source_asks: Answer::No };
        assert_eq!(vendor(&pair), Answer::Yes, "only the destination says something that nobody compares");
    }
}
