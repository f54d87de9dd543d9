//! What must be equal between a guest's device and the one that takes its place.
//!
//! Each rule compares one fact and knows three answers. Planner and checks use the same rules, so that a device the planner
//! takes is one that the checks pass, if there is any.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
pub(crate) use crate::model::finding::Answer;
use crate::model::pci::PciAddress;
use crate::model::snapshot::device::VfAdmin;
use crate::model::snapshot::host::Host;
use crate::model::snapshot::{DevType, Device, Snapshot, Supported};
use crate::model::vfio_drivers;

/// A device with its PF: all that a rule may look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    /// The device.
    pub device: &'a Device,
    /// Its PF, when it is a VF.
    pub pf: Option<&'a Device>,
}

impl<'a> End<'a> {
    /// A device of `host` with its PF.
    pub(crate) fn of(host: &'a Snapshot, device: &'a Device) -> Self {
        Self { device, pf: device.parent_addr.and_then(|pf| host.device(pf)) }
    }
}

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
    /// What a difference of the vGPU manager's releases means: the function of that name says it.
    pub vgpu_releases: Answer,
}

/// Whether two releases of NVIDIA's vGPU manager take over each other's state: only the same release does, but from RHEL 9.6 on
/// different ones may, if ECC is set alike on both GPUs and neither GSP nor unified memory forbids it, which no host tells
/// (NVIDIA's notes as KubeVirt's VEP 109 quotes them, 2026-11-28).
fn vgpu_releases(hosts: [&Snapshot; 2]) -> Answer {
    let may = hosts.iter().all(|host| host.host.enterprise_linux().is_some_and(|release| release >= (9, 6)));
    if may { Answer::Unknown } else { Answer::No }
}

/// From this QEMU on the source asks the destination by itself whether it has all initial data, unless the machine type
/// is older (`hw/core/machine.c` of 11.1.0, `hw_compat_11_0`: `switchover-ack-legacy=on`). Then a device without pre-copy
/// can move to one with it; before, the destination waits for data that never comes. Tried with 11.1.3 on both hosts and
/// the machine types 10.0, 11.0 and 11.1, 2026-11-28.
pub(crate) const SOURCE_ASKS: (u32, u32) = (11, 1);

/// Whether a version, of QEMU or of a machine type, is one in which the source asks.
pub(crate) fn source_asks(version: &str) -> Option<bool> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else { return None };
    Some((major, minor) >= SOURCE_ASKS)
}

impl<'a> Pair<'a> {
    /// A pair of devices with their PFs.
    pub fn new(source: (&'a Snapshot, &'a Device), destination: (&'a Snapshot, &'a Device)) -> Self {
        let source_asks =
            all([source.0, destination.0].map(|host| match host.host.qemu.as_deref().and_then(source_asks) {
                Some(true) => Answer::Yes,
                Some(false) => Answer::No,
                None => Answer::Unknown,
            }));
        let vgpu_releases = vgpu_releases([source.0, destination.0]);
        let (source, destination) = (End::of(source.0, source.1), End::of(destination.0, destination.1));
        Self {
            source: source.device,
            destination: destination.device,
            source_pf: source.pf,
            destination_pf: destination.pf,
            source_asks,
            vgpu_releases,
        }
    }

    fn ends(&self) -> [End<'a>; 2] {
        [End { device: self.source, pf: self.source_pf }, End { device: self.destination, pf: self.destination_pf }]
    }
}

/// One rule: a device that fails it is not taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PairRule {
    /// Code of the check that reports it.
    pub code: &'static str,
    /// The comparison.
    pub compare: fn(&Pair<'_>) -> Answer,
    /// Whether two devices of one host give it the same facts, so that its answer for one is its answer for the other.
    alike: fn(End<'_>, End<'_>) -> bool,
}

