//! What Placement holds of a host, beside what Nova's rules demand of it. Pure; nothing here changes Placement.

use std::collections::{BTreeMap, BTreeSet};

use super::placement::is_on;
use crate::model::finding::{Finding, Rule, rules};
use crate::model::paste::quoted;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{Device, HeldProvider, Provider, Snapshot};

rules! {
    /// Placement holds something else of a host's PCI devices than Nova's rules demand of it.
    ///
    /// # Meaning
    /// With report_in_placement nova-compute reports one resource provider for each PF or plain device, when it starts and
    /// with each of its periodic updates. The scheduler decides by what Placement holds: a provider or the trait
    /// HW_PCI_LIVE_MIGRATABLE that is missing means "No valid host", one that is stale means a choice that fails later.
    /// # Check by hand
    /// openstack resource provider list --in-tree UUID, resource provider inventory list, resource provider trait list.
    /// # Fix
    /// Restart nova-compute on the host; where it does not start, its log names the device.
    DIFFERS = "placement-differs", Warning;

    /// Placement has resources of a host set aside for what is not there.
    ///
    /// # Meaning
    /// Each server has an allocation in Placement for what it uses, and each migration that runs has one too. One that is
    /// left over keeps others from the host; a device in use without one may be given away twice.
    /// # Check by hand
    /// openstack resource provider show --allocations UUID; openstack server show UUID; openstack server migration list.
    /// # Fix
    /// When no server and no migration of that UUID is under way: openstack resource provider allocation delete UUID, or
    /// nova-manage placement audit.
    ALLOCATION = "placement-allocation", Warning;
}

/// The trait by which the scheduler finds live-migratable devices.
const MIGRATABLE: &str = "HW_PCI_LIVE_MIGRATABLE";

/// Whom Nova knows a consumer as that has no guest on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Consumer {
    /// A server that Nova has on this host.
    Here,
    /// A server that Nova has on the named host, or on none.
    Elsewhere(Option<String>),
    /// A server or migration that Nova is busy with, and so keeps its place.
    Busy,
    /// A migration that is over, with the word of its record.
    Over(String),
    /// Neither a server nor a migration that Nova lists.
    Nobody,
}

/// The consumers that have something set aside and no guest on the host; none where its guests are not known.
pub(crate) fn strangers(snapshot: &Snapshot, held: &[HeldProvider]) -> BTreeSet<String> {
    if snapshot.why_unknown("domains").is_some() {
        return BTreeSet::new();
    }
    let is_guest = |consumer: &str| snapshot.domains.iter().any(|domain| domain.uuid.eq_ignore_ascii_case(consumer));
    let all = held.iter().flat_map(|provider| provider.allocations.keys());
    all.filter(|consumer| !is_guest(consumer)).cloned().collect()
}

/// Compares them; `host` is the name of the host's own provider, and `known` says of each of the [`strangers`] who it is.
pub(crate) fn audit(
    snapshot: &Snapshot,
    host: &str,
    held: &[HeldProvider],
    known: &BTreeMap<String, Consumer>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    if snapshot.why_unknown("placement").is_none() {
        providers(snapshot, host, held, &mut found);
    }
    if snapshot.why_unknown("domains").is_none() {
        for provider in held {
            allocations(snapshot, host, provider, known, &mut found);
        }
    }
    found
}

fn finding(rule: &Rule, message: String, remedy: Option<String>) -> Finding {
    Finding { remedy, ..Finding::new(rule, message) }
}