/// Declares the rules. Each reads its facts of one end with the function of its name in [`facts`], and compares two ends'
/// with the one in [`compare`], which sees nothing else of them, and at most a field that is the same for every pair of
/// these hosts. So what the planner takes as equal is what the rules look at.
macro_rules! pair_rules {
    ($($(#[doc = $doc:literal])+ $name:ident: $code:ident $(, $of_hosts:ident)?;)+) => {
        $(
            $(#[doc = $doc])+
            pub(crate) fn $name(pair: &Pair<'_>) -> Answer {
                let [source, destination] = pair.ends();
                compare::$name(facts::$name(source), facts::$name(destination) $(, pair.$of_hosts)?)
            }
        )+

        /// Rules that a device must pass to take over the state of another.
        pub(crate) const RULES: &[PairRule] = &[$(
            PairRule {
                code: codes::$code,
                compare: $name,
                alike: |one, other| facts::$name(one) == facts::$name(other),
            }
        ),+];
    };
}

pair_rules! {
    /// Vendor, product, class, revision and type: QEMU compares the first four late, with the guest already paused.
    identity: DEVICE_IDENTITY;
    /// Subsystem ids, by which guest drivers bind.
    subsystem: DEVICE_SUBSYSTEM;
    /// The same variant driver on both sides.
    driver: VARIANT_DRIVER;
    /// What both devices answer when asked whether they can migrate. A driver's name is no answer.
    probed: PROBED_MIGRATABLE;
    /// The same phases and peer-to-peer support. Where only the destination has pre-copy, the machine type may decide, which
    /// is the guest's: not known here.
    flags: MIGRATION_FLAGS, source_asks;
    /// Base address registers: number, kind and size. QEMU does not compare sizes at all.
    bars: BAR_LAYOUT;
    /// The MSI-X table.
    msix: MSIX_LAYOUT;
    /// The capability list with its offsets.
    capabilities: CAPABILITY_LIST;
    /// The parameter-set id of the card: another one is another card. Only NVIDIA cards have it.
    psid: FIRMWARE_PSID;
    /// Facts that only one vendor has must be equal on both hosts, but for releases that may differ.
    vendor: VENDOR_FACTS, vgpu_releases;
}

/// Whether two devices of one host give every rule the same facts.
pub(crate) fn alike(one: End<'_>, other: End<'_>) -> bool {
    RULES.iter().all(|rule| (rule.alike)(one, other))
}

/// What each rule looks at.
mod facts {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use crate::model::pci::PciId;
    use crate::model::snapshot::device::{Bar, Capability, Msix};
    use crate::plan::pair::{DevType, Device, End, Supported, is_mlx5, psid_of};

    pub(super) type Identity<'a> = (Option<PciId>, Option<PciId>, Option<&'a str>, Option<&'a str>, DevType);

    pub(super) fn identity(end: End<'_>) -> Identity<'_> {
        let Device { vendor_id, product_id, class, revision, dev_type, .. } = end.device;
        (*vendor_id, *product_id, class.as_deref(), revision.as_deref(), *dev_type)
    }

    pub(super) fn subsystem(end: End<'_>) -> [Option<PciId>; 2] {
        [end.device.subsystem_vendor_id, end.device.subsystem_device_id]
    }

    /// The bound variant driver, the bound driver, whether a VFIO device is there, and the candidate.
    pub(super) type Driver<'a> = (Option<&'a str>, Option<&'a str>, bool, Option<&'a str>);

    pub(super) fn driver(end: End<'_>) -> Driver<'_> {
        let device = end.device;
        let variant = device.migration.variant_driver.as_deref();
        (variant, device.driver.as_deref(), device.vfio_dev.is_some(), device.candidate_driver.as_deref())
    }

    pub(super) fn probed(end: End<'_>) -> Option<Supported> {
        end.device.migration.supported
    }

    pub(super) fn flags(end: End<'_>) -> Option<&[String]> {
        end.device.migration.flags.as_deref()
    }

    pub(super) fn bars(end: End<'_>) -> Option<&[Bar]> {
        end.device.bars.as_deref()
    }

    /// The table, and whether it is known to be the whole truth.
    pub(super) fn msix(end: End<'_>) -> (Option<&Msix>, bool) {
        let table = end.device.msix.as_ref();
        (table, table.is_some() || end.device.why_unknown("msix").is_none())
    }

    pub(super) fn capabilities(end: End<'_>) -> Option<&[Capability]> {
        end.device.capabilities.as_deref()
    }

    /// Whether the device is driven by mlx5, and its card's id.
    pub(super) fn psid(end: End<'_>) -> (bool, Option<&str>) {
        (is_mlx5(end.device), psid_of(end.device, end.pf))
    }

    pub(super) type Vendor<'a> = (BTreeMap<&'a str, &'a Value>, Driver<'a>);

    /// The facts of the device itself and of its PF, the device's first, and the driver that compares some of them.
    pub(super) fn vendor(end: End<'_>) -> Vendor<'_> {
        let mut all = BTreeMap::new();
        for (key, value) in end.device.vendor.iter().chain(end.pf.into_iter().flat_map(|pf| &pf.vendor)) {
            all.entry(key.as_str()).or_insert(value);
        }
        (all, driver(end))
    }
}

/// What each rule answers, from the facts of the source and of the destination.
mod compare {
    use crate::model::pci::PciId;
    use crate::model::snapshot::device::{Bar, Capability, Msix};
    use crate::plan::pair::facts::{Driver, Identity, Vendor};
    use crate::plan::pair::{
        Answer, Supported, VGPU_MANAGER, all, effective, equal, is_precopy_alone, phases, vendor_pairs,
    };

    pub(super) fn identity(s: Identity<'_>, d: Identity<'_>) -> Answer {
        all([
            equal(s.0.as_ref(), d.0.as_ref()),
            equal(s.1.as_ref(), d.1.as_ref()),
            equal(s.2.as_ref(), d.2.as_ref()),
            equal(s.3.as_ref(), d.3.as_ref()),
            if s.4 == d.4 { Answer::Yes } else { Answer::No },
        ])
    }

    pub(super) fn subsystem(s: [Option<PciId>; 2], d: [Option<PciId>; 2]) -> Answer {
        all([equal(s[0].as_ref(), d[0].as_ref()), equal(s[1].as_ref(), d[1].as_ref())])
    }

    pub(super) fn driver(s: Driver<'_>, d: Driver<'_>) -> Answer {
        let (s, d) = (effective(s), effective(d));
        match (s.as_deref(), d.as_deref()) {
            (Some("vfio_pci"), _) | (_, Some("vfio_pci")) => Answer::No,
            (s, d) => equal(s.as_ref(), d.as_ref()),
        }
    }

    pub(super) fn probed(s: Option<Supported>, d: Option<Supported>) -> Answer {
        let answer = |supported: Option<Supported>| match supported {
            Some(Supported::Yes) => Answer::Yes,
            Some(Supported::No) => Answer::No,
            None => Answer::Unknown,
        };
        all([answer(s), answer(d)])
    }

    pub(super) fn flags(s: Option<&[String]>, d: Option<&[String]>, source_asks: Answer) -> Answer {
        match (phases(s), phases(d)) {
            (Some(s), Some(d)) if s == d => Answer::Yes,
            (Some(s), Some(d)) if source_asks != Answer::No && is_precopy_alone(&s, &d) => Answer::Unknown,
            (Some(_), Some(_)) => Answer::No,
            (None, _) | (_, None) => Answer::Unknown,
        }
    }

    pub(super) fn bars(s: Option<&[Bar]>, d: Option<&[Bar]>) -> Answer {
        equal(s.as_ref(), d.as_ref())
    }

    pub(super) fn msix((s, s_known): (Option<&Msix>, bool), (d, d_known): (Option<&Msix>, bool)) -> Answer {
        if !(s_known && d_known) {
            return Answer::Unknown;
        }
        if s == d { Answer::Yes } else { Answer::No }
    }

    pub(super) fn capabilities(s: Option<&[Capability]>, d: Option<&[Capability]>) -> Answer {
        equal(s.as_ref(), d.as_ref())
    }

    pub(super) fn psid((is_mlx5, s): (bool, Option<&str>), (_, d): (bool, Option<&str>)) -> Answer {
        if is_mlx5 { equal(s.as_ref(), d.as_ref()) } else { Answer::Yes }
    }

    pub(super) fn vendor(s: Vendor<'_>, d: Vendor<'_>, vgpu_releases: Answer) -> Answer {
        all(vendor_pairs(s, d).into_iter().map(|(key, (s, d))| match equal(s, d) {
            Answer::No if key == VGPU_MANAGER => vgpu_releases,
            answer => answer,
        }))
    }
}

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

/// The VFIO driver a device has, or gets from libvirt when the guest starts. `-` and `_` are the same in module names.
pub(crate) fn effective_driver(device: &Device) -> Option<String> {
    effective(facts::driver(End { device, pf: None }))
}

fn effective((variant, driver, vfio, candidate): facts::Driver<'_>) -> Option<String> {
    let bound = variant.or_else(|| driver.filter(|driver| same_module(driver, "vfio-pci") || vfio));
    bound.or(candidate).map(|name| name.replace('-', "_"))
}

/// Whether two names are the same module.
pub(crate) fn same_module(a: &str, b: &str) -> bool {
    a.len() == b.len()
        && a.bytes().zip(b.bytes()).all(|(a, b)| a == b || (matches!(a, b'-' | b'_') && matches!(b, b'-' | b'_')))
}

/// Whether pre-copy on the destination is all that keeps the flags of a pair apart.
pub(crate) fn precopy_alone(pair: &Pair<'_>) -> bool {
    let [source, destination] = pair.ends().map(|end| phases(facts::flags(end)));
    source.zip(destination).is_some_and(|(source, destination)| is_precopy_alone(&source, &destination))
}

fn is_precopy_alone(source: &[&str], destination: &[&str]) -> bool {
    let without: Vec<&str> = destination.iter().copied().filter(|flag| *flag != "pre-copy").collect();
    without.len() < destination.len() && source == without
}

fn phases(flags: Option<&[String]>) -> Option<Vec<&str>> {
    let mut phases: Vec<&str> = flags?.iter().map(String::as_str).filter(|flag| *flag != "dirty-tracking").collect();
    phases.sort_unstable();
    Some(phases)
}

/// The parameter-set id of a device's card, which a VF has from its PF.
pub(crate) fn psid_of<'a>(device: &'a Device, pf: Option<&'a Device>) -> Option<&'a str> {
    let firmware = device.firmware.as_ref().or_else(|| pf.and_then(|pf| pf.firmware.as_ref()));
    firmware?.psid.as_deref()
}

/// How many migrations at once the PF of this VF, or this PF, takes: as many as the operator says, else as is known of its kind;
/// `None` where neither is.
pub(crate) fn slots(host: &Host, device: &Device) -> Option<usize> {
    let said = host.slots.as_ref().and_then(|slots| slots.per_pf);
    let said = said.map(|slots| usize::try_from(slots).unwrap_or(usize::MAX));
    said.or_else(|| vfio_drivers::per_pf(device.vendor_id?.0))
}

/// Whether the device is driven by mlx5.
pub(crate) fn is_mlx5(device: &Device) -> bool {
    device.vendor_id.is_some_and(|id| id.0 == 0x15b3) && matches!(device.dev_type, DevType::Vf | DevType::Pf)
}

/// Facts that only one vendor has (vGPU type, QAT services, queue pairs), with their values on both sides: a VF's own, its
/// PF's, and those that its driver is known to compare.
pub(crate) fn vendor_facts<'a>(pair: &Pair<'a>) -> BTreeMap<&'a str, (Option<&'a Value>, Option<&'a Value>)> {
    let [source, destination] = pair.ends();
    vendor_pairs(facts::vendor(source), facts::vendor(destination))
}

fn vendor_pairs<'a>(
    (source, driver): facts::Vendor<'a>,
    (mut destination, _): facts::Vendor<'a>,
) -> BTreeMap<&'a str, (Option<&'a Value>, Option<&'a Value>)> {
    let mut facts: BTreeMap<_, _> =
        source.into_iter().map(|(key, value)| (key, (Some(value), destination.remove(key)))).collect();
    // What only the destination says was not asked of the source.
    for key in compared_by(effective(driver).as_deref()) {
        facts.entry(key).or_default();
    }
    facts
}

/// The release of NVIDIA's vGPU manager among the vendor's facts.
const VGPU_MANAGER: &str = "vgpu_manager";

/// What a driver compares itself when it loads a state, by the names of the snapshot's vendor facts.
fn compared_by(driver: Option<&str>) -> &'static [&'static str] {
    match driver {
        Some("qat_vfio_pci") => &["cfg_services"],
        Some("hisi_acc_vfio_pci") => &["pf_q_num", "vfs"],
        Some("nvidia") => &["vgpu_type", VGPU_MANAGER],
        _ => &[],
    }
}

/// The physical network that the device is on, by the spec that matches it or by its own word.
pub(crate) fn physical_network(device: &Device) -> Option<&Value> {
    device.tags.physical_network.as_ref().or(device.physical_network.as_ref())
}

/// Whether a migration of the device is under way.
pub(crate) fn is_migrating(device: &Device) -> bool {
    device.claimed_by.is_some() || device.migration.state.as_deref().is_some_and(is_migrating_state)
}

/// Whether a VFIO state word is one of a migration under way. The kernel writes `PRE_COPY_P2P`, QEMU `pre-copy-p2p`, and from
/// 11.0 on `pre-copy-p2p-prepare`.
pub(crate) fn is_migrating_state(state: &str) -> bool {
    let state = state.to_ascii_uppercase().replace('-', "_");
    matches!(state.as_str(), "STOP_COPY" | "RESUMING") || state.starts_with("PRE_COPY")
}