fn providers(snapshot: &Snapshot, host: &str, held: &[HeldProvider], found: &mut Vec<Finding>) {
    let mut differs = |message| found.push(finding(&DIFFERS, message, None));
    if held.is_empty() {
        return differs(format!("Placement has no resource provider {host}"));
    }
    for demanded in &snapshot.placement {
        let Provider { provider, resource_class, total, traits } = demanded;
        // The host's name before the address is libvirt's there, and may be the kernel's here.
        let at = provider.rsplit_once('_').map(|(_, at)| format!("{host}_{at}"));
        let Some(have) = held.iter().find(|have| Some(&have.provider) == at.as_ref()) else {
            differs(format!("Placement has no provider {provider} ({total} {resource_class})"));
            continue;
        };
        match have.totals.get(resource_class) {
            None => differs(format!("{provider} has no {resource_class} in Placement, but {total} on the host")),
            Some(there) if *there != u64::from(*total) => {
                differs(format!("{provider} has {there} {resource_class} in Placement, but {total} on the host"));
            }
            Some(_) => {}
        }
        for class in have.totals.keys().filter(|class| *class != resource_class) {
            differs(format!("{provider} has {class} in Placement, which it has not on the host"));
        }
        let demanded: BTreeSet<&str> = traits.iter().map(String::as_str).collect();
        let there: BTreeSet<&str> = have.traits.iter().map(String::as_str).collect();
        for missing in demanded.difference(&there) {
            let what = if *missing == MIGRATABLE { ": Nova finds it for no live-migratable alias" } else { "" };
            differs(format!("{provider} lacks the trait {missing} in Placement{what}"));
        }
        for stale in there.difference(&demanded) {
            let what = if *stale == MIGRATABLE { ": no device_spec says live_migratable any more" } else { "" };
            differs(format!("{provider} has the trait {stale} in Placement, which it should not have{what}"));
        }
    }
    for have in held.iter().filter(|have| address(host, &have.provider).is_some()) {
        let at = have.provider.rsplit_once('_').map(|(_, at)| at);
        if !snapshot.placement.iter().any(|demanded| demanded.provider.rsplit_once('_').map(|(_, at)| at) == at) {
            let why = if is_on(&snapshot.config) { "no device_spec covers it" } else { "report_in_placement is off" };
            differs(format!("Placement has the provider {}, although {why}", have.provider));
        }
    }
}

/// The address in the name of a device's provider.
fn address(host: &str, provider: &str) -> Option<PciAddress> {
    provider.strip_prefix(host)?.strip_prefix('_')?.to_lowercase().parse().ok()
}

/// Who has something set aside without a guest on the host, and the command that gives it back; none for who keeps it rightly.
fn left_over(consumer: &str, known: &Consumer, provider: &HeldProvider) -> Option<(String, String)> {
    let uuid = quoted(consumer);
    let all = || format!("openstack resource provider allocation delete {uuid}");
    Some(match known {
        Consumer::Busy => return None,
        Consumer::Here => (
            format!("server {consumer}, which Nova has here and libvirt does not know"),
            format!("openstack server reboot --hard {uuid}"),
        ),
        // Deleting all of it would take from the server what it has where it is.
        Consumer::Elsewhere(at) => (
            format!("server {consumer}, which is on {}", at.as_deref().unwrap_or("no host")),
            format!("openstack resource provider allocation unset --provider {} {uuid}", quoted(&provider.uuid)),
        ),
        Consumer::Over(status) => (format!("migration {consumer}, which is over ({status})"), all()),
        Consumer::Nobody => (format!("{consumer}, which is no server of Nova and no recent migration"), all()),
    })
}

fn allocations(
    snapshot: &Snapshot,
    host: &str,
    provider: &HeldProvider,
    known: &BTreeMap<String, Consumer>,
    found: &mut Vec<Finding>,
) {
    let name = &provider.provider;
    let own = address(host, name);
    let is_on = |device: &&Device, at: PciAddress| device.address == at || device.parent_addr == Some(at);
    let in_use = |consumer: &str, at: PciAddress| -> Option<u64> {
        let devices = snapshot.devices.iter().filter(|device| is_on(device, at) && device.spec_index.is_some());
        let mut count = 0;
        for device in devices {
            count += u64::from(device.used_by.as_ref()?.iter().any(|user| user.uuid.eq_ignore_ascii_case(consumer)));
        }
        Some(count)
    };
    for (consumer, resources) in &provider.allocations {
        let what: Vec<String> = resources.iter().map(|(class, count)| format!("{count} {class}")).collect();
        let what = what.join(", ");
        let guest = snapshot.domains.iter().find(|domain| domain.uuid.eq_ignore_ascii_case(consumer));
        let Some(guest) = guest else {
            if let Some((whom, remedy)) = known.get(consumer).and_then(|known| left_over(consumer, known, provider)) {
                found.push(finding(&ALLOCATION, format!("{name} has {what} set aside for {whom}"), Some(remedy)));
            }
            continue;
        };
        let Some(at) = own else { continue };
        let aside: u64 = resources.values().sum();
        match in_use(consumer, at) {
            Some(used) if used != aside => {
                let message =
                    format!("{name} has {what} set aside for {}, which uses {used} of its devices", guest.name);
                found.push(finding(&ALLOCATION, message, None));
            }
            Some(_) | None => {}
        }
    }
    let Some(at) = own else { return };
    for domain in snapshot.domains.iter().filter(|domain| domain.owner.as_deref() == Some("nova")) {
        let is_known = provider.allocations.keys().any(|consumer| domain.uuid.eq_ignore_ascii_case(consumer));
        if let Some(used) = in_use(&domain.uuid, at).filter(|used| *used > 0 && !is_known) {
            let message =
                format!("{} uses {used} devices of {name}, and Placement has none set aside for it", domain.name);
            found.push(finding(&ALLOCATION, message, None));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::snapshot::device::DevType;
    use crate::model::snapshot::device::UsedBy;
    use crate::model::snapshot::{Domain, OptionDoc, Unknown};

    const PF: &str = "cmp-1_0000:81:00.0";
    const CLASS: &str = "CUSTOM_PCI_15B3_101E";

    /// A host with two VFs, of which the guest "u-1" uses one.
    fn host() -> Snapshot {
        let vf = |at: &str, users: &[&str]| Device {
            address: at.parse().unwrap(),
            parent_addr: "0000:81:00.0".parse().ok(),
            dev_type: DevType::Vf,
            spec_index: Some(0),
            used_by: Some(users.iter().map(|uuid| UsedBy { uuid: (*uuid).into(), ..UsedBy::default() }).collect()),
            ..Device::default()
        };
        let guest = Domain { name: "db".into(), uuid: "u-1".into(), owner: Some("nova".into()), ..Domain::default() };
        let traits = ["COMPUTE_MANAGED_PCI_DEVICE", MIGRATABLE, "OWNER_NOVA"].map(str::to_owned).to_vec();
        let mut snapshot = Snapshot {
            devices: vec![vf("0000:81:00.1", &["u-1"]), vf("0000:81:00.2", &[])],
            domains: vec![guest],
            placement: vec![Provider { provider: PF.into(), resource_class: CLASS.into(), total: 2, traits }],
            ..Snapshot::default()
        };
        let on = OptionDoc { value: Value::Bool(true), ..OptionDoc::default() };
        snapshot.config.options.insert("report_in_placement".into(), on);
        snapshot
    }

    fn held(total: u64, traits: &[&str], allocations: &[(&str, u64)]) -> [HeldProvider; 2] {
        let resources = |count| BTreeMap::from([(CLASS.to_owned(), count)]);
        let root = HeldProvider { provider: "cmp-1".into(), ..HeldProvider::default() };
        let pf = HeldProvider {
            provider: PF.into(),
            uuid: "p-1".into(),
            totals: resources(total),
            traits: traits.iter().map(|one| (*one).to_owned()).collect(),
            allocations: allocations.iter().map(|(who, count)| ((*who).to_owned(), resources(*count))).collect(),
        };
        [root, pf]
    }

    fn said(snapshot: &Snapshot, held: &[HeldProvider]) -> String {
        let known = strangers(snapshot, held).into_iter().map(|who| (who, Consumer::Nobody)).collect();
        audit(snapshot, "cmp-1", held, &known).iter().flat_map(|finding| [&*finding.message, "\n"]).collect()
    }

    #[test]
    fn the_remedy_of_what_is_left_over_follows_from_whose_it_is() {
        let held = held(2, &["COMPUTE_MANAGED_PCI_DEVICE", MIGRATABLE, "OWNER_NOVA"], &[("u-1", 1), ("c", 1)]);
        assert_eq!(strangers(&host(), &held), BTreeSet::from(["c".to_owned()]));
        for (known, message, remedy) in [
            (
                Consumer::Here,
                "server c, which Nova has here and libvirt does not know",
                "openstack server reboot --hard c",
            ),
            (
                Consumer::Elsewhere(Some("b".into())),
                "server c, which is on b",
                "openstack resource provider allocation unset --provider p-1 c",
            ),
            (
                Consumer::Over("error".into()),
                "migration c, which is over (error)",
                "openstack resource provider allocation delete c",
            ),
            (Consumer::Nobody, "c, which is no server of Nova", "openstack resource provider allocation delete c"),
        ] {
            let found = audit(&host(), "cmp-1", &held, &BTreeMap::from([("c".to_owned(), known)]));
            assert!(found.len() == 1 && found[0].message.contains(message), "{found:?}");
            assert_eq!(found[0].remedy.as_deref(), Some(remedy));
        }
        assert_eq!(audit(&host(), "cmp-1", &held, &BTreeMap::from([("c".to_owned(), Consumer::Busy)])), []);
    }

    #[test]
    fn a_host_whose_kernel_has_the_short_name_is_the_same() {
        let mut host = host();
        host.placement[0].provider = host.placement[0].provider.replace("cmp-1", "cmp");
        let all = ["COMPUTE_MANAGED_PCI_DEVICE", MIGRATABLE, "OWNER_NOVA"];
        assert_eq!(said(&host, &held(2, &all, &[("u-1", 1)])), "");
    }

    #[test]
    fn what_placement_holds_otherwise_is_told_and_what_fits_is_not() {
        let all = ["COMPUTE_MANAGED_PCI_DEVICE", MIGRATABLE, "OWNER_NOVA"];
        assert_eq!(said(&host(), &held(2, &all, &[("u-1", 1)])), "");
        let words = said(&host(), &held(3, &["OWNER_NOVA", "CUSTOM_OLD"], &[("U-1", 2), ("u-9", 1)]));
        for part in [
            "has 3 CUSTOM_PCI_15B3_101E in Placement, but 2 on the host",
            "lacks the trait HW_PCI_LIVE_MIGRATABLE in Placement: Nova finds it",
            "has the trait CUSTOM_OLD",
            "set aside for db, which uses 1 of its devices",
            "set aside for u-9, which is no server of Nova",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(said(&host(), &held(2, &all, &[])).contains("db uses 1 devices of cmp-1_0000:81:00.0, and Placement"));
        assert!(said(&host(), &held(2, &all, &[("u-1", 1)])[..1]).contains("no provider cmp-1_0000:81:00.0 (2"));
        assert!(said(&host(), &[]).contains("no resource provider cmp-1"));
        let gone = Snapshot { placement: Vec::new(), ..host() };
        assert!(said(&gone, &held(2, &all, &[("u-1", 1)])).contains("although no device_spec covers it"));
    }

    #[test]
    fn what_is_not_known_of_the_host_is_held_against_nobody() {
        let unknown = ["placement", "domains"].map(|fact| Unknown::new(fact, "silent")).to_vec();
        let silent = Snapshot { placement: Vec::new(), domains: Vec::new(), unknown, ..host() };
        assert_eq!(said(&silent, &held(2, &[], &[("u-9", 1)])), "");
        let mut uses = host();
        uses.devices[1].used_by = None;
        assert!(
            !said(&uses, &held(2, &[], &[("u-1", 2)])).contains("set aside for db"),
            "how many it uses is not known"
        );
    }
}