/// Whether it is a network function.
pub(crate) fn is_network(device: &Device) -> bool {
    device.class.as_deref().is_none_or(|class| class.trim_start_matches("0x").starts_with("02"))
}

/// Members of the device's IOMMU group that the host itself uses: bound to a driver that is neither VFIO's nor a bridge's.
pub(crate) fn group_in_use(snapshot: &Snapshot, device: &Device) -> Vec<PciAddress> {
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
pub(crate) fn vf_admin_differences(s: &VfAdmin, d: &VfAdmin) -> Vec<(&'static str, String, String)> {
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
    fn every_word_of_a_migration_under_way_is_known() {
        let migrating = |state: &str| {
            let migration = Migration { state: Some(state.to_owned()), ..Migration::default() };
            is_migrating(&Device { migration, ..Device::default() })
        };
        let busy = ["STOP_COPY", "RESUMING", "PRE_COPY", "PRE_COPY_P2P", "pre-copy-p2p", "pre-copy-p2p-prepare"];
        assert!(busy.into_iter().all(migrating));
        assert!(!["RUNNING", "RUNNING_P2P", "STOP", "ERROR", "running-p2p"].into_iter().any(migrating));
    }

    #[test]
    fn releases_of_the_vgpu_manager_may_differ_from_rhel_9_6_on() {
        let vgpu = |release: &str| Device {
            vendor: [("vgpu_type", "558"), (VGPU_MANAGER, release)].map(|(k, v)| (k.to_owned(), Value::from(v))).into(),
            driver: Some("nvidia".to_owned()),
            ..Device::default()
        };
        let host = |kernel: &str| {
            let host = crate::model::snapshot::Host { kernel: Some(kernel.to_owned()), ..Default::default() };
            Snapshot { host, ..Snapshot::default() }
        };
        let (old, new) = (vgpu("550.90.05"), vgpu("570.10.01"));
        let compare = |kernels: [&str; 2], target: &Device| {
            let [source, destination] = kernels.map(host);
            vendor(&Pair::new((&source, &old), (&destination, target)))
        };
        let (early, late) = ("5.14.0-503.el9_5.x86_64", "5.14.0-570.el9_6.x86_64");
        assert_eq!(compare([late, late], &new), Answer::Unknown, "ECC is not known");
        assert_eq!(compare([early, late], &new), Answer::No);
        assert_eq!(compare(["6.8.0-45-generic", late], &new), Answer::No);
        assert_eq!(compare([early, early], &old), Answer::Yes);
    }

    #[test]
    fn vendor_facts_of_vf_and_pf_must_be_equal_and_known() {
        let with = |facts: &[(&str, &str)]| Device {
            vendor: facts.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect(),
            migration: Migration { variant_driver: Some("qat_vfio_pci".to_owned()), ..Migration::default() },
            ..Device::default()
        };
        let (vf, sym, dc) = (with(&[]), with(&[("cfg_services", "sym")]), with(&[("cfg_services", "dc")]));
        let compare = |source_pf, destination_pf| {
            let pair = Pair {
                source: &vf,
                destination: &vf,
                source_pf,
                destination_pf,
                source_asks: Answer::No,
                vgpu_releases: Answer::No,
            };
            vendor(&pair)
        };
        assert_eq!(compare(Some(&sym), Some(&sym)), Answer::Yes);
        assert_eq!(compare(Some(&sym), Some(&dc)), Answer::No);
        assert_eq!(compare(Some(&sym), Some(&vf)), Answer::Unknown);
        assert_eq!(compare(None, None), Answer::Unknown, "QAT compares it, so not knowing is no yes");
        let mlx5 = Device { migration: Migration::default(), ..Device::default() };
        let pair = Pair {
            source: &mlx5,
            destination: &sym,
            source_pf: None,
            destination_pf: None,
            source_asks: Answer::No,
            vgpu_releases: Answer::No,
        };
        assert_eq!(vendor(&pair), Answer::Yes, "only the destination says something that nobody compares");
    }
}
